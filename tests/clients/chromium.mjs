// The WebSocket of a real browser. The script runs inside a page of the fixture server, so the
// fixture has the page's own origin, and the echo and bare servers have another.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { get, urls } from './node.mjs';

const profile = await mkdtemp(join(tmpdir(), 'crossws-chromium-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox', // as root, as CI is, Chromium does not start with one
    '--disable-gpu',
    // Connects only to the servers under test.
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});

try {
  const page = await context.newPage();
  // Prints the script's own lines; the browser's messages about refused connections are expected.
  page.on('console', (message) => message.type() === 'log' && console.log(message.text()));

  // A page cannot read the response to its handshake; the browser's debugging protocol can.
  const answers = [];
  const debugging = await context.newCDPSession(page);
  await debugging.send('Network.enable');
  debugging.on('Network.webSocketHandshakeResponseReceived', ({ response }) => {
    const lower = Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value]);
    answers.push(Object.fromEntries(lower));
  });

  await page.exposeFunction('get', get); // not bound to one origin, as the page's `fetch` is
  await page.exposeFunction('lastAnswer', () => answers.at(-1));
  await page.route('**/script.mjs', (route) =>
    route.fulfill({
      path: fileURLToPath(new URL('script.mjs', import.meta.url)),
      contentType: 'text/javascript',
    }),
  );

  await page.goto(urls.fixture);
  const { failed } = await page.evaluate(async (urls) => {
    const { run } = await import('/script.mjs');
    const client = {
      name: 'Chromium',
      needsProtocol: true,
      get: window.get,
      open: (url, { protocols = [] }) => new WebSocket(url, protocols),
      answer: window.lastAnswer,
    };
    return run(client, urls);
  }, urls);
  process.exitCode = failed ? 1 : 0;
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true });
}
