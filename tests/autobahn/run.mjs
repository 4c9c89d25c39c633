// Autobahn|Testsuite: its fuzzing client against crossws's servers, its fuzzing server against
// crossws's clients. Every verdict must be the one in expected/TESTEE.txt, so an improvement must
// be recorded there like a regression.
//
//   node tests/autobahn/run.mjs                all testees that are ours, a subset of the cases
//   node tests/autobahn/run.mjs --full echo    only this one, all cases
//   node tests/autobahn/run.mjs --cases '9.*' --cases 2.10 ...
//
// The examples must be built, in release; scripts/test does it, and installs the suite. It leaves a
// report in target/autobahn/TESTEE/index.html.
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ends, free_port, listening, run } from '../clients/processes.mjs';
import { Expected, verdict } from './expected.mjs';

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? here('../../target');
const example = (name) => join(target, 'release/examples', name);

// A server gets PORT, to listen on. A client gets AUTOBAHN_URL and AUTOBAHN_AGENT; it asks
// URL/getCaseCount, whose only message is a number, echoes in URL/runCase?case=I&agent=AGENT for I
// from 1 to that number, and last opens URL/updateReports?agent=AGENT.
const testees = {
  echo: { role: 'server', command: [example('echo')], env: { COMPLIANCE: '1' } },
  echo_client: { role: 'client', command: [example('echo_client')] },
  // A foreign client: shows that this script judges a client correctly that is known to be good.
  'python-websockets': {
    role: 'client',
    command: [here('../../.cache/venv/bin/python'), here('python-websockets.py')],
    foreign: true,
  },
};

// Everything but most of the compression cases, each of which sends a thousand messages. Of them it
// includes every data set and every negotiation, with tiny, small, and fragmented messages.
const subset = ['1.*', '2.*', '3.*', '4.*', '5.*', '6.*', '7.*', '9.*', '10.*'].concat(
  [1, 2, 3, 4, 5].flatMap((data) => [`12.${data}.1`, `12.${data}.4`, `12.${data}.11`]),
  [1, 2, 3, 4, 5, 6, 7].flatMap((offer) => [`13.${offer}.1`, `13.${offer}.4`, `13.${offer}.11`]),
);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { full: { type: 'boolean' }, cases: { type: 'string', multiple: true } },
});
const ours = Object.keys(testees).filter((name) => !testees[name].foreign);
const chosen = positionals.length ? positionals : ours;
const unknown = chosen.filter((name) => !(name in testees));
if (unknown.length) throw new Error(`no such testee: ${unknown} (${Object.keys(testees)})`);
const everything = values.full && !values.cases;
const cases = values.cases ?? (values.full ? ['*'] : subset);
const most_time = (values.full ? 60 : 10) * 60_000;

function suite(mode, spec, dir) {
  const file = join(dir, 'spec.json');
  writeFileSync(file, JSON.stringify({ ...spec, outdir: dir, cases, 'exclude-cases': [] }));
  const log = openSync(join(dir, 'wstest.log'), 'w');
  const command = [here('wstest.py'), '--mode', mode, '--spec', file, '--webport', '0'];
  return run(here('../../.cache/autobahn/pypy'), command, {}, log);
}

/** Runs the cases, and returns what else failed. */
const roles = {
  async server(name, { command: [program, ...args], env }, dir) {
    const port = await free_port();
    const server = run(program, args, { ...env, PORT: port });
    await listening(name, server, port);
    const spec = { servers: [{ agent: name, url: `ws://127.0.0.1:${port}` }] };
    const how = await ends(suite('fuzzingclient', spec, dir), most_time);
    const failures = how === 0 ? [] : [`the fuzzing client ended with ${how}`];
    if ('how' in server) failures.push(`${name} ended with ${server.how}`);
    server.kill('SIGKILL');
    await server.ended;
    return failures;
  },

  async client(name, { command: [program, ...args], env }, dir) {
    const port = await free_port();
    const url = `ws://127.0.0.1:${port}`;
    const fuzzer = suite('fuzzingserver', { url }, dir);
    await listening('the fuzzing server', fuzzer, port);
    const client = run(program, args, { ...env, AUTOBAHN_URL: url, AUTOBAHN_AGENT: name });
    const how = await ends(client, most_time);
    const failures = how === 0 ? [] : [`${name} ended with ${how}`];
    if ('how' in fuzzer) failures.push(`the fuzzing server ended with ${fuzzer.how}`);
    fuzzer.kill('SIGKILL');
    await fuzzer.ended;
    return failures;
  },
};

/** What is wrong with the report in `dir`, and of how many cases, how many with a line of their own. */
function judge(name, expected, dir) {
  const log = join(dir, 'wstest.log');
  if (!existsSync(join(dir, 'index.json'))) throw new Error(`there is no report: see ${log}`);
  const reports = JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8'))[name] ?? {};
  // The suite resolves patterns itself, and prints the result.
  const [, list] = /^Cases = \[(.*)\]$/m.exec(readFileSync(log, 'utf8'));
  const ids = list.split(', ').map((id) => /[\d.]+/.exec(id)[0]);
  const failures = [];
  let excepted = 0;
  for (const id of ids) {
    const must = expected.of(id);
    const report = reports[id];
    const is = report ? verdict(report) : 'not run';
    if (must[0] !== 'OK' || must.length > 1) excepted += 1;
    if (must.includes(is)) continue;
    const why = report && JSON.parse(readFileSync(join(dir, report.reportfile), 'utf8'));
    const because = why ? `: ${why.result} ${why.resultClose}` : '';
    failures.push(`${id}: ${is}, expected ${must.join(' or ')}${because}`);
  }
  if (everything) failures.push(...expected.unused().map((line) => `no case needs the line "${line}"`));
  return { count: ids.length, excepted, failures };
}

let failed = 0;
for (const name of chosen) {
  const from = Date.now();
  const dir = join(target, 'autobahn', name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const failures = [];
  let count = 0;
  let excepted = 0;
  try {
    const expected = new Expected(here(`expected/${name}.txt`));
    failures.push(...(await roles[testees[name].role](name, testees[name], dir)));
    const judged = judge(name, expected, dir);
    ({ count, excepted } = judged);
    failures.push(...judged.failures);
  } catch (error) {
    failures.push(error.message);
  }
  for (const failure of failures) console.log(`FAIL  ${name}: ${failure}`);
  const time = Math.round((Date.now() - from) / 1000);
  console.log(`${name}: ${count} cases, ${excepted} of them expected not to be OK, ${failures.length} failures, ${time} s`);
  failed += failures.length;
}
process.exit(failed ? 1 : 0);
