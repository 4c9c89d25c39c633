// Measures this crossws, the TypeScript one, and Workers written by hand, in one workerd: see
// README.md.
//
//   node benches/workers/run.mjs OUT_DIR [--rounds N] [--seconds N] [--only LOAD]
import { fork } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import workerd from 'workerd';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string' },
  },
});
if (positionals.length !== 1) {
  console.error(/node benches.*/.exec(readFileSync(here('run.mjs'), 'utf8'))[0]);
  process.exit(2);
}

const loads = [
  { name: 'echo in an object, 1 client, one message at a time', path: '/echo', load: 'echo', clients: 1, window: 1 },
  { name: 'echo in an object, 16 clients, 8 messages each', path: '/echo', load: 'echo', clients: 16, window: 8 },
  { name: 'echo in a plain Worker, 16 clients, 8 messages each', path: '/plain', load: 'echo', clients: 16, window: 8 },
  { name: 'chat in an object, 32 clients, deliveries', path: '/chat', load: 'chat', clients: 32, window: 1 },
].filter(({ name }) => name.includes(values.only ?? ''));

const objects = Object.fromEntries(
  [['ECHO', 'EchoObject'], ['CHAT', 'ChatObject']].map(([binding, className]) => [binding, { className, useSQLite: true }]),
);
const rust = (name) => join(resolve(positionals[0]), name);
const bundled = async (entry) => {
  const options = { bundle: true, format: 'esm', write: false, minify: true, external: ['cloudflare:workers'] };
  const { outputFiles } = await build({ entryPoints: [here(entry)], conditions: ['workerd', 'worker'], ...options });
  return [{ type: 'ESModule', path: here(entry), contents: outputFiles[0].text }];
};
const servers = {
  rust: [{ type: 'ESModule', path: rust('index.js') }, { type: 'CompiledWasm', path: rust('index_bg.wasm') }],
  crossws: await bundled('typescript/crossws.mjs'),
  bare: await bundled('typescript/bare.mjs'),
};

process.env.WORKERD = workerd.default;
process.env.MINIFLARE_WORKERD_PATH = here('../../tests/workerd/workerd.sh'); // it ends with its caller
const miniflare = new Miniflare({
  cf: false, // otherwise it would be downloaded
  workers: Object.entries(servers).map(([name, modules]) => ({
    name,
    modules,
    modulesRoot: '/',
    compatibilityDate: '2026-04-20',
    durableObjects: objects,
    // Its own port, without miniflare's entry in between.
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  })),
});
await miniflare.ready;
const urls = {};
for (const name in servers) urls[name] = (await miniflare.unsafeGetDirectURL(name)).href.replace('http', 'ws').replace(/\/$/, '');

/** The process time that workerd has used, in seconds. */
function used() {
  const parents = new Map();
  let time = 0;
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${id}/stat`, 'utf8'));
      const fields = rest.split(' ');
      parents.set(Number(id), { name, parent: Number(fields[1]), time: (Number(fields[11]) + Number(fields[12])) / 100 });
    } catch {} // it has already ended
  }
  for (let { name, parent, time: its } of parents.values()) {
    if (!name.startsWith('workerd')) continue;
    while (parent > 1 && parent !== process.pid) parent = parents.get(parent)?.parent ?? 0;
    if (parent === process.pid) time += its;
  }
  return time;
}

/** One measurement: deliveries a second, and microseconds of workerd's process time for each. */
function measure(server, { path, ...load }) {
  const options = JSON.stringify({ url: urls[server] + path, seconds: Number(values.seconds), ...load });
  return new Promise((done, failed) => {
    const child = fork(here('load.mjs'), [options], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    let [from, to, said] = [0, 0, ''];
    child.on('message', (word) => (word === 'begin' ? (from = used()) : (to = used())));
    child.stdout.on('data', (part) => (said += part));
    child.on('close', (code) => {
      if (code) return failed(new Error(`the load on ${server} ended with ${code}`));
      const { rate, delivered } = JSON.parse(said);
      done({ rate, cpu: ((to - from) * 1e6) / delivered });
    });
  });
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const spread = (numbers) => (Math.max(...numbers) / Math.min(...numbers)).toFixed(2);
const rows = [];
for (const { name, ...load } of loads) {
  const results = Object.fromEntries(Object.keys(servers).map((server) => [server, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    // One after the other within each round, so that a slow minute of the machine affects all.
    for (const server in servers) results[server].push(await measure(server, load));
    process.stderr.write('.');
  }
  const of = (server, what) => median(results[server].map((result) => result[what]));
  const per_round = (what, over) => results.rust.map((result, round) => result[what] / results[over][round][what]);
  const names = Object.keys(servers);
  rows.push([
    name,
    ...names.map((server) => Math.round(of(server, 'rate')).toLocaleString('en')),
    ...names.map((server) => of(server, 'cpu').toFixed(1)),
    median(per_round('rate', 'crossws')).toFixed(2),
    median(per_round('cpu', 'crossws')).toFixed(2),
    spread(results.rust.map(({ rate }) => rate)),
  ]);
}
await miniflare.dispose();
process.stderr.write('\n');
const head = [
  '',
  ...['Rust', 'TypeScript', 'by hand'].map((server) => `${server}, messages/s`),
  ...['Rust', 'TypeScript', 'by hand'].map((server) => `${server}, µs`),
  'messages/s, Rust ÷ TypeScript',
  'µs, Rust ÷ TypeScript',
  'spread',
];
for (const row of [head, head.map((_, at) => (at ? '---:' : '---')), ...rows]) console.log(`| ${row.join(' | ')} |`);
