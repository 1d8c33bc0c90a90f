import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../netns/namespace.ts';
import { until, within } from '../waiting.ts';
import { plainText } from './output.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** A tutorial's command on a busy machine; the longest starts two nodes and waits for a reservation. */
const COMMAND_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;

/**
 * What a reader's machine has. The package is this checkout; ssh would take its settings from root's real home, whatever HOME says.
 */
const PROGRAMS: Record<string, string> = {
  npm: `#!/bin/bash
case "$*" in
  "install --global p2p-relayd") mkdir -p "$HOME/bin"; printf '#!/bin/sh\\nexec ${process.execPath} --disable-warning=ExperimentalWarning ${ROOT}src/main.ts "$@"\\n' >"$HOME/bin/relayd"; chmod +x "$HOME/bin/relayd" ;;
  install | "install libp2p "*) ln -sfn ${ROOT}node_modules node_modules ;;
  *) exec env PATH="\${PATH#*:}" npm "$@" ;;
esac
`,
  ssh: '#!/bin/bash\nexec /usr/bin/ssh -F none -i "$HOME/.ssh/id_ed25519" -o UserKnownHostsFile="$HOME/.ssh/known_hosts" -o StrictHostKeyChecking=accept-new -o BatchMode=yes "$@"\n',
};

interface Background {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  output: string;
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  /** Both streams, as they came. */
  readonly output: string;
}

/** One machine of a tutorial: a namespace with a home directory, and what goes on in it. */
export class Machine {
  readonly #namespace: Namespace;
  readonly #home: string;
  readonly #background: Background[] = [];

  private constructor(namespace: Namespace, home: string) {
    this.#namespace = namespace;
    this.#home = home;
  }

  static async make(namespace: Namespace, home: string): Promise<Machine> {
    const bin = join(home, '.programs');
    await mkdir(bin, { recursive: true, mode: 0o700 });
    await Promise.all(Object.entries(PROGRAMS).map(([name, text]) => writeFile(join(bin, name), text, { mode: 0o755 })));
    return new Machine(namespace, home);
  }

  async write(path: string, text: string): Promise<void> {
    const file = join(this.#home, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }

  /** Runs commands to their end. */
  async run(script: string): Promise<Finished> {
    const child = this.#spawn(['bash', '-euo', 'pipefail', '-c', script]);
    let [stdout, output] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => [stdout, output] = [stdout + text, output + text]);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
    const closed = once(child, 'close') as Promise<[number | null]>;
    try {
      const [code] = await within(closed, `the end of: ${script}\nso far: ${output}`, COMMAND_TIMEOUT_MS);
      return { code, stdout, output };
    } catch (error) {
      killGroup(child, 'SIGKILL');
      throw new Error(`${(error as Error).message}${output}`, { cause: error });
    }
  }

  /** Starts what goes on, in a terminal, as its reader would, and waits until it has written what `pattern` matches. Returns what it has written. */
  async start(script: string, pattern: string): Promise<() => string> {
    const child = this.#spawn(['script', '--quiet', '--flush', '--return', '--command', `bash -euo pipefail -c ${quoted(script)}`, '/dev/null']);
    const background: Background = { child, exited: once(child, 'exit'), output: '' };
    this.#background.push(background);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (background.output += plainText(text)));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (background.output += plainText(text)));
    // Not with its exit: what it wrote last may come behind that.
    let isOver = false;
    child.once('close', () => (isOver = true));
    const seen = new RegExp(pattern, 'm');
    const done = (): boolean => seen.test(background.output);
    await until(() => done() || isOver, `${pattern} from: ${script}`, COMMAND_TIMEOUT_MS).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}\n${background.output}`, { cause: error });
    });
    if (!done()) {
      throw new Error(`it ended with ${child.exitCode}: ${script}\n${background.output}`);
    }
    return () => background.output;
  }

  /** Ctrl-C for the last thing that was started and still runs. */
  async stopLast(): Promise<void> {
    const last = this.#background.pop();
    if (last !== undefined) await end(last);
  }

  async close(): Promise<void> {
    await Promise.all(this.#background.splice(0).map(end));
  }

  #spawn(argv: readonly string[]): ChildProcess {
    const [command, ...args] = this.#namespace.command(argv);
    const { PATH: path = '' } = process.env;
    const env = { HOME: this.#home, USER: 'root', TERM: 'xterm', CHECKOUT: ROOT, LANG: 'C.UTF-8', COLUMNS: '200', PATH: `${this.#home}/.programs:${this.#home}/bin:${dirname(process.execPath)}:${path}` };
    return spawn(command, args, { cwd: this.#home, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  }
}

async function end({ child, exited }: Background): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  killGroup(child, 'SIGTERM');
  await within(exited, 'the end of what was started', STOP_TIMEOUT_MS).catch(() => killGroup(child, 'SIGKILL'));
}

/** The command and all that it started. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // It is gone.
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
