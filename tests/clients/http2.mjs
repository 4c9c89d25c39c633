// Chromium opens two rooms of the example `http2`: both are streams of one TLS connection, by the
// server's own count. Node's HTTP/2 then opens a third, in a connection of its own.
//
// The example must be built: `cargo build --example http2 --all-features`.
import { once } from 'node:events';
import http2 from 'node:http2';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { free_port, listening, run } from './processes.mjs';
import { until } from './script.mjs';

const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../target', import.meta.url));
const port = await free_port();
const server = run(join(target, 'debug/examples/http2'), [], { PORT: port });
await listening('http2', server, port);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  // Root needs the first; the certificate is of this run.
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--ignore-certificate-errors'],
});
try {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(`https://localhost:${port}/`);
  const log = page.locator('#log');
  const two = async () => (await log.textContent()).includes('peers: 2, connections: 1');
  await until('two rooms in one connection', two);
  console.log('ok    Chromium: two rooms, one TLS connection');

  const session = http2.connect(`https://localhost:${port}`, { rejectUnauthorized: false });
  const [settings] = await once(session, 'remoteSettings');
  if (!settings.enableConnectProtocol) throw new Error('the server offers no extended CONNECT');
  const room = session.request(
    { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/rooms/green', 'sec-websocket-version': '13' },
    { endStream: false },
  );
  const [answer] = await once(room, 'response');
  if (answer[':status'] !== 200) throw new Error(`CONNECT got ${answer[':status']}`);
  const [frame] = await once(room, 'data');
  const text = frame.subarray(2).toString();
  if (text !== 'peers: 3, connections: 2') throw new Error(`the third room heard ${text}`);
  const three = async () => (await log.textContent()).includes('peers: 3, connections: 2');
  await until('the rooms to hear of the third', three);
  console.log('ok    Node: CONNECT by its HTTP/2');
  room.close();
  session.close();
} catch (error) {
  console.log(`FAIL  ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
process.exit();
