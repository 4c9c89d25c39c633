// The WebSocket of Node itself (before Node 22: with --experimental-websocket).
import { get, main } from './node.mjs';

await main({
  name: 'Node WebSocket',
  headers: true, // an addition of Node's to the web's constructor
  needsProtocol: true,
  ordered: !process.env.TLS, // encrypted, Node writes later than it is told to
  get,
  open: (url, { protocols = [], headers }) => new WebSocket(url, { protocols, headers }),
});
