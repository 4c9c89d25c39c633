// The same echo and chat by hand, without a library: the best possible figures.
import { DurableObject } from 'cloudflare:workers';

class Sockets extends DurableObject {
  fetch() {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketClose(socket, code) {
    socket.close(code === 1005 ? 1000 : code);
  }
}

export class EchoObject extends Sockets {
  webSocketMessage(socket, message) {
    socket.send(message);
  }
}

export class ChatObject extends Sockets {
  webSocketMessage(socket, message) {
    for (const other of this.ctx.getWebSockets()) if (other !== socket) other.send(message);
  }
}

export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname !== '/plain') {
      const objects = pathname === '/chat' ? env.CHAT : env.ECHO;
      return objects.get(objects.idFromName('all')).fetch(request);
    }
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    server.addEventListener('message', ({ data }) => server.send(data));
    return new Response(null, { status: 101, webSocket: client });
  },
};
