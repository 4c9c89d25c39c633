// The TypeScript crossws on Node.
import { createServer } from 'node:http';

import nodeAdapter from 'crossws/adapters/node';

import { answerVersion, listening, port } from './app.mjs';
import { hooks, version } from './hooks.mjs';

answerVersion(`crossws ${version} (npm)`, `Node ${process.versions.node}`);

const adapter = nodeAdapter({ hooks });
const server = createServer((_, response) => response.writeHead(404).end());
server.on('upgrade', adapter.handleUpgrade);
server.listen(port, '127.0.0.1', listening);
