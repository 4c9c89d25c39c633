// Starts the echo and fixture examples and runs every client against them, one after the other.
//
//   node tests/clients/run.mjs              all clients
//   node tests/clients/run.mjs chromium     only this one
//   FIXTURE=fixture_smol node ...           the fixture of another adapter: smol, async_std
//   TLS=1 node ... node-ws                  the fixture encrypted, for clients that run in Node
//   WORKER=OUT_DIR [PLAIN=1] node ...       both as a Worker, in workerd: examples/worker-fixture,
//                                           with Durable Objects or without
//
// The examples must be built: `cargo build --examples --all-features`, or scripts/build-worker;
// scripts/test does it.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { get } from './node.mjs';
import { ends, free_port, listening, run } from './processes.mjs';
import { until } from './script.mjs';

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const examples = join(process.env.CARGO_TARGET_DIR ?? here('../../target'), 'debug/examples');
const client_time = 180_000;

const adapter = process.env.FIXTURE ?? 'fixture';
const { WORKER: worker, PLAIN: plain } = process.env;

// The folder of the certificates that the servers create, with TLS=1.
const certificates = process.env.TLS && mkdtempSync(join(tmpdir(), 'crossws-tls-'));
process.on('exit', () => certificates && rmSync(certificates, { recursive: true, force: true }));

const native = globalThis.WebSocket ? [] : ['--experimental-websocket'];
const clients = {
  'raw-http': [process.execPath, here('raw-http.mjs')],
  'node-ws': [process.execPath, here('node-ws.mjs')],
  'node-native': [process.execPath, ...native, '--no-warnings', here('node-native.mjs')],
  chromium: [process.execPath, here('chromium.mjs')],
  'json-rpc': [process.execPath, here('rpc.mjs')],
  'python-websockets': [here('../../.cache/venv/bin/python'), here('python-websockets.py')],
};

/** What runs the Worker with these hooks. */
function in_workerd(port, hooks) {
  const objects = { FIXTURE: 'FixtureObject', BARE: 'BareObject', ECHO: 'EchoObject' };
  const vars = { HOOKS: hooks, ...(plain && { PLAIN: plain }) };
  const options = (name, pairs) => Object.entries(pairs).flatMap(([key, value]) => [`--${name}`, `${key}=${value}`]);
  return [here('../workerd/workerd.mjs'), worker, '--port', port, ...options('object', objects), ...options('var', vars)];
}

/** A server, once it accepts connections. */
async function start(example, env = {}, certificate) {
  const port = await free_port();
  const tls = certificates && certificate && { TLS: join(certificates, certificate) };
  // One thread, as in the tokio fixture and for the same reason.
  const threads = { ASYNC_STD_THREAD_COUNT: '1', SMOL_THREADS: '1' };
  const server = worker
    ? run(process.execPath, in_workerd(port, env.BARE ? 'bare' : example))
    : run(join(examples, example), [], { ...threads, ...env, ...(tls || { TLS: undefined }), PORT: port });
  await listening(example, server, port);
  return { example, server, url: `${tls ? 'https' : 'http'}://localhost:${port}` };
}

/** As `get`, by a process that did not know the certificate when it started. */
async function get_trusting(url) {
  const [response] = await once(https.get(url, { ca: readFileSync(trusted) }), 'response');
  return { text: Buffer.concat(await response.toArray()).toString() };
}

// The client that uses an example of its own, a native server without TLS.
const needs_rpc = 'json-rpc';
const possible = Object.keys(clients).filter((name) => name !== needs_rpc || !(worker || certificates));
const chosen = process.argv.length > 2 ? process.argv.slice(2) : possible;
const unknown = chosen.filter((name) => !(name in clients));
if (unknown.length) throw new Error(`no such client: ${unknown} (${Object.keys(clients)})`);

const [echo, fixture, bare, rpc] = await Promise.all([
  start('echo'),
  start(adapter, {}, 'fixture.pem'),
  start(adapter, { BARE: '1' }, 'bare.pem'),
  chosen.includes(needs_rpc) && start('rpc'),
]).catch(({ message }) => {
  console.log(`FAIL  ${message}`);
  process.exit(1);
});

// Node reads it at its start, so it is for the clients.
const trusted = certificates && join(certificates, 'all.pem');
if (trusted) {
  const all = ['fixture.pem', 'bare.pem'].map((file) => readFileSync(join(certificates, file), 'utf8'));
  writeFileSync(trusted, all.join('\n'));
}

// The Worker's capabilities; native servers have all of them.
const capabilities = worker && JSON.parse((await get(`${fixture.url}/capabilities`)).text);
const shares = capabilities?.includes('shared-hub') ?? true;

const failures = [];
for (const name of chosen) {
  const [command, ...args] = clients[name];
  const env = { ECHO_URL: echo.url, FIXTURE_URL: fixture.url, BARE_URL: bare.url };
  if (rpc) env.RPC_URL = rpc.url.replace('http', 'ws');
  if (trusted) env.NODE_EXTRA_CA_CERTS = trusted;
  if (capabilities) env.CAPABILITIES = capabilities.join(' ');
  const client = run(command, args, env);
  const how = await ends(client, client_time);
  if (how !== 0) failures.push(`${name} ended with ${how}`);
}

for (const { example, server } of [echo, fixture, bare, ...(rpc ? [rpc] : [])]) {
  if ('how' in server) failures.push(`server ${example} ended with ${server.how}`);
}
const peers = () => (trusted ? get_trusting(`${fixture.url}/peers`) : get(`${fixture.url}/peers`));
const no_peers = async () => !JSON.parse((await peers()).text).peers.length;
if (shares) await until('the last peer to be gone', no_peers).catch(({ message }) => failures.push(message));

for (const failure of failures) console.log(`FAIL  ${failure}`);
console.log(`${chosen.length} clients, ${failures.length} failures`);
process.exit(failures.length ? 1 : 0);
