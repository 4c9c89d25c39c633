// Runs the chat, and the founding app's event streams, with Debian's nginx and haproxy in front, plain and
// encrypted, configured as in their guides.
//
//   node tests/proxies/run.mjs
//
// With each: a page of the proxy's own origin connects; a silent connection lives longer than any
// time-out of the proxy; a reload under load loses nothing; a client on a line of 10 KiB a second
// gets everything; and after a refused upgrade the client's connection continues. Each event of a stream
// arrives at once, although nginx collects responses by default, and a silent stream lives on.
//
// Both apps must be built: `cargo build -p chat -p founding`; scripts/test does it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { ends, free_port, listening, run } from '../clients/processes.mjs';
import { until } from '../clients/script.mjs';

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const WebSocket = createRequire(here('../clients/package.json'))('ws');

const IDLE = 70_000;
const LINE = 10 << 10;

const temporary = () => mkdtempSync(join(tmpdir(), 'crossws-proxies-'));
const dirs = [temporary(), temporary()];
const [dir, events_dir] = dirs;
process.on('exit', () => dirs.forEach((dir) => rmSync(dir, { recursive: true, force: true })));
const sleep = (time) => new Promise((over) => setTimeout(over, time));

/** Starts a program from a configuration in which its ports and folders are filled in. */
async function proxy(name, template, ports, args) {
  const values = { DIR: dir, CHAT: chat_port, ...ports };
  const config = join(values.DIR, template);
  writeFileSync(config, readFileSync(here(template), 'utf8').replace(/@(\w+)@/g, (_, key) => values[key]));
  const child = run(name, args(config), { PATH: `${process.env.PATH}:/usr/sbin` });
  await listening(name, child, ports.PLAIN);
  return child;
}

/** A member of a room, and what it has heard. */
async function member(url, room, name, options = {}) {
  const { protocol, host } = new URL(url);
  const origin = `${protocol === 'wss:' ? 'https' : 'http'}://${host}`;
  const socket = new WebSocket(`${url}/rooms/${encodeURIComponent(room)}?name=${name}`, { origin, rejectUnauthorized: false, ...options });
  const heard = [];
  socket.on('error', (error) => heard.push({ type: 'failed', text: error.message }));
  socket.on('message', (text) => heard.push(JSON.parse(text)));
  await until(`${name} to be welcomed by ${url}`, () => {
    const failed = heard.find(({ type }) => type === 'failed');
    if (failed) throw new Error(`${url}: ${failed.text}`);
    return heard.some(({ type }) => type === 'welcome');
  });
  return {
    socket,
    say: (text) => socket.send(JSON.stringify({ type: 'say', text })),
    said: () => heard.filter(({ type }) => type === 'said').map(({ text }) => text),
  };
}

/** No client says anything for this long, then one does. */
async function idle(url) {
  const [ada, grace] = [await member(url, `idle ${url}`, 'Ada'), await member(url, `idle ${url}`, 'Grace')];
  await sleep(IDLE);
  ada.say('still here');
  await until(`an idle connection through ${url}`, () => grace.said().length === 1);
}

/** The proxy takes its configuration anew while twenty clients talk. */
async function reload(url, reloads) {
  const members = await Promise.all(Array.from({ length: 20 }, (_, i) => member(url, `reload ${url}`, `m${i}`)));
  const sent = [];
  for (let round = 0; round < 100; round += 1) {
    if (round === 30) reloads();
    members[round % 20].say(String(round));
    sent.push(String(round));
    await sleep(20);
  }
  const late = await member(url, `reload ${url}`, 'late');
  late.say('new');
  const all = [...sent, 'new'].sort();
  for (const { said } of members) {
    await until(`all messages through ${url}`, () => said().length === all.length);
    assert.deepEqual(said().sort(), all);
  }
}

/** A stream that gives at most `rate` bytes a second. */
function slow_line(stream, rate) {
  stream.pause();
  const read = stream.read.bind(stream);
  const server = net.createServer((near) => {
    near.on('error', () => {}).on('data', (bytes) => stream.write(bytes)).on('close', () => stream.destroy());
    const timer = setInterval(() => {
      const bytes = read(Math.min(rate / 10, stream.readableLength || 1));
      if (bytes) near.write(bytes);
    }, 100);
    stream.on('close', () => (clearInterval(timer), near.destroy())).on('error', () => {});
    server.close();
  }).listen(0, '127.0.0.1');
  return new Promise((ready) => server.on('listening', () => ready(server.address().port)));
}

