// Runs a built Worker (scripts/build-worker) in real workerd, through miniflare.
//
//   node tests/workerd/workerd.mjs OUT_DIR [--object BINDING=Class]... [--var NAME=value]... [--port N] [--evictable] [--awake]
//
// prints its address as one line. It ends with its caller or on SIGTERM, together with workerd.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Miniflare } from 'miniflare';
import workerd from 'workerd';

// workerd refuses a date later than its own. This is the date of wrangler.toml in
// examples/worker-chat.
const compatibilityDate = '2026-04-20';

/** Where an evictable Worker is told to forget: nothing of ours answers there. */
const EVICT = '/.evict';

// workerd puts an object to sleep after ten idle seconds and cannot be asked to do so sooner. The
// JavaScript that worker-build puts around a crate can: after a critical error, it creates a new
// Wasm instance and constructs every object anew before the next event, while sockets and their
// attachments stay. For the crate that is a wake-up. This module is put in front of it, so that a
// Worker needs no additions to be tested in this way.
//
// Like the platform it spares busy objects: an event in flight or a pending timer, which is how a
// hook waits, keeps every object awake. Unfinished work of an earlier instance does not count.
const evictable = (classes) => `
  import * as inner from './index.js';
  export * from './index.js';

  const state = globalThis.__worker_init_state;
  const working = new Set();

  function counted(call) {
    const work = {};
    working.add(work);
    const end = () => working.delete(work);
    try {
      const result = call();
      work.instance = state.instanceId;
      Promise.resolve(result).then(end, end);
      return result;
    } catch (error) {
      end();
      throw error;
    }
  }

  const { setTimeout, clearTimeout } = globalThis;
  const timers = new Set();
  globalThis.setTimeout = (call, ...rest) => {
    const timer = Number(setTimeout(() => (timers.delete(timer), call()), ...rest));
    timers.add(timer);
    return timer;
  };
  globalThis.clearTimeout = (timer) => (timers.delete(Number(timer)), clearTimeout(timer));

  const events = ['fetch', 'alarm', 'webSocketMessage', 'webSocketClose', 'webSocketError'];
  for (const { prototype } of [${classes.map((name) => `inner.${name}`)}]) {
    for (const event of events.filter((event) => event in prototype)) {
      // It stays async or not, which worker-build checks.
      prototype[event] = new Proxy(prototype[event], {
        apply: (handler, object, args) => counted(() => handler.apply(object, args)),
      });
    }
  }

  function evict(ctx, env) {
    const busy = [...working].some(({ instance }) => instance === state.instanceId);
    if (busy || timers.size) return 'busy';
    state.criticalError = true;
    new inner.default(ctx, env); // which takes notice
    return 'evicted';
  }

  export default {
    fetch(request, env, ctx) {
      if (new URL(request.url).pathname === '${EVICT}') return new Response(evict(ctx, env));
      return counted(() => new inner.default(ctx, env).fetch(request));
    },
  };`;

/**
 * Starts the Worker in `dir`, on a port of its own unless told one.
 *
 * objects    binding → class name; their storage is SQLite's and in memory
 * vars       name → text, for the Worker's `Env`
 * evictable  gives it `evict()`: every object is forgotten as if it had slept, once none works
 * listen     gets workerd's stdout and stderr, which are shown otherwise
 * awake      objects never sleep; otherwise they do after ten idle seconds, as on the platform
 */
export async function start(dir, { objects = {}, vars = {}, port = 0, evictable: can_evict, awake, listen } = {}) {
  const file = (name) => join(resolve(dir), name);
  const worker = [
    { type: 'ESModule', path: file('index.js') },
    { type: 'CompiledWasm', path: file('index_bg.wasm') },
  ];
  if (can_evict) worker.unshift({ type: 'ESModule', path: file('evictable.js'), contents: evictable(Object.values(objects)) });
  process.env.WORKERD = workerd.default;
  process.env.MINIFLARE_WORKERD_PATH = fileURLToPath(new URL('workerd.sh', import.meta.url));
  const miniflare = new Miniflare({
    modulesRoot: resolve(dir),
    modules: worker,
    compatibilityDate,
    host: '127.0.0.1',
    port,
    cf: false, // otherwise it would be downloaded
    handleRuntimeStdio: listen,
    bindings: vars,
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
      let answer = 'busy';
      for (const late = Date.now() + 10_000; answer === 'busy' && Date.now() < late; ) {
        answer = await (await fetch(url + EVICT)).text();
      }
      if (answer !== 'evicted') throw new Error(`no eviction: ${answer}`);
    },
  };
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      object: { type: 'string', multiple: true, default: [] },
      var: { type: 'string', multiple: true, default: [] },
      port: { type: 'string', default: '0' },
      evictable: { type: 'boolean' },
      awake: { type: 'boolean' },
    },
  });
  if (positionals.length !== 1) {
    console.error(/node tests.*/.exec(readFileSync(fileURLToPath(import.meta.url), 'utf8'))[0]);
    process.exit(2);
  }
  const pairs = (list) => Object.fromEntries(list.map((pair) => pair.split('=')));
  const [objects, vars] = [pairs(values.object), pairs(values.var)];
  const { url, stop } = await start(positionals[0], { ...values, objects, vars, port: Number(values.port) });
  console.log(url);

  const end = () => stop().finally(() => process.exit(0));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, end);
  // A killed caller sends no signal, and its orphan would continue to run.
  const caller = process.ppid;
  setInterval(() => process.ppid === caller || end(), 500).unref();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
