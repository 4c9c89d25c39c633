// npm's `ws`: the most used WebSocket client of Node.
import WebSocket from 'ws';
import { get, main } from './node.mjs';

await main({
  name: 'npm ws',
  headers: true,
  needsProtocol: true,
  ordered: !process.env.TLS, // encrypted, Node writes later than it is told to
  get,
  open(url, { protocols = [], headers }) {
    const ws = new WebSocket(url, protocols, { headers });
    ws.on('upgrade', (response) => (ws.answered = response.headers));
    return ws;
  },
  ping(ws, text) {
    const pong = new Promise((done) => ws.once('pong', (data) => done(data.toString())));
    ws.ping(text);
    return pong;
  },
  answer: async (ws) => ws.answered,
});
