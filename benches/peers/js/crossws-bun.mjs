// The TypeScript crossws on Bun.
import bunAdapter from 'crossws/adapters/bun';

import { answerVersion, listening, port, queue } from './app.mjs';
import { hooks, version } from './hooks.mjs';

answerVersion(`crossws ${version} (npm)`, `Bun ${Bun.version}`);

const adapter = bunAdapter({ hooks });
Bun.serve({
  port,
  hostname: '127.0.0.1',
  websocket: { ...adapter.websocket, backpressureLimit: queue, perMessageDeflate: false },
  fetch: (request, server) => adapter.handleUpgrade(request, server),
});
listening();
