// What every JavaScript client does with the echo and fixture servers, and the expected results. It
// uses only web APIs, so the same file runs in Node and, unchanged, inside a page.
// python-websockets.py is its twin; FIXTURE in the comments is the fixture's description.

const DEADLINE = 15_000;

/** `promise`, or a failure that says what was waited for. There is no wait without a deadline. */
export function within(what, promise, deadline = DEADLINE) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`waited ${deadline} ms for ${what}`)), deadline);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks until the answer is `true`; for what the client has no signal of. */
export async function until(what, ask, deadline = DEADLINE) {
  const give_up = Date.now() + deadline;
  while (!(await ask())) {
    if (Date.now() > give_up) throw new Error(`waited ${deadline} ms for ${what}`);
    await new Promise((next) => setTimeout(next, 10));
  }
}

/** Binary is compared and printed as text of its own kind, so that it never equals a text message. */
function show(value) {
  if (!(value instanceof Uint8Array)) return JSON.stringify(value);
  let hash = 0;
  for (const byte of value) hash = (Math.imul(hash, 31) + byte) | 0;
  return `<${value.length} bytes, hash ${hash}>`;
}

export function equal(actual, expected, what = 'value') {
  const [is, should] = [show(actual), show(expected)];
  if (is === should) return;
  const cut = (text) => (text?.length > 300 ? `${text.slice(0, 300)}…` : text);
  throw new Error(`${what}: got ${cut(is)}, expected ${cut(should)}`);
}

export function assert(fact, what) {
  if (!fact) throw new Error(`not so: ${what}`);
}

/** Named checks: each prints one line, and a failed one does not stop the rest. */
export class Checks {
  passed = 0;
  failed = 0;
  constructor(client) {
    this.client = client;
  }
  async check(name, body) {
    try {
      await body();
      this.passed++;
      console.log(`ok    ${this.client}: ${name}`);
    } catch (error) {
      this.failed++;
      console.log(`FAIL  ${this.client}: ${name}: ${error.message}`);
    }
  }
  /** Said, not hidden. */
  lacks(name, missing) {
    console.log(`--    ${this.client}: ${name}: skipped: needs ${missing}`);
  }
  cannot(name) {
    console.log(`--    ${this.client}: ${name}: not to be had with this client`);
  }
}

/** A WebSocket as something to await: messages queue up until they are asked for. */
export class Socket {
  #messages = [];
  #wake = () => {};

  constructor(ws) {
    this.ws = ws;
    ws.binaryType = 'arraybuffer';
    this.closed = new Promise((closed) => {
      ws.onclose = ({ code, reason, wasClean }) => closed({ code, reason, wasClean });
    });
    // Node 20 reports a failed handshake only by an error; other clients close as well.
    this.accepted = new Promise((accepted) => {
      ws.onopen = () => accepted(true);
      ws.onerror = () => accepted(false);
      this.closed.then(() => accepted(false));
    });
    ws.onmessage = ({ data }) => {
      this.#messages.push(typeof data === 'string' ? data : new Uint8Array(data));
      this.#wake();
    };
  }

  send(data) {
    this.ws.send(data);
  }

