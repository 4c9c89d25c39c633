// The same echo and chat with the TypeScript crossws, written as in its documentation.
import { DurableObject } from 'cloudflare:workers';
import crossws from 'crossws/adapters/cloudflare';

const echo_hooks = {
  message(peer, message) {
    peer.send(message.text());
  },
};
const chat_hooks = {
  open(peer) {
    peer.subscribe('talk');
  },
  message(peer, message) {
    peer.publish('talk', message.text());
  },
};

const echo = crossws({ bindingName: 'ECHO', hooks: echo_hooks });
const chat = crossws({ bindingName: 'CHAT', hooks: chat_hooks });
const plain = crossws({ resolveDurableStub: () => undefined, hooks: echo_hooks });

const object_of = (ws) =>
  class extends DurableObject {
    constructor(ctx, env) {
      super(ctx, env);
      ws.handleDurableInit(this, ctx, env);
    }
    fetch(request) {
      return ws.handleDurableUpgrade(this, request);
    }
    webSocketMessage(client, message) {
      return ws.handleDurableMessage(this, client, message);
    }
    webSocketPublish(topic, message, options) {
      return ws.handleDurablePublish(this, topic, message, options);
    }
    webSocketClose(client, code, reason, wasClean) {
      return ws.handleDurableClose(this, client, code, reason, wasClean);
    }
  };
export class EchoObject extends object_of(echo) {}
export class ChatObject extends object_of(chat) {}

export default {
  fetch(request, env, ctx) {
    if (request.headers.get('upgrade') !== 'websocket') return new Response('not a WebSocket', { status: 426 });
    const { pathname } = new URL(request.url);
    const ws = pathname === '/plain' ? plain : pathname === '/chat' ? chat : echo;
    return ws.handleUpgrade(request, env, ctx);
  },
};
