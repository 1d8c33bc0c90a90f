import { createInterface } from 'node:readline';
import { inspect } from 'node:util';

const DEFAULT_DEADLINE_MS = 20_000;
/** A node that does not stop in time is left behind. */
const STOP_TIMEOUT_MS = 2_000;

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
    setTimeout(() => process.exit(0), STOP_TIMEOUT_MS);
    void stop().finally(() => process.exit(0));
  });
}

async function answer(commands, line) {
  const command = parse(line);
  const signal = AbortSignal.timeout(command.timeoutMs ?? DEFAULT_DEADLINE_MS);
  try {
    const run = commands[command.cmd];
    if (run === undefined) throw new Error(`unknown command ${command.cmd}`);
    const fields = await Promise.race([run(command, signal), aborted(signal)]);
    say({ id: command.id, ok: true, ...fields });
  } catch (error) {
    say({ id: command.id, ok: false, ...describe(error), ...(signal.aborted ? { timeout: true } : {}) });
  }
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return { id: null, cmd: line };
  }
}

function aborted(signal) {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

/** The statuses of circuit relay v2. */
const STATUSES = {
  RESERVATION_REFUSED: 200,
  RESOURCE_LIMIT_EXCEEDED: 201,
  PERMISSION_DENIED: 202,
  CONNECTION_FAILED: 203,
  NO_RESERVATION: 204,
  MALFORMED_MESSAGE: 400,
  UNEXPECTED_MESSAGE: 401,
};

/** js-libp2p has a relay's status only in the text of its errors. */
function describe(error) {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : inspect(error);
  const status = STATUSES[/with status (\w+)/.exec(text)?.[1]];
  return { error: text, ...(status === undefined ? {} : { status }) };
}

/** @param {object} message */
export function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** The values of a repeatable or single `--name VALUE` flag. */
export function flag(name) {
  return process.argv.flatMap((arg, i) => (arg === `--${name}` ? [process.argv[i + 1]] : []));
}