/** A client reads 10 KiB a second, and is sent what takes it half a minute. */
async function slow(url) {
  const { protocol, hostname, port } = new URL(url);
  const options = { host: hostname, port, rejectUnauthorized: false, highWaterMark: 4096 };
  const stream = protocol === 'wss:' ? tls.connect(options) : net.connect(options);
  await new Promise((open) => stream.on(protocol === 'wss:' ? 'secureConnect' : 'connect', open));
  const near = await slow_line(stream, LINE);
  const host = new URL(url).host;
  const origin = `${protocol === 'wss:' ? 'https' : 'http'}://${host}`;
  const ada = await member(url, `slow ${url}`, 'Ada');
  const grace = await member(`ws://localhost:${near}`, `slow ${url}`, 'Grace', { origin, headers: { Host: host } });
  const texts = Array.from({ length: 100 }, (_, i) => `${i} ${'x'.repeat(3000)}`);
  for (const text of texts) ada.say(text);
  await until(`everything on a slow line through ${url}`, () => {
    assert.equal(grace.socket.readyState, WebSocket.OPEN, `${url}: the slow client was closed`);
    return grace.said().length === texts.length;
  }, 90_000);
  assert.deepEqual(grace.said(), texts);
}

/** An upgrade that is refused does not spoil the connection that it came on. */
async function refused(url) {
  const { protocol, hostname, port, host } = new URL(url);
  const options = { host: hostname, port, rejectUnauthorized: false };
  const stream = protocol === 'wss:' ? tls.connect(options) : net.connect(options);
  let text = '';
  stream.setEncoding('latin1').on('data', (part) => (text += part)).on('error', () => {});
  // Without a name, so that the chat refuses it.
  stream.write(`GET /rooms/lobby HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
  await until(`a refusal through ${url}`, () => /^HTTP\/1.1 400[^]*\r\n\r\n[^]*name/.test(text));
  text = '';
  stream.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await until(`the page on the same connection through ${url}`, () => /^HTTP\/1.1 200[^]*<\/html>/.test(text));
  stream.destroy();
}

/** A connection over an event stream. */
async function source(url, path) {
  const response = await fetch(url + path, { headers: { accept: 'text/event-stream' } });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const events = [];
  let over = false;
  (async () => {
    let text = '';
    for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + part).split('\n\n');
      text = blocks.pop();
      for (const block of blocks) {
        const fields = block.split('\n').map((line) => line.split(': '));
        const of = (name) => fields.filter(([field]) => field === name).map(([, ...value]) => value.join(': ')).join('\n');
        if (of('data')) events.push({ event: of('event') || 'message', data: of('data') });
      }
    }
  })().catch(() => {}).finally(() => (over = true));
  return { events, is_over: () => over, headers: response.headers };
}

/** What a client posts is answered by an event: the proxy has kept neither for itself. */
async function answered(url, chat, text) {
  const { url: path, secret } = JSON.parse(chat.events[0].data);
  const before = chat.events.length;
  const posted = await fetch(url + path, { method: 'POST', headers: { authorization: `Bearer ${secret}` }, body: text });
  assert.equal(posted.status, 204);
  await until(`the answer to ${text} through ${url}`, () =>
    chat.events.slice(before).some(({ event, data }) => event === 'message' && data.includes(text)), 5_000);
}

/** Each event arrives when it is sent. */
async function at_once(url) {
  const chat = await source(url, '/api/ws/chat');
  await until(`the first event through ${url}`, () => chat.events.length > 0, 5_000);
  assert.equal(chat.events[0].event, 'open');
  for (let round = 0; round < 20; round += 1) await answered(url, chat, `round ${round}`);
}

/** Nothing is sent for so long, and the stream is still the same. */
async function silent(url) {
  const chat = await source(url, '/api/ws/chat');
  await until(`the first event through ${url}`, () => chat.events.length > 0, 5_000);
  await sleep(IDLE);
  assert.equal(chat.is_over(), false, 'the stream was cut');
  await answered(url, chat, 'still here');
}

execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
  '-subj', '/CN=localhost', '-days', '2', '-keyout', join(dir, 'key.pem'), '-out', join(dir, 'certificate.pem')],
{ stdio: 'ignore' });
writeFileSync(join(dir, 'both.pem'), readFileSync(join(dir, 'certificate.pem')) + readFileSync(join(dir, 'key.pem')));
for (const file of ['key.pem', 'certificate.pem', 'both.pem']) cpSync(join(dir, file), join(events_dir, file));
// The streams are read over TLS too, with a certificate of this test's own.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

const chat_port = await free_port();
const target = process.env.CARGO_TARGET_DIR ?? here('../../target');
await listening('chat', run(join(target, 'debug/chat'), [], { PORT: chat_port }), chat_port);

const founding_port = await free_port();
await listening('founding', run(join(target, 'debug/founding'), [], { PORT: founding_port }), founding_port);

const ports = async (...names) => Object.fromEntries(await Promise.all(names.map(async (name) => [name, await free_port()])));
const [nginx_ports, haproxy_ports] = [await ports('PLAIN', 'TLS', 'GUIDE'), await ports('PLAIN', 'TLS')];
const nginx = await proxy('nginx', 'nginx.conf', nginx_ports, (config) => ['-c', config]);
const haproxy = await proxy('haproxy', 'haproxy.cfg', haproxy_ports, (config) => ['-W', '-db', '-f', config]);

const behind = { DIR: events_dir, CHAT: founding_port };
const [nginx_events, haproxy_events] = [
  { ...behind, ...(await ports('PLAIN', 'TLS', 'GUIDE')) },
  { ...behind, ...(await ports('PLAIN', 'TLS')) },
];
const streaming = [
  await proxy('nginx', 'nginx.conf', nginx_events, (config) => ['-c', config]),
  await proxy('haproxy', 'haproxy.cfg', haproxy_events, (config) => ['-W', '-db', '-f', config]),
];
const streams = [
  ['nginx', `http://localhost:${nginx_events.PLAIN}`],
  ['nginx, TLS', `https://localhost:${nginx_events.TLS}`],
  ['haproxy', `http://localhost:${haproxy_events.PLAIN}`],
];

const proxies = [
  ['nginx', `ws://localhost:${nginx_ports.PLAIN}`, () => nginx.kill('SIGHUP')],
  ['nginx, TLS', `wss://localhost:${nginx_ports.TLS}`, () => nginx.kill('SIGHUP')],
  ['nginx, Host without its port', `ws://localhost:${nginx_ports.GUIDE}`, () => nginx.kill('SIGHUP')],
  ['haproxy', `ws://localhost:${haproxy_ports.PLAIN}`, () => haproxy.kill('SIGUSR2')],
  ['haproxy, TLS', `wss://localhost:${haproxy_ports.TLS}`, () => haproxy.kill('SIGUSR2')],
];

let failed = 0;
async function check(what, test) {
  const from = Date.now();
  try {
    await test();
    console.log(`ok    ${what} (${((Date.now() - from) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${what}: ${error.message.slice(0, 300)}`);
  }
}

// Each proxy has separate rooms, and all waits run concurrently.
const waits = proxies.flatMap(([name, url]) => [
  check(`${name}: idle for ${IDLE / 1000} s`, () => idle(url)),
  check(`${name}: a line of 10 KiB a second`, () => slow(url)),
]);
waits.push(...streams.map(([name, url]) => check(`${name}: a stream that is silent for ${IDLE / 1000} s`, () => silent(url))));
for (const [name, url] of streams) await check(`${name}: events arrive at once`, () => at_once(url));
for (const [name, url, reloads] of proxies) {
  await check(`${name}: a reload under load`, () => reload(url, reloads));
  await check(`${name}: a refused upgrade`, () => refused(url));
}
await Promise.all(waits);
// In order: a master that is killed leaves its workers running.
const children = [nginx, haproxy, ...streaming];
for (const child of children) child.kill('SIGTERM');
await Promise.all(children.map((child) => ends(child, 10_000)));
process.exit(failed ? 1 : 0);
