// Event streams of the founding app, read by clients that are not ours: npm's eventsource, Node's fetch,
// curl and Chromium.
//
//   node tests/clients/events.mjs          all clients
//   node tests/clients/events.mjs curl     only this one
//   FOUNDING=founding_smol node …          the app on smol
//
// The app must be built: `cargo build -p founding`.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EventSource } from 'eventsource';
import { free_port, listening, run } from './processes.mjs';
import { equal, until, within } from './script.mjs';

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const programs = join(process.env.CARGO_TARGET_DIR ?? here('../../target'), 'debug');
const app = process.env.FOUNDING ?? 'founding';

const LINES = ['a\nb\nc\nd', 'x\n\nevent: forged'];

/** The first events of a name, as an `EventSource` of any make dispatches them. Runs in pages too. */
function source(EventSource, url, name, count) {
  return new Promise((resolve, reject) => {
    const events = new EventSource(url);
    const got = [];
    events.addEventListener(name, ({ data, lastEventId }) => {
      got.push({ data, lastEventId });
      if (got.length < count) return;
      events.close();
      resolve(got);
    });
    events.addEventListener('forged', () => reject(new Error('an event was forged')));
  });
}

/** Reads a stream's raw text until it contains `end`. */
async function raw(url, headers, end) {
  const stop = new AbortController();
  const response = await fetch(url, { headers, signal: stop.signal });
  equal(response.headers.get('content-type'), 'text/event-stream');
  let text = '';
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes(end)) break;
  }
  stop.abort();
  return text;
}

/** What every `EventSource` must read. */
async function reads(read) {
  const ticks = await read('/sse', 'message', 3);
  equal(ticks.map(({ data }) => data), ['Message @ 0', 'Message @ 1', 'Message @ 2']);
  const updates = await read('/sse/structured', 'update', 2);
  equal(updates, [0, 1].map((n) => ({ data: `{"value":${n}}`, lastEventId: `${n}` })));
  const lines = await read('/sse/lines', 'message', 2);
  equal(lines.map(({ data }) => data), LINES);
}

const clients = {
  eventsource: (url) => reads((path, name, count) => source(EventSource, url + path, name, count)),

  async fetch(url) {
    const text = await raw(`${url}/sse/structured`, { 'last-event-id': '6' }, '"value":8}\n\n');
    // The first names what the client has read, so that it cannot forget it.
    const [last, fields] = text.split('\n\n');
    equal(last, 'id: 6');
    equal(fields, 'event: update\nid: 7\nretry: 3000\ndata: {"value":7}');
  },

  async curl(url) {
    const curl = run('curl', ['-sN', `${url}/sse`], {}, 'pipe');
    let text = '';
    curl.stdout.on('data', (part) => (text += part));
    await until('three events', () => text.includes('data: Message @ 2\n\n'));
    curl.kill('SIGKILL');
    await curl.ended;
  },

  async chromium(url) {
    const { chromium } = await import('playwright-core');
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
    });
    try {
      const page = await browser.newPage();
      await page.goto(`${url}/api/health`);
      await reads((path, name, count) =>
        page.evaluate(`(${source})(EventSource, ${JSON.stringify(path)}, ${JSON.stringify(name)}, ${count})`),
      );
    } finally {
      await browser.close();
    }
  },
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(clients);
const port = await free_port();
const server = run(join(programs, app), [], { PORT: port });
await listening(app, server, port);
const url = `http://127.0.0.1:${port}`;
for (const name of names) {
  await within(`${name} to read every stream`, clients[name](url));
  // Every client has gone, and its stream with it.
  await until('the streams to end', async () => (await (await fetch(`${url}/sse/open`)).json()).open === 0);
  console.log(`${name}: every stream was read`);
}
process.exit(0);
