// The verdicts that differ from "OK", as a file lists them:
//
//   2.10: FAILED                   # why
//   7.1.6: OK, close UNCLEAN       # what the case did, and how the connection ended
//   12.*: UNIMPLEMENTED            # every case of group 12
//   2.11: OK or FAILED             # as chance has it
import { readFileSync } from 'node:fs';

/** Verdicts that need no line. */
const fine = ['OK', 'INFORMATIONAL'];

/** What a report says of a case, in a line's words; "OK" if there is nothing to say. */
export function verdict({ behavior, behaviorClose }) {
  const what = fine.includes(behavior) ? 'OK' : behavior;
  return fine.includes(behaviorClose) ? what : `${what}, close ${behaviorClose}`;
}

export class Expected {
  #lines = [];

  constructor(file) {
    for (const text of readFileSync(file, 'utf8').split('\n')) {
      const line = text.replace(/#.*/, '').trim();
      if (!line) continue;
      const [, cases, verdict] = /^(\d+(?:\.\d+)*(?:\.\*)?): ([A-Z].*)$/.exec(line) ?? [];
      if (!cases || verdict === 'OK') throw new Error(`${file}: not a line: ${text}`);
      this.#lines.push({ text: line, cases, verdicts: verdict.split(' or '), used: false });
    }
  }

  /** The verdicts of which `id` must get one; of several lines about it, the last counts. */
  of(id) {
    const line = this.#lines.findLast(({ cases }) => covers(cases, id));
    if (line) line.used = true;
    return line?.verdicts ?? ['OK'];
  }

  /** Lines that counted for no case so far. */
  unused() {
    return this.#lines.filter(({ used }) => !used).map(({ text }) => text);
  }
}

const covers = (cases, id) => (cases.endsWith('*') ? id.startsWith(cases.slice(0, -1)) : id === cases);
