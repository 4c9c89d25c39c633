// Runs a built Worker (scripts/build-worker) in real workerd, through miniflare.
//
//   node tests/workerd/workerd.mjs OUT_DIR [--object BINDING=Class]... [--port N] [--evictable] [--awake]
//
// prints its address as one line, and ends with its caller or on SIGTERM, workerd with it.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Miniflare } from 'miniflare';
import workerd from 'workerd';

// A later date than workerd's own is refused; that of wrangler.toml in examples/worker-chat.
const compatibilityDate = '2026-04-20';

/** Where an evictable Worker is told to forget: nothing of ours answers there. */
const EVICT = '/.evict';

// workerd puts an object to sleep after ten idle seconds and cannot be asked to do so sooner. The
// JavaScript that worker-build puts around a crate can: told of a critical error, it makes a new
// Wasm instance and constructs every object anew before the next event, while sockets and their
// attachments stay. To the crate that is a wake-up. This module is put in front of it, so no Worker
// needs anything built in to be tested so.
const evictable = `
  import Worker from './index.js';
  export * from './index.js';
  export default {
    fetch(request, env, ctx) {
      if (new URL(request.url).pathname !== '${EVICT}') return new Worker(ctx, env).fetch(request);
      globalThis.__worker_init_state.criticalError = true;
      return new Response('evicted');
    },
  };`;

/**
 * Starts the Worker in `dir`, on a port of its own unless told one.
 *
 * objects    binding → class name; their storage is SQLite's and in memory
 * evictable  gives it `evict()`: every object is forgotten as if it had slept
 * listen     gets workerd's stdout and stderr, which are shown otherwise
 * awake      objects never sleep; otherwise they do after ten idle seconds, as on the platform
 */
export async function start(dir, { objects = {}, port = 0, evictable: can_evict, awake, listen } = {}) {
  const file = (name) => join(resolve(dir), name);
  const worker = [
    { type: 'ESModule', path: file('index.js') },
    { type: 'CompiledWasm', path: file('index_bg.wasm') },
  ];
  if (can_evict) worker.unshift({ type: 'ESModule', path: file('evictable.js'), contents: evictable });
  process.env.WORKERD = workerd.default;
  process.env.MINIFLARE_WORKERD_PATH = fileURLToPath(new URL('workerd.sh', import.meta.url));
  const miniflare = new Miniflare({
    modulesRoot: resolve(dir),
    modules: worker,
    compatibilityDate,
    host: '127.0.0.1',
    port,
    cf: false, // or it would be downloaded
    handleRuntimeStdio: listen,
    durableObjects: Object.fromEntries(
      Object.entries(objects).map(([binding, className]) => [
        binding,
        { className, useSQLite: true, unsafePreventEviction: Boolean(awake) },
      ]),
    ),
  });
  const { origin: url } = await miniflare.ready;
  return {
    url,
    stop: () => miniflare.dispose(),
    async evict() {
      const response = await fetch(url + EVICT);
      if ((await response.text()) !== 'evicted') throw new Error(`${url} was not started evictable`);
    },
  };
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      object: { type: 'string', multiple: true, default: [] },
      port: { type: 'string', default: '0' },
      evictable: { type: 'boolean' },
      awake: { type: 'boolean' },
    },
  });
  if (positionals.length !== 1) {
    console.error(/node tests.*/.exec(readFileSync(fileURLToPath(import.meta.url), 'utf8'))[0]);
    process.exit(2);
  }
  const objects = Object.fromEntries(values.object.map((pair) => pair.split('=')));
  const { url, stop } = await start(positionals[0], { ...values, objects, port: Number(values.port) });
  console.log(url);

  const end = () => stop().finally(() => process.exit(0));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, end);
  // A caller that was killed says nothing: its orphan would run on.
  const caller = process.ppid;
  setInterval(() => process.ppid === caller || end(), 500).unref();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
