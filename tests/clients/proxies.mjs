// npm's `ws` through the proxies of a fixture, to an upstream that is `ws` too.
//
//   node tests/clients/proxies.mjs
//   FIXTURE=fixture_smol node ...           the fixture of another adapter: smol, async_std
//
// The example must be built: `cargo build --example fixture --all-features`.
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import WebSocket, { WebSocketServer } from 'ws';
import { free_port, listening, run } from './processes.mjs';
import { Checks, Socket, assert, equal, within } from './script.mjs';

/** Echoes, and closes with 4321 on request. It accepts a connection once its path is not held. */
class Upstream {
  #held = new Map();
  #server = http.createServer();
  #sockets = new WebSocketServer({ noServer: true, handleProtocols: ([first]) => first });

  async listen() {
    this.#server.on('upgrade', async (request, socket, head) => {
      socket.on('error', () => {});
      await this.#held.get(request.url);
      if (socket.destroyed) return;
      this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#opened(ws, request));
    });
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `ws://localhost:${this.#server.address().port}/`;
  }

  #opened(ws, request) {
    this.offered = request.headers['sec-websocket-protocol'];
    this.closed = new Promise((closed) => {
      ws.on('close', (code, reason) => closed({ code, reason: String(reason) }));
    });
    ws.on('message', (data, binary) => {
      if (String(data) === 'close') ws.close(4321, 'the upstream is done');
      else ws.send(data, { binary });
    });
  }

  /** Holds connections to a path back, until the result is called. */
  hold(path) {
    let release;
    this.#held.set(path, new Promise((released) => (release = released)));
    return () => {
      this.#held.delete(path);
      release();
    };
  }
}

const upstream = new Upstream();
const fixture = process.env.FIXTURE ?? 'fixture';
const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../target', import.meta.url));
const port = await free_port();
const env = { UPSTREAM: await upstream.listen(), PORT: port, ASYNC_STD_THREAD_COUNT: '1', SMOL_THREADS: '1' };
const server = run(join(target, 'debug/examples', fixture), [], env);
await listening(fixture, server, port);

const checks = new Checks(`npm ws through ${fixture}`);

/** A connection that a proxy has accepted. */
async function connect(proxy, protocols = []) {
  const socket = new Socket(new WebSocket(`ws://localhost:${port}/proxy/${proxy}`, protocols));
  assert(await within(`${proxy} to accept`, socket.accepted), `${proxy} accepted`);
  return socket;
}

/** How a connection ends that its client does not close. */
async function ended(socket) {
  const { code } = await within('the close event', socket.closed);
  return code;
}

for (const proxy of ['static', 'dynamic', 'async']) {
  await checks.check(`${proxy}: what is sent before the upstream opens arrives in order and kind`, async () => {
    const release = upstream.hold('/');
    const socket = await connect(proxy);
    const bytes = new Uint8Array([0, 255, 10]);
    for (const message of ['one', bytes, 'żółć 🦀', '']) socket.send(message);
    release();
    await socket.expect('one', bytes, 'żółć 🦀', '');
    equal((await socket.close(4000, 'done')).code, 4000, 'the code of the close');
    equal(await within('the upstream', upstream.closed), { code: 4000, reason: 'done' });
  });

  await checks.check(`${proxy}: the first subprotocol is offered and answered`, async () => {
    const socket = await connect(proxy, ['second', 'first']);
    equal(socket.ws.protocol, 'second');
    socket.send('hello');
    await socket.expect('hello');
    equal(upstream.offered, 'second', 'the offer');
    await socket.close();
  });

  await checks.check(`${proxy}: the upstream's close reaches the client`, async () => {
    const socket = await connect(proxy);
    socket.send('close');
    const closed = await within('the close event', socket.closed);
    equal(closed, { code: 4321, reason: 'the upstream is done', wasClean: true });
  });
}

for (const proxy of ['reject', 'bad']) {
  await checks.check(`${proxy}: an upstream that fails is a 1011`, async () => {
    equal(await ended(await connect(proxy)), 1011);
  });
}

await checks.check('timeout: an upstream that does not answer in time is a 1011', async () => {
  const release = upstream.hold('/slow');
  equal(await ended(await connect('timeout')), 1011);
  release();
});

await checks.check('limited: a text that fits waits for the upstream', async () => {
  const release = upstream.hold('/slow');
  const socket = await connect('limited');
  socket.send('a');
  release();
  await socket.expect('a');
  await socket.close();
});

await checks.check('limited: more than may wait is a 1009', async () => {
  const release = upstream.hold('/slow');
  const socket = await connect('limited');
  socket.send('aaaaa');
  equal(await ended(socket), 1009);
  release();
});

await checks.check('other paths are the fixture', async () => {
  const socket = new Socket(new WebSocket(`ws://localhost:${port}/proxy`));
  assert((await socket.next()).endsWith('(namespace: /proxy)'), 'the welcome');
  await socket.close();
});

await checks.check('the server runs on', async () => assert(!('how' in server), 'it runs'));

console.log(`${checks.passed} passed, ${checks.failed} failed`);
process.exit(checks.failed ? 1 : 0);
