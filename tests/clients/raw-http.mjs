// Node's plain HTTP client: the server's response, byte for byte, before a WebSocket client
// interprets it. FIXTURE 1 and 2.
import { createHash } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { get, urls } from './node.mjs';
import { Checks, assert, equal, until, within } from './script.mjs';

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** Asks for an upgrade; resolves with the answer, its headers and (for a refusal) its body. */
function upgrade(path, headers = {}) {
  const { request: ask } = urls.fixture.startsWith('https') ? https : http;
  const request = ask(urls.fixture + path, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': key,
      ...headers,
    },
  });
  request.end();
  const answer = new Promise((done, fail) => {
    request.on('error', fail);
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      done(response);
    });
    request.on('response', async (response) => {
      response.text = Buffer.concat(await response.toArray()).toString();
      done(response);
    });
  });
  return within(`the answer to ${path}`, answer);
}

const checks = new Checks('plain HTTP');
const shares = urls.capabilities?.includes('shared-hub') ?? true;

/** A check that asks who is connected. */
function check_peers(name, body) {
  return shares ? checks.check(name, body) : checks.lacks(name, 'shared-hub');
}

await checks.check('GET / is answered', async () => {
  equal((await get(urls.fixture)).status, 200);
});

await check_peers('GET /peers is an empty list of peers', async () => {
  const { status, type, text } = await get(`${urls.fixture}/peers`);
  equal(status, 200, 'status');
  assert(type.startsWith('application/json'), `content type ${type} is JSON`);
  equal(JSON.parse(text), { peers: [] });
});

await checks.check('a refused upgrade is the whole answer of the hook', async () => {
  for (const path of ['/?unauthorized', '/ns1?unauthorized']) {
    const { statusCode, statusMessage, headers, text } = await upgrade(path);
    equal(`${statusCode} ${statusMessage}`, '401 Unauthorized');
    equal(text, 'unauthorized', 'body');
    equal(headers['x-error'], 'unauthorized', 'x-error');
    equal(headers['www-authenticate'], 'Bearer realm="crossws"', 'www-authenticate');
    assert(headers['content-type']?.startsWith('text/plain'), 'content-type is text/plain');
  }
});

await checks.check('an accepted upgrade is a whole 101', async () => {
  const { statusCode, headers } = await upgrade('/');
  equal(statusCode, 101);
  equal(headers['sec-websocket-accept'], accept, 'sec-websocket-accept');
  equal(headers.connection?.toLowerCase(), 'upgrade', 'connection');
  equal(headers.upgrade?.toLowerCase(), 'websocket', 'upgrade');
  equal(headers['x-powered-by'], 'cross-ws', 'x-powered-by');
  equal(headers['set-cookie'], ['cross-ws=1; SameSite=None; Secure'], 'set-cookie');
});

await checks.check('only the subprotocol `supported`, offered alone, is selected', async () => {
  const offers = { supported: 'supported', unsupported: undefined, crossws: undefined };
  for (const [offer, selected] of [...Object.entries(offers), ['unsupported, supported']]) {
    const { statusCode, headers } = await upgrade('/', { 'sec-websocket-protocol': offer });
    equal(statusCode, 101, offer);
    equal(headers['sec-websocket-protocol'], selected, `answer to ${offer}`);
  }
});

await check_peers('a connection cut off leaves no peer behind', async () => {
  await until('no peer to be left', async () => {
    const { text } = await get(`${urls.fixture}/peers`);
    return JSON.parse(text).peers.length === 0;
  });
});

process.exitCode = checks.failed ? 1 : 0;
