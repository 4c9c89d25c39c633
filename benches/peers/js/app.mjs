// The parts that the servers of this folder share: the paths, which are those of
// benches/src/app.rs.

/** The port to listen on. */
export const port = Number(process.env.PORT ?? 3000);

/** Largest queue of a peer: a burst of the benchmark fits in, so that no message is lost. */
export const queue = 64 << 20;

/** What a path stands for: whether messages are echoed, and the topic that they go to otherwise. */
export function app(path) {
  const [, name, topic] = path.split('/');
  return { echo: name === 'echo', topic: topic ?? 'room' };
}

/** Says where it listens, which is what the load generator waits for. */
export function listening() {
  console.log(`http://127.0.0.1:${port}`);
}

/** Says what runs instead of serving, if that is what was asked for. */
export function answerVersion(...versions) {
  if (process.argv.includes('--version')) {
    console.log(versions.join(', '));
    process.exit();
  }
}
