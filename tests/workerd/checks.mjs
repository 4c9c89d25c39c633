// Checks what only a hibernating Worker must do, with the probe (tests/workerd/probe) in real
// workerd. The conformance suite, which runs in workerd too, covers what every adapter must do.
//
//   node tests/workerd/checks.mjs OUT_DIR
//
// Checks of `check_both` run twice, the second time with the object evicted before every command.
import { createRequire } from 'node:module';
import { Checks, assert, equal, until, within } from '../clients/script.mjs';
import { start } from './workerd.mjs';

const require = createRequire(new URL('../clients/package.json', import.meta.url));
const WebSocket = require('ws');

// The output of workerd and the Worker is full of panics that the checks cause.
let said = '';
const listen = (...streams) => streams.forEach((stream) => stream.on('data', (part) => (said += part)));
const server = await start(process.argv[2], { objects: { PROBE: 'Probe', QUICK: 'Quick', BRIEF: 'Brief', KEPT: 'Kept', LOOPED: 'Looped', SILENT: 'Silent' }, evictable: true, listen });
const closed_door = 'an object is reached through `crossws::worker::Objects`';
let asleep = false;
let spaces = 0;

const rest = (ms) => new Promise((done) => setTimeout(done, ms));

/** Makes the object forget all that is not stored, if that is what is being tried. */
const nap = () => (asleep ? server.evict() : undefined);

