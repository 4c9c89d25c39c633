// Event streams of the founding app, and its hooks over them, with clients that are not ours: npm's eventsource,
// undici's, Node's fetch, curl and Chromium.
//
//   node --experimental-eventsource tests/clients/events.mjs          all clients
//   node --experimental-eventsource tests/clients/events.mjs curl     only this one
//   FOUNDING=founding_smol node …                                     the app on smol
//
// The flag gives Node undici's.
//
// The app must be built: `cargo build -p founding`.
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EventSource } from 'eventsource';
import { free_port, listening, run } from './processes.mjs';
import { assert, equal, until, within } from './script.mjs';

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

/** Talks with the hooks as a page does, over an `EventSource` of any make. Runs in pages too. */
async function talk(EventSource, url) {
  const events = new EventSource(url);
  const [opened, heard] = [[], []];
  // Its own event has this name too, and no data.
  events.addEventListener('open', ({ data }) => data && opened.push(JSON.parse(data)));
  events.onmessage = ({ data }) => heard.push(JSON.parse(data).message);
  let closed = false;
  events.addEventListener('close', () => {
    closed = true;
    events.close();
  });
  const until = async (what, is) => {
    for (let n = 0; !is(); n += 1) {
      if (n > 1000) throw new Error(`no ${what}: ${JSON.stringify([opened, heard])}`);
      await new Promise((next) => setTimeout(next, 10));
    }
  };
  await until('secret', () => opened.length);
  const [{ id, secret, url: path }] = opened;
  const ask = async (method, key, body) => {
    const headers = { authorization: `Bearer ${key}` };
    return (await fetch(new URL(path, events.url), { method, headers, body })).status;
  };
  const statuses = [await ask('POST', id, 'forged'), await ask('POST', secret, 'line 1\r\nline 2')];
  await until('message', () => heard.length > 1);
  statuses.push(await ask('DELETE', secret));
  await until('close', () => closed);
  statuses.push(await ask('POST', secret, 'too late'));
  return { opened: opened.length, heard: heard.map((text) => text.replace(id, 'PEER')), statuses };
}

/** What each must have heard. */
function talked({ opened, heard, statuses }) {
  equal([opened, ...statuses], [1, 401, 204, 204, 401], 'statuses');
  equal(heard, ['Welcome PEER!', 'line 1\r\nline 2'], 'messages');
}

/** A way to the app whose connections can be cut. */
async function relay(port) {
  const open = new Set();
  let watch = () => {};
  const server = net.createServer((client) => {
    const app = net.connect(port, '127.0.0.1');
    for (const [from, to] of [[client, app], [app, client]]) {
      open.add(from);
      from.on('error', () => {}).on('close', () => (open.delete(from), to.destroy()));
      from.pipe(to);
    }
    app.on('data', (part) => watch(part));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,

    /** Cuts every connection once the app has sent `text`. Returns a function that tells how many sockets that were. */
    cut_after(text) {
      let [sent, cut] = ['', 0];
      watch = (part) => {
        sent += part;
        if (!sent.includes(text)) return;
        watch = () => {};
        cut = open.size;
        open.forEach((socket) => socket.destroy());
      };
      return () => cut;
    },
  };
}

/** Reads a stream that is cut: the client goes on after the last event, none is missing, and none comes twice. */
async function resumes(read, cuttable) {
  const cut = cuttable.cut_after('{"value":9}');
  // 4 s of ticks, and 3 s until the client connects again.
  const updates = await within('a stream that is cut', read('/sse/structured', 'update', 40));
  equal(updates.map(({ lastEventId }) => Number(lastEventId)), Array.from({ length: 40 }, (_, n) => n));
  assert(cut() > 0, 'the stream was cut');
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

/** Everything that an `EventSource` in Node must do. */
async function all(EventSource, url, cuttable) {
  const from = (url) => (path, name, count) => source(EventSource, url + path, name, count);
  await reads(from(url));
  talked(await talk(EventSource, `${url}/ws/chat`));
  await resumes(from(cuttable.url), cuttable);
}

const clients = {
  eventsource: (url, cuttable) => all(EventSource, url, cuttable),

  async undici(url, cuttable) {
    if (!globalThis.EventSource) throw new Error('start node with --experimental-eventsource');
    await all(globalThis.EventSource, url, cuttable);
  },

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

  async chromium(url, cuttable) {
    const { chromium } = await import('playwright-core');
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
    });
    try {
      const page = await browser.newPage();
      const read = (path, name, count) =>
        page.evaluate(`(${source})(EventSource, ${JSON.stringify(path)}, ${JSON.stringify(name)}, ${count})`);
      await page.goto(`${url}/api/health`);
      await reads(read);
      talked(await page.evaluate(`(${talk})(EventSource, '/ws/chat')`));
      await page.goto(`${cuttable.url}/api/health`);
      await resumes(read, cuttable);
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
const cuttable = await relay(port);
for (const name of names) {
  await within(`${name} to read every stream`, clients[name](url, cuttable), 30_000);
  // Every client has gone, and its stream with it.
  await until('the streams to end', async () => (await (await fetch(`${url}/sse/open`)).json()).open === 0);
  console.log(`${name}: every stream was read`);
}
process.exit(0);
