// Checks a Worker that one line defines (examples/worker-rooms): in workerd, awake and asleep, if OUT_DIR is what
// scripts/build-worker has built; or at the address of a running one, such as wrangler's.
//
//   node tests/workerd/rooms.mjs OUT_DIR
//   CHAT_URL=URL node tests/workerd/rooms.mjs
import { createRequire } from 'node:module';
import { Checks, Socket, equal, within } from '../clients/script.mjs';
import { start } from './workerd.mjs';

const WebSocket = createRequire(new URL('../clients/package.json', import.meta.url))('ws');
const [built] = process.argv.slice(2);
const server = built
  ? await start(built, { objects: { Rooms: 'Rooms' }, evictable: true })
  : { url: process.env.CHAT_URL, stop() {} };
const checks = new Checks('rooms');

async function join(path) {
  const socket = new Socket(new WebSocket(server.url.replace('http', 'ws') + path));
  equal(await within(`${path} to open`, socket.accepted), true, `${path} is accepted`);
  return socket;
}

await checks.check('a room is one object, and another room another', async () => {
  const [ann, bob, eve] = [await join('/rooms/a'), await join('/rooms/a'), await join('/rooms/b')];
  await ann.expect('here are 1');
  await bob.expect('here are 2');
  await eve.expect('here are 1');
  ann.send('hello');
  await bob.expect('hello');
  // An object forgets its hooks when it sleeps, and creates the app anew when it wakes.
  await server.evict?.();
  bob.send('hello yourself');
  await ann.expect('hello yourself');
  for (const socket of [ann, bob, eve]) await socket.close(1000);
});

await checks.check('what the app does not claim is not found', async () => {
  for (const path of ['/', '/rooms', '/rooms/a/b']) {
    equal(await within(path, new Socket(new WebSocket(server.url.replace('http', 'ws') + path)).accepted), false, path);
    const response = await fetch(server.url + path);
    equal([response.status, await response.text()], [404, 'not found'], path);
  }
});

await server.stop();
console.log(`${checks.passed} passed, ${checks.failed} failed`);
process.exit(checks.failed ? 1 : 0);
