// A JSON-RPC client from npm, against the example `rpc` at RPC_URL.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { JSONRPCClient, JSONRPCServer, JSONRPCServerAndClient, isJSONRPCResponse } from 'json-rpc-2.0';
import WebSocket from 'ws';

const socket = new WebSocket(process.env.RPC_URL);
await once(socket, 'open');

const rpc = new JSONRPCServerAndClient(
  new JSONRPCServer(),
  new JSONRPCClient((message) => socket.send(JSON.stringify(message))),
);
const texts = [];
socket.on('message', (data) => {
  texts.push(String(data));
  const message = JSON.parse(data);
  // Errors without an id belong to no request, and the client ignores them.
  if (message.id === null) return;
  rpc.receiveAndSend(message);
});

// Calls, one after the other and all at once.
assert.equal(await rpc.request('add', [40, 2]), 42);
const sums = Array.from({ length: 50 }, (_, n) => rpc.request('add', [n, 1]));
assert.deepEqual(await Promise.all(sums), Array.from({ length: 50 }, (_, n) => n + 1));

// Methods that end in another order than they began.
const ends = [];
await Promise.all([200, 10].map((n) => rpc.request('sleep', [n]).then(() => ends.push(n))));
assert.deepEqual(ends, [10, 200]);

// Errors, with the specification's codes and the application's.
const code = (method, params) => rpc.request(method, params).then(assert.fail, (error) => error.code);
assert.equal(await code('nothing', []), -32601);
assert.equal(await code('add', ['a']), -32602);
assert.equal(await code('order', { item: 'tea' }), -32602);
const most = '[9223372036854775807,1]';
socket.send(`{"jsonrpc":"2.0","method":"add","params":${most},"id":"raw"}`);
while (!texts.some((text) => text.includes('"raw"'))) await once(socket, 'message');
assert.equal(JSON.parse(texts.find((text) => text.includes('"raw"'))).error.code, 1);

// The server calls back while its method runs.
const asked = [];
rpc.addMethod('confirm', ([question]) => {
  asked.push(question);
  return question.startsWith('2');
});
assert.equal(await rpc.request('order', { item: 'tea', count: 2 }), 'ordered');
assert.equal(await rpc.request('order', { item: 'tea', count: 3 }), 'cancelled');
assert.deepEqual(asked, ['2 × tea?', '3 × tea?']);

// Notifications in both directions. The client's never get a reply.
const said = new Promise((done) => rpc.addMethod('said', done));
rpc.notify('nothing', []);
rpc.notify('say', { text: 'hello' });
assert.deepEqual(await said, { text: 'hello' });

// A batch, through the client's own API.
const batch = [
  { jsonrpc: '2.0', method: 'add', params: [1, 1], id: 'b1' },
  { jsonrpc: '2.0', method: 'say', params: ['x'] },
  { jsonrpc: '2.0', method: 'nothing', id: 'b2' },
];
rpc.addMethod('said', () => {});
socket.send(JSON.stringify(batch));
while (!texts.some((text) => text.startsWith('['))) await once(socket, 'message');
const answers = JSON.parse(texts.find((text) => text.startsWith('[')));
assert.ok(answers.every(isJSONRPCResponse));
assert.deepEqual(answers.map(({ id }) => id).sort(), ['b1', 'b2']);

assert.equal(texts.filter((text) => JSON.parse(text).id === null).length, 0);
socket.close(1000);
await once(socket, 'close');
console.log('json-rpc-2.0: done');
