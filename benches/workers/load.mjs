// Loads one server for a while, as a separate process, and prints the result as JSON:
//
//   node load.mjs '{"url": "ws://…", "load": "echo", "clients": 16, "window": 8, "seconds": 3}'
//
// echo: each client keeps `window` messages in flight and waits for them to come back.
// chat: each client keeps `window` messages in flight to all others.
import WebSocket from 'ws';

const { url, load, clients: count, window, warm_up = 1, seconds = 3 } = JSON.parse(process.argv[2]);
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

const clients = await Promise.all(
  Array.from({ length: count }, () => new Promise((open, fail) => {
    const ws = new WebSocket(url, { perMessageDeflate: false, skipUTF8Validation: true });
    ws.on('open', () => open(ws)).on('error', fail);
    ws.on('close', (code) => stopping || fail(new Error(`closed with ${code}`)));
  })),
);
let stopping = false;
let delivered = 0;

if (load === 'echo') {
  for (const ws of clients) ws.on('message', () => (delivered++, ws.send(text)));
} else {
  // The first two characters name the sender. The next message follows once every client has this one.
  const arrived = clients.map(() => 0);
  for (const ws of clients) {
    ws.on('message', (data) => {
      delivered++;
      const from = (data[0] - 48) * 10 + data[1] - 48;
      if (++arrived[from] % (count - 1) === 0) clients[from].send(numbered(from));
    });
  }
}
const text = 'forty characters of text in each message';
const numbered = (from) => String(from).padStart(2, '0') + text.slice(2);
clients.forEach((ws, from) => {
  for (let sent = 0; sent < window; sent++) ws.send(load === 'echo' ? text : numbered(from));
});

await sleep(warm_up);
process.send?.('begin');
const [before, began] = [delivered, performance.now()];
await sleep(seconds);
process.send?.('end');
const rate = ((delivered - before) * 1000) / (performance.now() - began);
console.log(JSON.stringify({ rate, delivered: delivered - before }));
stopping = true;
process.exit(0);