  /** The next message, left in the queue: a string if it came as text, bytes if as binary. */
  async peek() {
    while (this.#messages.length === 0) {
      const gone = this.closed.then(({ code, reason }) => {
        throw new Error(`closed (${code} ${reason}) while a message was awaited`);
      });
      await within('a message', Promise.race([new Promise((wake) => (this.#wake = wake)), gone]));
    }
    return this.#messages[0];
  }

  async next() {
    await this.peek();
    return this.#messages.shift();
  }

  async expect(...messages) {
    for (const message of messages) equal(await this.next(), message, 'message');
  }

  /** Closes, waits for the answer, and lets no message go unnoticed. */
  async close(...code) {
    this.ws.close(...code);
    const closed = await within('the close event', this.closed);
    equal(this.#messages, [], 'unexpected messages');
    return closed;
  }
}

/**
 * capabilities                             what the fixture says it can do; left out: everything
 *
 * client.name
 * client.open(url, { protocols, headers })  a WebSocket with the web's interface
 * client.get(url)                           { status, type, text } of a plain GET
 * client.headers                            can it send headers of its own?
 * client.ordered                            do a close and then a GET leave in that order?
 * client.needsProtocol                      does it refuse a 101 that selects none of its offers?
 * client.ping(ws, text)                     resolves with the pong's text; left out without an API
 * client.answer(ws)                         resolves with the headers of the 101, names in lower
 *                                           case; left out where the client hides them
 */
export async function run(client, { echo, fixture, bare, capabilities }) {
  const checks = new Checks(client.name);
  const can = (capability) => capabilities?.includes(capability) ?? true;
  const open = new Set();

  function dial(url, options = {}) {
    const socket = new Socket(client.open(url.replace(/^http/, 'ws'), options));
    open.add(socket);
    socket.accepted.then((accepted) => accepted || open.delete(socket));
    socket.closed.then(() => open.delete(socket));
    return socket;
  }

  /** An open connection. */
  async function connect(url, options) {
    const socket = dial(url, options);
    assert(await within(`${url} to accept`, socket.accepted), `${url} accepted`);
    return socket;
  }

  /** A connection that never opens. */
  async function refused(url, options) {
    const socket = dial(url, options);
    assert(!(await within(`${url} to refuse`, socket.accepted)), `${url} refused`);
  }

  /** A connection to the fixture, welcomed. */
  async function join(path = '/', options) {
    const socket = await connect(fixture + path, options);
    const namespace = path.replace(/\?.*/, '');
    const welcome = await socket.next();
    socket.id = /^Welcome to the server (\S+)!/.exec(welcome)?.[1];
    equal(welcome, `Welcome to the server ${socket.id}! (namespace: ${namespace})`, 'welcome');
    const v4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    assert(v4.test(socket.id), `${socket.id} is a UUID v4`);
    return socket;
  }

  /** Two welcomed connections of one namespace, the first of which has seen the second join. */
  async function pair() {
    const first = await join();
    const second = await join();
    await first.expect(`${second.id} joined!`);
    return [first, second];
  }

  /** All that was sent to these peers before now has arrived once this returns: order is kept. */
  async function settled(...sockets) {
    for (const socket of sockets) {
      socket.send('ping');
      await socket.expect('pong');
    }
  }

  async function peers() {
    const { status, type, text } = await client.get(`${fixture}/peers`);
    equal(status, 200, 'status');
    assert(type.startsWith('application/json'), `content type ${type} is JSON`);
    return JSON.parse(text).peers;
  }

  async function publish(server, topic, message) {
    const query = `topic=${topic}&message=${encodeURIComponent(message)}`;
    const { status, text } = await client.get(`${server}/publish?${query}`);
    equal(`${status} ${text}`, '200 published', 'answer');
  }

  /** A check starts with no peer connected and leaves none behind. */
  async function check(name, ...rest) {
    const body = rest.pop();
    const missing = rest.filter((capability) => !can(capability));
    if (missing.length) return checks.lacks(name, missing.join(', '));
    await checks.check(name, async () => {
      if (can('shared-hub')) {
        await until('the peers of the last check to be gone', async () => !(await peers()).length);
      }
      try {
        await body();
        await Promise.all([...open].map((socket) => socket.close()));
      } finally {
        for (const { ws } of open) ws.close();
        open.clear();
      }
    });
  }

  // ---- echo

  await check('echo: text, empty and of many bytes a character', async () => {
    const socket = await connect(echo);
    for (const text of ['hello', '', 'żółć 日本語 🦀 👩‍👩‍👧 \0 "\\', '🦀é'.repeat(16_384)]) {
      socket.send(text);
      await socket.expect(text);
    }
  });

  await check('echo: binary, empty, 64 KiB and 512 KiB', async () => {
    const socket = await connect(echo);
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 524_288]) {
      const bytes = Uint8Array.from({ length: size }, (_, at) => (at * 31 + (at >> 8)) & 255);
      socket.send(bytes);
      await socket.expect(bytes);
    }
  });

  await check('echo: 2000 messages sent at once come back in order', async () => {
    const socket = await connect(echo);
    const bytes = new TextEncoder();
    const messages = Array.from({ length: 2000 }, (_, at) =>
      at % 2 ? bytes.encode(`message ${at}`) : `message ${at}`,
    );
    for (const message of messages) socket.send(message);
    await socket.expect(...messages);
  });

  if (client.ping) {
    await check('echo: a ping is answered with its own data', async () => {
      const socket = await connect(echo);
      equal(await within('the pong', client.ping(socket.ws, 'are you there?')), 'are you there?');
      equal(await within('the pong', client.ping(socket.ws, '')), '');
    });
  } else {
    checks.cannot('echo: a ping is answered with its own data');
  }

  await check('echo: code and reason of a close are answered', async () => {
    const socket = await connect(echo);
    const closed = await socket.close(4321, 'bye żółć');
    equal(closed, { code: 4321, reason: 'bye żółć', wasClean: true });
  });

  await check('echo: a close without a code is clean', async () => {
    const socket = await connect(echo);
    assert((await socket.close()).wasClean, 'the close was clean');
  });

  // ---- fixture: upgrade (FIXTURE 2)

  await check('fixture: a refused upgrade is no connection', async () => {
    await refused(`${fixture}/?unauthorized`);
    if (can('shared-hub')) equal(await peers(), [], 'peers');
  });

  if (client.answer) {
    await check('fixture: the 101 carries the headers of the upgrade hook', async () => {
      const socket = await join();
      const headers = await within('the headers', client.answer(socket.ws));
      equal(headers['x-powered-by'], 'cross-ws');
      equal(String(headers['set-cookie']), 'cross-ws=1; SameSite=None; Secure');
    });
  } else {
    checks.cannot('fixture: the 101 carries the headers of the upgrade hook');
  }

  await check('fixture: the subprotocol `supported` is selected', async () => {
    const socket = await join('/', { protocols: ['supported'] });
    equal(socket.ws.protocol, 'supported');
    socket.send('debug');
    equal(JSON.parse(await socket.next()).websocket.protocol, 'supported');
  });

  await check('fixture: no other subprotocol is', async () => {
    for (const protocol of ['unsupported', 'crossws']) {
      if (client.needsProtocol) {
        // RFC 6455 4.1 lets the server select none; this client then fails the connection.
        await refused(fixture, { protocols: [protocol] });
      } else {
        const socket = await join('/', { protocols: [protocol] });
        equal(socket.ws.protocol, '');
        socket.send('debug');
        equal(JSON.parse(await socket.next()).websocket.protocol, protocol);
        await socket.close();
      }
    }
  });

  // ---- fixture: messages (FIXTURE 4)

  await check('fixture: welcome, then `ping` gives `pong`, as text or binary', async () => {
    const socket = await join();
    socket.send('ping');
    socket.send(new TextEncoder().encode('ping'));
    await socket.expect('pong', 'pong');
  });

  await check('fixture: `binary` gives a binary message', async () => {
    const socket = await join();
    socket.send('binary');
    await socket.expect(new TextEncoder().encode('binary message works!'));
  });

  await check('fixture: `waitForDrain` gives `drained`', async () => {
    const socket = await join();
    socket.send('waitForDrain');
    await socket.expect('drained');
  });

  await check('fixture: anything else comes back as text', async () => {
    const socket = await join();
    for (const text of ['hello', 'żółć 🦀', '']) {
      socket.send(text);
      socket.send(new TextEncoder().encode(text));
      await socket.expect(text, text);
    }
  });

  await check('fixture: `debug` shows the peer and its request', async () => {
    const headers = client.headers ? { 'x-test': '1' } : undefined;
    const socket = await join('/?foo=bar', { headers });
    socket.send('debug');
    const debug = JSON.parse(await socket.next());
    equal(debug.id, socket.id, 'id');
    if (can('remote-addr')) {
      assert(['127.0.0.1', '::1'].includes(debug.remoteAddress), `${debug.remoteAddress} is local`);
    }
    assert(debug.bufferedAmount >= 0, 'bufferedAmount is a number');
    equal(debug.context, { test: '1' }, 'context');
    equal(debug.request.url, `${fixture}/?foo=bar`, 'request.url');
    equal(debug.request.headers.host, new URL(fixture).host, 'host');
    equal(debug.request.headers.connection.toLowerCase(), 'upgrade', 'connection');
    equal(debug.request.headers['x-test'], headers?.['x-test'], 'x-test');
    const { readyState, protocol, extensions, url } = debug.websocket;
    equal(readyState, 1, 'websocket.readyState');
    equal(protocol, '', 'websocket.protocol');
    equal(url, `${fixture.replace(/^http/, 'ws')}/?foo=bar`, 'websocket.url');
    // All these clients offer it. Whether or not the server accepts it, the text begins like this.
    equal(extensions.slice(0, 42), 'permessage-deflate; client_max_window_bits', 'extensions');
  });

  // ---- fixture: publish and subscribe (FIXTURE 1, 3, 4, 5)

  await check('fixture: a message reaches the other peer once, its sender once', 'pubsub', async () => {
    const [first, second] = await pair();
    first.send('hello from the first');
    await first.expect('hello from the first');
    await second.expect('hello from the first');
    second.send('żółć 🦀');
    await second.expect('żółć 🦀');
    await first.expect('żółć 🦀');
    await settled(first, second);
  });

  await check('fixture: a namespace hears nothing of another', 'pubsub', async () => {
    const [first, second] = await pair();
    const other = await join('/ns1');
    first.send('only for /');
    await first.expect('only for /');
    await second.expect('only for /');
    await settled(first, second, other);
  });

  await check('fixture: peers that ask for `peers` at once get equal lists', 'shared-hub', async () => {
    const sockets = await pair();
    const other = await join('/ns1');
    for (const socket of [...sockets, other]) socket.send('peers');
    const [one, two, third] = await Promise.all([...sockets, other].map((socket) => socket.next()));
    equal(one, two, 'lists');
    equal(JSON.parse(one).peers.sort(), sockets.map(({ id }) => id).sort());
    equal(JSON.parse(third).peers, [other.id]);
  });

  await check('fixture: GET /peers lists all, and not one that has closed', 'shared-hub', async () => {
    const [first, second] = await pair();
    const other = await join('/ns1');
    const all = [`/:${first.id}`, `/:${second.id}`, `/ns1:${other.id}`];
    equal((await peers()).sort(), all.sort());
    await first.close();
    equal((await peers()).sort(), all.filter((peer) => !peer.endsWith(first.id)));
    await second.close(4000, 'done');
    await other.close();
    equal(await peers(), []);
  });

  if (client.ordered) {
    await check('fixture: a peer that closed without waiting is gone at once', 'shared-hub', async () => {
      for (let round = 0; round < 20; round++) {
        const socket = await join();
        socket.ws.close();
        equal(await peers(), [], 'peers');
        await socket.close();
      }
    });
  } else {
    checks.cannot('fixture: a peer that closed without waiting is gone at once');
  }

  await check('fixture: GET /publish reaches every subscriber once', 'pubsub', async () => {
    const [first, second] = await pair();
    const other = await join('/ns1');
    const sockets = [first, second, other];
    await publish(fixture, 'chat', 'żółć & 100% 🦀');
    for (const socket of sockets) await socket.expect('żółć & 100% 🦀');
    await publish(fixture, 'nobody-listens', 'unheard');
    await settled(...sockets);
  });

  // ---- bare: no welcome and no replies (FIXTURE 7). So the test finds out whether a peer listens
  // by publishing until it does, and a second publish shows that the first arrived only once.

  async function listening(...paths) {
    const sockets = await Promise.all(paths.map((path) => connect(bare + path)));
    const heard = Promise.all(sockets.map((socket) => socket.peek()));
    let all = false;
    heard.then(() => (all = true));
    await until('all to listen', async () => {
      await publish(bare, 'chat', 'anyone?');
      return all;
    });
    return sockets;
  }

  async function next(socket) {
    let message;
    do message = await socket.next();
    while (message === 'anyone?');
    return message;
  }

  await check('bare: GET /publish reaches every namespace once', 'pubsub', async () => {
    const sockets = await listening('/ns1', '/ns2');
    await publish(bare, 'chat', 'broadcast');
    await publish(bare, 'room', 'the next one');
    for (const socket of sockets) {
      equal(await next(socket), 'broadcast');
      await socket.expect('the next one');
    }
  });

  await check('bare: a published object arrives as JSON text, for all alike', 'pubsub', async () => {
    const sockets = await listening('/ns1', '/ns1', '/ns2');
    equal((await client.get(`${bare}/publish-object`)).status, 200, 'status');
    await publish(bare, 'chat', 'the next one');
    for (const socket of sockets) {
      const object = await next(socket);
      equal(typeof object, 'string', 'kind of message');
      equal(JSON.parse(object), { hello: 'world' });
      await socket.expect('the next one');
    }
  });

  return { passed: checks.passed, failed: checks.failed };
}

