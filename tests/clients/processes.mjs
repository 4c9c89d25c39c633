// Child processes of a script, which end with it, however it ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { until } from './script.mjs';

const children = new Set();
const kill = () => children.forEach((child) => child.kill('SIGKILL'));
process.on('exit', kill);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** A child whose promise `ended`, and then `how`, is its exit code, its signal, or why it did not start. */
export function run(command, args, env, output = 'inherit') {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', output, output],
  });
  children.add(child);
  child.ended = new Promise((ended) => {
    child.on('error', ended); // it could not be started
    child.on('exit', (code, signal) => ended(signal ?? code));
  }).finally(() => children.delete(child));
  child.ended.then((how) => (child.how = how));
  return child;
}

/** How `child` ended; it is killed if it has not after `time` ms, and the answer says so. */
export async function ends(child, time) {
  let late = '';
  const timer = setTimeout(() => {
    late = ` after ${time / 1000} s`;
    child.kill('SIGKILL');
  }, time);
  const how = await child.ended;
  clearTimeout(timer);
  return late ? how + late : how;
}

export async function free_port() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  await new Promise((closed) => probe.close(closed));
  return port;
}

/** Waits until `server` accepts connections; a busy machine starts nothing quickly. */
export function listening(name, server, port) {
  return until(`${name} to listen on port ${port}`, () => {
    if ('how' in server) throw new Error(`${name} ended at once: ${server.how}`);
    return accepts(port);
  }, 60_000);
}

function accepts(port) {
  return new Promise((answer) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => answer(true)).on('error', () => answer(false));
    socket.on('connect', () => socket.destroy());
  });
}