/** A client of the probe that gives orders. */
class Client {
  #inbox = [];
  #wake = () => {};
  constructor(ws) {
    this.ws = ws;
    ws.on('message', (data, binary) => {
      this.#inbox.push(binary ? new Uint8Array(data) : data.toString());
      this.#wake();
    });
    ws.on('upgrade', ({ headers }) => (this.headers = headers));
    this.closed = new Promise((closed) => {
      ws.on('close', (code, reason) => closed({ code, reason: reason.toString() }));
    });
  }
  static async open(path, { protocols = [], ...options } = {}) {
    const client = new Client(new WebSocket(server.url.replace('http', 'ws') + path, protocols, options));
    // The server's close frame. Whatever the Worker's language, workerd may leave the connection
    // itself open for long after a close that did not come from a handler of the same socket. It may have
    // come with the response to the upgrade.
    client.told = new Promise((told) => client.ws.on('open', () => {
      client.ws._receiver.on('conclude', (code, reason) => told({ code, reason: reason.toString() }));
    }));
    await within(`${path} to open`, new Promise((opened, failed) => client.ws.on('open', opened).on('error', failed)));
    client.ws.on('error', () => {});
    client.id = (await client.next()).replace('open ', '');
    return client;
  }
  async next() {
    if (!this.#inbox.length) await within('a message', new Promise((wake) => (this.#wake = wake)));
    return this.#inbox.shift();
  }
  /** Gives an order and returns the answer. */
  async ask(order) {
    await nap();
    this.ws.send(order);
    return this.next();
  }
  async tell(...orders) {
    for (const order of orders) equal(await this.ask(order), 'done', order);
  }
  async state() {
    return JSON.parse(await this.ask('state'));
  }
  /** What came before the answer to this order, and is not an answer, would be found here. */
  async quiet(what) {
    equal(await this.ask('still there?'), 'still there?', what);
  }
  async close(...code) {
    this.ws.close(...code);
    return within('the close to be answered', this.closed);
  }
}

/** The answer to an upgrade that is no 101. */
function refusal(path, headers) {
  const ws = new WebSocket(server.url.replace('http', 'ws') + path, { headers });
  return within(`${path} to be refused`, new Promise((answered, failed) => {
    ws.on('open', () => failed(new Error(`${path} was accepted`)));
    ws.on('error', failed);
    ws.on('unexpected-response', async (_, response) => {
      let body = '';
      for await (const part of response) body += part;
      answered({ status: response.statusCode, headers: response.headers, body });
    });
  }));
}

async function get(path) {
  await nap();
  const response = await fetch(server.url + path);
  return { status: response.status, text: await response.text() };
}

async function publish(namespace, topic, text, other = {}) {
  const query = new URLSearchParams({ topic, text, ...(namespace && { namespace }), ...other });
  const { status, text: told } = await get(`/publish?${query}`);
  equal(status, 200, `publish: ${told}`);
  return Number(told);
}

const checks = new Checks('workerd');
const check = (name, body) => checks.check(name, () => body(`/room${++spaces}`));

/** Once as it is, once with an object that sleeps before every order. */
async function check_both(name, body) {
  await check(name, body);
  asleep = true;
  await check(`${name} (asleep)`, body);
  asleep = false;
}

// ---- The upgrade

await check('a forged internal request is an ordinary one', async (room) => {
  const forged = {
    'crossws-ticket': JSON.stringify({ id: '00000000-0000-4000-8000-000000000000', namespace: '/forged' }),
    'crossws-command': JSON.stringify({ Peers: { namespace: null } }),
    'x-crossws-command': 'close',
  };
  const client = await Client.open(room, { headers: forged });
  const state = await client.state();
  equal(state.namespace, room);
  assert(!state.id.startsWith('00000000'), 'the id was not taken over');
  const response = await fetch(`${server.url}${room}`, { method: 'POST', headers: forged });
  equal([response.status, await response.text()], [404, 'not found']);
  assert((await refusal(`${room}?refuse`, forged)).status === 401, 'a forged request is refused like any');
  await client.close();
});

await check('an object obeys no client whose requests an app forwards to it', async (room) => {
  const client = await Client.open(room);
  const command = JSON.stringify({ to: 'everyone', act: { send: { text: true, topics: null } } });
  const ticket = JSON.stringify({ i: '12345678-1234-4123-8123-123456789abc', n: room, u: room });
  const forward = (to) => `/forward?${new URLSearchParams({ object: room, ...to })}`;
  for (const to of [{}, { to: 'http://crossws.internal/' }]) {
    // In local development a client may write `Request.cf`, but it does not know the object's id.
    for (const mark of [undefined, 'true', room, '0'.repeat(64)]) {
      const headers = mark ? { 'mf-cf-blob': JSON.stringify({ crossws: mark }) } : {};
      const response = await fetch(server.url + forward(to), {
        method: 'POST',
        headers: { ...headers, 'crossws-command': command },
        body: 'forged',
      });
      equal([response.status, await response.text()], [404, closed_door], 'a command');
      const { status, body } = await refusal(forward(to), { ...headers, 'crossws-ticket': ticket });
      equal([status, body], [404, closed_door], 'a ticket');
    }
  }
  await client.quiet('no command was obeyed');
  equal((await client.state()).peers, 1, 'no ticket was obeyed');
  // The object recognizes the id.
  const { text: id } = await get(`/id?${new URLSearchParams({ object: room })}`);
  const known = { 'mf-cf-blob': JSON.stringify({ crossws: id }), 'crossws-command': command };
  equal((await fetch(server.url + forward(), { method: 'POST', headers: known, body: 'known' })).status, 200);
  equal(await client.next(), 'known');
  await client.close();
});

await check('an id chosen in the upgrade is the peer\'s, and no other\'s at a time', async (room) => {
  const id = '12345678-1234-4123-8123-123456789abc';
  const client = await Client.open(`${room}?id=${id}`);
  equal([client.id, (await client.state()).id], [id, id]);
  equal((await refusal(`${room}?id=${id}`)).status, 409, 'while it is in use');
  await client.close();
  const again = await Client.open(`${room}?id=${id}`);
  equal(again.id, id);
  await again.close();
});

// ---- Which object

await check_both('one object for all: namespaces stay apart, and a publish may reach each', async (room) => {
  const clients = [await Client.open(`/one${room}/a`), await Client.open(`/one${room}/b`)];
  for (const client of clients) await client.tell('subscribe news');
  equal(await publish(`/one${room}/a`, 'news', 'to a', { kind: 'one' }), 1);
  equal(await publish(undefined, 'news', 'to all', { kind: 'one', object: 'the one' }), 2);
  equal([await clients[0].next(), await clients[0].next()], ['to a', 'to all']);
  equal(await clients[1].next(), 'to all');
  await Promise.all(clients.map((client) => client.close()));
});

await check_both('the request may choose the object, which a publish then has to name', async (room) => {
  const path = `/by-request${room}`;
  const [here, there] = [`${room}-here`, `${room}-there`];
  const clients = [];
  for (const object of [here, here, there]) {
    clients.push(await Client.open(`${path}?object=${encodeURIComponent(object)}`));
    await clients.at(-1).tell('subscribe news');
  }
  equal((await clients[0].state()).peers, 2, 'peers of one namespace, in this object');
  equal(await publish(undefined, 'news', 'here', { kind: 'by-request', object: here }), 2);
  equal([await clients[0].next(), await clients[1].next()], ['here', 'here']);
  await clients[2].quiet('another object of the same namespace');
  const { status, text } = await get(`/count?kind=by-request&namespace=${path}&topic=news`);
  assert(status === 400 && /sharded by request/.test(text), `a namespace alone: ${status} ${text}`);
  await Promise.all(clients.map((client) => client.close()));
});

// ---- What outlives a sleep

await check_both('of the request\'s headers those are kept that the options name', async (room) => {
  const client = await Client.open(room, { headers: { 'x-kept': 'one', 'x-lost': 'two' } });
  await client.tell('subscribe news');
  const { headers } = await client.state();
  equal(headers['x-kept'], 'one');
  // Until a sleep the object still has the headers of the upgrade.
  if (asleep) equal(headers['x-lost'] ?? null, null);
  await client.close(1000);
});

await check('the hooks are made anew when the object wakes', async (room) => {
  const client = await Client.open(room);
  equal([(await client.state()).obeyed, (await client.state()).obeyed], [1, 2]);
  await server.evict();
  equal((await client.state()).obeyed, 1);
  await client.close();
});

await check_both('a Worker publishes, lists, counts and closes, in several objects', async (room) => {
  const clients = [await Client.open(`${room}/a`), await Client.open(`${room}/b`)];
  for (const client of clients) await client.tell('subscribe news');
  equal(await publish(`${room}/a`, 'news', 'to a'), 1);
  equal(await publish(`${room}/b`, 'news', 'to b'), 1);
  equal([await clients[0].next(), await clients[1].next()], ['to a', 'to b']);
  equal(await publish(`${room}/c`, 'news', 'to nobody'), 0);
  const query = `namespace=${encodeURIComponent(`${room}/a`)}`;
  const [peer, ...others] = JSON.parse((await get(`/peers?${query}`)).text);
  equal([peer.id, peer.namespace, peer.topics, others.length], [clients[0].id, `${room}/a`, ['news'], 0]);
  equal((await get(`/count?${query}&topic=news`)).text, '1');
  await get(`/close?${query}`);
  equal((await within('the close', clients[0].told)).code, 1001);
  await clients[1].quiet('the other object was left alone');
  await clients[1].close();
});

await check_both('what outgrows the attachment is refused by name, and nothing else is lost', async (room) => {
  const client = await Client.open(room);
  await client.tell('subscribe news', 'context small');
  const answer = await client.ask('grow 20000');
  assert(/^refused: .*context/.test(answer), `the context is to blame: ${answer}`);
  const state = await client.state();
  equal([state.context, state.topics], ['small', ['news']]);
  await client.tell('grow 8000');
  equal((await client.state()).context.length, 8000);
  await client.close();
});

await check_both('topics that outgrow the attachment are refused by name, those before are kept', async (room) => {
  const client = await Client.open(room);
  const topic = (number) => `${number}-${'t'.repeat(240)}`;
  let answer = 'done';
  let kept = -1;
  while (answer === 'done') answer = await client.ask(`subscribe ${topic(++kept)}`);
  assert(kept > 40 && /^refused: .*topics/.test(answer), `after ${kept} topics: ${answer}`);
  await server.evict();
  equal((await client.state()).topics.length, kept);
  equal(await publish(room, topic(kept - 1), 'to the last'), 1);
  equal(await client.next(), 'to the last');
  equal(await publish(room, topic(kept), 'to none'), 0);
  await client.close();
});

await check_both('a long retained text outlives a sleep, each character of it', async (room) => {
  const [first, second] = [await Client.open(`/kept${room}`), await Client.open(`/kept${room}`)];
  const text = '🦀é'.repeat(17_066); // 100 KiB as UTF-8
  await first.tell(`retain news: ${text}`);
  assert((await second.ask('subscribe news')) === text, 'the text comes first, unchanged');
  equal(await second.next(), 'done');
  const answer = await first.ask(`retain news: ${'x'.repeat(121 << 10)}`);
  assert(/^refused: .*at most 122880 can be stored/.test(answer), answer);
  await Promise.all([first.close(), second.close()]);
});

await check('a start hook may clear what was retained before the sleep', async (room) => {
  const client = await Client.open(`/kept${room}`);
  await client.tell('retain cleared at the start: old', 'retain news: new');
  for (const sleep of [1, 2]) {
    await server.evict();
    await client.tell('subscribe cleared at the start');
    equal([await client.ask('subscribe news'), await client.next()], ['new', 'done'], `sleep ${sleep}`);
    equal([await client.ask('unsubscribe news'), await client.ask('unsubscribe cleared at the start')], ['true', 'true']);
  }
  await client.close();
});

await check_both('names too long for a key of the storage are refused, the namespace by its length', async (room) => {
  const namespace = `/kept${room}/`.padEnd(2021, 'n');
  const client = await Client.open(`/kept?${new URLSearchParams({ namespace })}`);
  await client.tell('subscribe a', 'retain ab: fits');
  const answer = await client.ask('retain abc: does not');
  assert(/^refused: not published: the names of the namespace \(2021 bytes\) and the topic \(3 bytes\)/.test(answer), answer);
  await client.close();
});

// ---- What the platform reports

await check_both('a client that breaks the protocol is an error, then a close', async (room) => {
  const watcher = await Client.open(room);
  await watcher.tell('subscribe ends');
  const client = await Client.open(room);
  await nap();
  client.ws._socket.write(Buffer.from([0x8b, 0x80, 0, 0, 0, 0])); // a frame of a reserved kind
  assert(/^error: /.test(await watcher.next()), 'an error comes first');
  assert(/^close /.test(await watcher.next()), 'then a close');
  equal((await within('the close', client.told)).code, 1002);
  client.ws.terminate();
  await watcher.quiet('nothing else');
  await watcher.close();
});

// ---- Panics, which this platform answers with a new instance

await check('a panic in a message hook takes no connection along, nor what is stored', async (room) => {
  const [guilty, other] = [await Client.open(room), await Client.open(room)];
  await other.tell('subscribe news', 'context kept');
  guilty.ws.send('panic');
  await until('the instance to be replaced', async () => (await get('/none')).status === 404);
  await other.quiet('the other peer goes on');
  const { topics, context } = await other.state();
  equal([topics, context], [['news'], 'kept']);
  for (const client of [guilty, other]) client.ws.terminate();
});

await check('an upgrade that panics does not leave its client hanging', async (room) => {
  const { status } = await refusal(`${room}?panic`);
  assert(status >= 500, `refused with ${status}`);
  const client = await Client.open(room);
  await client.quiet('the next upgrade is served');
  await client.close();
});

// ---- Time, which an alarm keeps so that the object may sleep

await check_both('an object with a loop does not start, and says why', async (room) => {
  await nap();
  const before = said.length;
  const { status, body } = await refusal(`/looped${room}`);
  equal([status, body], [503, 'the server has not started']);
  const log = () => said.slice(before).includes('this transport does not support a handler that owns the connection');
  await until('the reason to be in the log', log);
});

await check_both('a client that is silent for too long is closed, one that is heard is not', async (room) => {
  const [silent, heard] = [await Client.open(`/quick${room}`), await Client.open(`/quick${room}`)];
  await heard.tell('subscribe ends');
  await nap();
  let ends;
  silent.told.then((end) => (ends = end));
  for (const give_up = Date.now() + 12000; !ends && Date.now() < give_up; await rest(200)) {
    heard.ws.send('heartbeat'); // answered by the platform, and a sign of life nevertheless
  }
  equal(ends, { code: 3008, reason: 'silent for too long' });
  let message;
  do message = await heard.next();
  while (message === 'alive');
  equal(message, 'close 3008 "silent for too long" true');
  equal(heard.ws.readyState, WebSocket.OPEN, 'heartbeats count');
  await heard.close();
});

await check_both('a longest life ends with 1012', async (room) => {
  const client = await Client.open(`/brief${room}`);
  await nap();
  equal(await within('the close', client.told), { code: 1012, reason: 'connection expired' });
});

await check_both('credentials that end close with 4401, and time is who closed', async (room) => {
  const watcher = await Client.open(room);
  await watcher.tell('subscribe by');
  const client = await Client.open(`${room}?expires=2000`);
  await nap();
  equal(await within('the close', client.told), { code: 4401, reason: 'credentials expired' });
  await nap();
  equal(await watcher.next(), '4401 by Timeout');
  equal((await watcher.state()).peers, 1, 'peers left');
  await watcher.close();
});

await check_both('renewed credentials keep the connection, and may be made to end sooner', async (room) => {
  const client = await Client.open(`${room}?expires=6000`);
  await client.tell('renew 60000');
  await rest(6500); // past the first end
  await client.quiet('it goes on');
  await client.tell('renew 300');
  await nap();
  equal((await within('the close', client.told)).code, 4401);
});

await check('credentials that have ended admit no client', async (room) => {
  const ws = new WebSocket(`${server.url.replace('http', 'ws')}${room}?expires=0`);
  const heard = [];
  ws.on('message', (data) => heard.push(data.toString()));
  const code = await within('the close', new Promise((closed) => ws.on('close', closed)));
  equal([code, heard], [4401, []]);
  const client = await Client.open(room);
  equal((await client.state()).peers, 1, 'peers');
  await client.close();
});

await check('a plain Worker keeps the time too', async () => {
  const client = await Client.open('/plain?expires=60000');
  await client.tell('renew 500');
  equal(await within('the close', client.told), { code: 4401, reason: 'credentials expired' });
});

// ---- Event streams

/** A client of an event stream, which gives its orders by posts. */
class Stream {
  #read = '';
  static async open(path, headers = {}) {
    const stream = new Stream();
    stream.url = server.url + path;
    stream.gone = new AbortController();
    const response = await fetch(stream.url, { headers: { accept: 'text/event-stream', ...headers }, signal: stream.gone.signal });
    equal(response.status, 200, path);
    stream.reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    stream.first = await stream.event();
    if (stream.first.event === 'open') stream.opened = JSON.parse(stream.first.data);
    return stream;
  }
  /** The next event with data, as its fields. */
  async event() {
    for (;;) {
      const end = this.#read.indexOf('\n\n');
      if (end < 0) {
        const { done, value } = await within('an event', this.reader.read());
        assert(!done, 'the stream goes on');
        this.#read += value;
        continue;
      }
      const lines = this.#read.slice(0, end).split('\n').map((line) => line.split(/: (.*)/s));
      this.#read = this.#read.slice(end + 2);
      const event = Object.fromEntries(lines);
      if (event.id) this.last = event.id;
      if ('data' in event) return event;
    }
  }
  async next() {
    return (await this.event()).data;
  }
  async post(text, secret = this.opened.secret, path = this.url) {
    const response = await fetch(path, { method: 'POST', body: text, headers: { authorization: `Bearer ${secret}` } });
    return response.status;
  }
  async ask(order) {
    equal(await this.post(order), 204, order);
    return this.next();
  }
  leave() {
    this.gone.abort();
  }
}

await check('a stream lives in the object of its namespace, among its sockets', async (room) => {
  // The namespace is the hook's choice, and not the path.
  const path = `/streams${room}?namespace=${room}`;
  const [stream, socket] = [await Stream.open(path), await Client.open(path)];
  equal(await stream.next(), `open ${stream.opened.id}`);
  equal(await stream.ask('subscribe news'), 'done');
  equal(await socket.ask('publish news from a socket'), 'done');
  equal(await stream.next(), 'from a socket');
  equal(await publish(room, 'news', 'from outside'), 1);
  equal(await stream.next(), 'from outside');
  equal((await socket.state()).peers, 2, 'peers');
  await socket.tell('subscribe ends');
  stream.leave();
  await socket.close();
});

await check('a stream that is cut goes on after its last event, in the same connection', async (room) => {
  const stream = await Stream.open(`/streams${room}`);
  await stream.next();
  equal(await stream.ask('subscribe news'), 'done');
  stream.leave();
  equal(await publish(`/streams${room}`, 'news', 'missed'), 1);
  const again = await Stream.open(`/streams${room}`, { 'last-event-id': stream.last });
  equal(again.first.data, 'missed');
  again.opened = stream.opened;
  equal(JSON.parse(await again.ask('state')).topics, ['news']);
  again.leave();
});

await check('a key reaches its own connection, in its own object', async (room) => {
  const [ann, bob] = [await Stream.open(`/streams${room}/a`), await Stream.open(`/streams${room}/b`)];
  await ann.next();
  const { secret } = ann.opened;
  const [object, key] = secret.split('~');
  const [other, its] = bob.opened.secret.split('~');
  assert(object !== other, 'each is in an object of its own');
  const forged = object.replace(/./g, 'a');
  for (const wrong of ['', object, key, `~${key}`, `${object}~`, `${object}~${its}`, `${other}~${key}`, `${forged}~${key}`, `${object}~${key}A`]) {
    equal(await ann.post('forged', wrong), 401, wrong);
  }
  equal(await ann.post('elsewhere', secret, bob.url), 401, 'of another path');
  for (const last of ['', `${other}~${ann.last.split('~')[1]}`, `${forged}~${key}.1`, ann.last.replace(/\d+$/, '99')]) {
    const stream = await Stream.open(`/streams${room}/a`, { 'last-event-id': last });
    equal(stream.first.event, 'open', `a new connection after ${last}`);
    stream.leave();
  }
  // Its own, which the last of these has ended: what it had missed was not there.
  equal(await ann.post('late'), 401);
  ann.leave();
  bob.leave();
});

await check('an object with a stream stays awake', async (room) => {
  const stream = await Stream.open(`/streams${room}`);
  await stream.next();
  equal(await (await fetch(`${server.url}/.evict`)).text(), 'busy');
  stream.leave();
});

await check('the client of a stream that leaves is noticed by a comment', async (room) => {
  const path = `/kept${room}`;
  const [stream, socket] = [await Stream.open(path), await Client.open(path)];
  await stream.next();
  await socket.tell('subscribe ends');
  stream.leave();
  equal(await socket.next(), 'close 1006 "" false');
  equal((await socket.state()).peers, 1, 'peers');
  await socket.close();
});

await check('a peer has the same bounds over a stream as over a socket', async () => {
  const large = { 'x-kept': 'x'.repeat(17_000) };
  equal((await refusal('/streams/large', large)).status, 431);
  const response = await fetch(`${server.url}/streams/large`, { headers: { accept: 'text/event-stream', ...large } });
  equal(response.status, 431);
});

// ---- A Worker's own streams

const open_streams = async () => Number((await get('/ticks/open')).text);

await check('a stream of the Worker is written as its function says', async () => {
  const stream = await Stream.open('/ticks?every=10');
  equal([stream.first.data, await stream.next(), await stream.next()], ['0', '1', '2']);
  equal(await open_streams(), 1);
  stream.leave();
  await until('the function to be dropped', async () => (await open_streams()) === 0);
});

await check('a silent stream of the Worker whose client leaves is dropped with its next comment', async () => {
  for (let round = 0; round < 3; round++) {
    const streams = await Promise.all(Array.from({ length: 5 }, () => Stream.open('/ticks?count=1&every=0&comments=300')));
    equal(await open_streams(), 5);
    streams.forEach((stream) => stream.leave());
    await until('the functions to be dropped', async () => (await open_streams()) === 0);
  }
  // The instance goes on.
  const stream = await Stream.open('/ticks?every=10');
  equal(await stream.next(), '1');
  stream.leave();
  await until('the function to be dropped', async () => (await open_streams()) === 0);
});

// ---- Real sleep: the platform's own, after ten idle seconds

await check('a real sleep of some seconds keeps what a forced one keeps, and heartbeats do not disturb it', async (room) => {
  // The alarm for the first must not keep the object awake, and the alarm for the third must wake
  // it.
  const [first, second] = [await Client.open(`${room}?context=ctx&expires=3600000`), await Client.open(room)];
  const third = await Client.open(`${room}?expires=18000`);
  await first.tell('subscribe news', 'subscribe gone');
  await first.ask('unsubscribe gone');
  equal((await first.state()).obeyed, 4);
  for (let second = 0; second < 19; second++) {
    await rest(1000);
    first.ws.send('heartbeat');
    equal(await first.next(), 'alive');
  }
  equal((await within('the close', third.told)).code, 4401, 'of the third');
  equal(await publish(room, 'news', 'wake up'), 1);
  equal(await first.next(), 'wake up');
  const { obeyed, topics, context, peers } = await first.state();
  equal([obeyed, topics, context, peers], [1, ['news'], 'ctx', 2]);
  await second.tell('publish gone leak');
  await first.quiet('nothing of a topic that was left');
  equal(await first.close(4321, 'bye'), { code: 4321, reason: 'bye' });
  await second.close();
});

// ---- Last, because its object is busy for a minute, and evictions wait for that

await check('an object that does not answer is a 503', async (room) => {
  const { status, body } = await refusal(`/silent${room}`);
  equal([status, body], [503, 'the upgrade took too long']);
});

await server.stop();
if (checks.failed) console.log(`\n---- what workerd printed\n${said}----\n`);
console.log(`${checks.passed} passed, ${checks.failed} failed`);
process.exit(checks.failed ? 1 : 0);
