// The hooks of the TypeScript crossws, for both runtimes.
import { readFileSync } from 'node:fs';

import { app } from './app.mjs';

const manifest = new URL('node_modules/crossws/package.json', import.meta.url);
export const { version } = JSON.parse(readFileSync(manifest));

export const hooks = {
  upgrade(request) {
    return { namespace: 'bench', context: app(new URL(request.url).pathname) };
  },
  open(peer) {
    if (peer.context.echo) return;
    peer.subscribe(peer.context.topic);
    peer.send('ready');
  },
  message(peer, message) {
    const data = message.rawData;
    if (peer.context.echo) peer.send(data);
    else peer.publish(peer.context.topic, data);
  },
};
