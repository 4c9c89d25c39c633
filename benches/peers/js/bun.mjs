// Bun's own server, with its native publish.
import { answerVersion, app, listening, port, queue } from './app.mjs';

answerVersion(`Bun ${Bun.version}`);

Bun.serve({
  port,
  hostname: '127.0.0.1',
  fetch(request, server) {
    const data = app(new URL(request.url).pathname);
    if (!server.upgrade(request, { data })) return new Response(null, { status: 404 });
  },
  websocket: {
    backpressureLimit: queue,
    perMessageDeflate: false,
    open(socket) {
      if (socket.data.echo) return;
      socket.subscribe(socket.data.topic);
      socket.send('ready');
    },
    message(socket, message) {
      if (socket.data.echo) socket.send(message);
      else socket.publish(socket.data.topic, message);
    },
  },
});
listening();
