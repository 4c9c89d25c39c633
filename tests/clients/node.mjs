// The parts that the clients in Node share.
import { run } from './script.mjs';

export async function get(url) {
  const response = await fetch(url);
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, type, text: await response.text() };
}

/** The servers' addresses, as run.mjs hands them to every client: http://localhost:PORT. */
export const urls = {
  echo: process.env.ECHO_URL,
  fixture: process.env.FIXTURE_URL,
  bare: process.env.BARE_URL,
  capabilities: process.env.CAPABILITIES?.split(' '),
};

/** Runs the script with this client; the process fails if a check did. */
export async function main(client) {
  const { failed } = await run(client, urls);
  process.exitCode = failed ? 1 : 0;
}
