import { createInterface } from 'node:readline';

const DEFAULT_DEADLINE_MS = 20_000;

/**
 * Runs a peer's commands: one JSON object a line on standard input, handled side by side, one answer a line. The process ends
 * when standard input does.
 *
 * @param {Record<string, (command: any, signal: AbortSignal) => Promise<object>>} commands
 * @param {() => Promise<void>} stop
 */
export function serve(commands, stop) {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => void answer(commands, line));
  lines.on('close', () => {
    const hard = setTimeout(() => process.exit(0), 2_000);
    hard.unref();
    stop().finally(() => process.exit(0));
  });
}

async function answer(commands, line) {
  let id;
  try {
    const command = JSON.parse(line);
    id = command.id;
    const run = commands[command.cmd];
    if (run === undefined) throw new Error(`unknown command ${command.cmd}`);
    const signal = AbortSignal.timeout(command.timeoutMs ?? DEFAULT_DEADLINE_MS);
    say({ id, ok: true, ...(await withDeadline(run(command, signal), signal)) });
  } catch (error) {
    say({ id, ok: false, error: `${error.name}: ${error.message}` });
  }
}

function withDeadline(work, signal) {
  return Promise.race([work, new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))]);
}

/** @param {object} message */
export function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** The values of a repeatable or single `--name VALUE` flag. */
export function flag(name) {
  return process.argv.flatMap((arg, i) => (arg === `--${name}` ? [process.argv[i + 1]] : []));
}

/** Bytes that are the same for the same length: both ends can check them. */
export function pattern(bytes) {
  const out = new Uint8Array(bytes);
  let state = 0x9e3779b9;
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = state >>> 24;
  }
  return out;
}

export function sameBytes(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
