// ws on Node. It has no topics: a publish is a loop over the members, as its documentation shows.
import { createRequire } from 'node:module';

import { WebSocketServer } from 'ws';

import { answerVersion, app, listening, port } from './app.mjs';

const { version } = createRequire(import.meta.url)('ws/package.json');
answerVersion(`ws ${version}`, `Node ${process.versions.node}`);

const topics = new Map();

const server = new WebSocketServer({ host: '127.0.0.1', port, perMessageDeflate: false });
server.on('listening', listening);
server.on('connection', (socket, request) => {
  const { echo, topic } = app(request.url);
  socket.on('error', () => {});
  if (echo) {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    return;
  }
  const members = topics.get(topic) ?? new Set();
  topics.set(topic, members.add(socket));
  socket.on('close', () => members.delete(socket));
  socket.on('message', (data, binary) => {
    for (const member of members) if (member !== socket) member.send(data, { binary });
  });
  socket.send('ready');
});
