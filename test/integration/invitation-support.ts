import { EventEmitter, once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { tempDir } from '../unit/admin/server-helpers.ts';
import { cli, spawnCli } from '../unit/cli/run-cli.ts';
import type { CliResult, SpawnedCli } from '../unit/cli/run-cli.ts';
import { freePort } from '../support/free-port.ts';
import { within } from '../support/waiting.ts';

/** A start, a reservation and a tunnel, each on a busy machine. */
export const COMMAND_MS = 60_000;

const LOOPBACK = '127.0.0.1';

/** Somebody's computer: a home, and relayd in processes of its own. */
export class Machine {
  readonly file: string;
  readonly #t: TestContext;
  readonly home: string;

  private constructor(t: TestContext, home: string) {
    this.#t = t;
    this.home = home;
    this.file = join(home, 'relayd.yaml');
  }

  static async make(t: TestContext): Promise<Machine> {
    return new Machine(t, await tempDir(t));
  }

  get dataDir(): string {
    return join(this.home, '.local', 'state', 'relayd');
  }

  /** With the machine's config, there or not. */
  start(...argv: string[]): SpawnedCli {
    return this.startBare(...argv, '--config', this.file);
  }

  startBare(...argv: string[]): SpawnedCli {
    return spawnCli(this.#t, argv, { HOME: this.home });
  }

  run(...argv: string[]): Promise<CliResult> {
    return within(this.start(...argv).result, argv.join(' '), COMMAND_MS);
  }

  /** A command that starts no node: in this process, which is faster. */
  command(...argv: string[]): Promise<CliResult> {
    return this.commandBare(...argv, '--config', this.file);
  }

  commandBare(...argv: string[]): Promise<CliResult> {
    return cli(argv, { HOME: this.home });
  }

  async config(): Promise<{ tunnels: { forward: { listen: string }[] }; realm: { tokenFile: string } }> {
    return JSON.parse((await this.command('config', 'print', '--json')).stdout) as Awaited<ReturnType<Machine['config']>>;
  }
}

/** On one computer nobody has the usual port of the admin server to himself. */
export const ADMIN = ['--set', 'admin.listen=127.0.0.1:0'];

export interface Server {
  machine: Machine;
  daemon: SpawnedCli;
  line: string;
  /** The port of the service. */
  port: number;
}

/** The one command of a new server, with a service named `echo`. */
export async function startServer(t: TestContext): Promise<Server> {
  const machine = await Machine.make(t);
  const [port, relayPort] = [await startEcho(t), await freePort()];
  const network = ['--set', `network.listen=[/ip4/127.0.0.1/tcp/${relayPort}]`, '--set', 'network.allowPrivate=true'];
  const daemon = machine.start('invite', '--tunnel', `echo=127.0.0.1:${port}`, '--yes', '--run', ...network, ...ADMIN);
  const [line] = await Promise.all([untilLine(daemon, /^relayd:/), untilLine(daemon, /"event":"ready"/)]);
  return { machine, daemon, line, port };
}

/** The first whole line of standard output that fits. */
export async function untilLine(child: SpawnedCli, pattern: RegExp): Promise<string> {
  let text = '';
  const grown = new EventEmitter<{ more: [] }>();
  child.stdout.on('data', (more: string) => {
    text += more;
    grown.emit('more');
  });
  const search = async (): Promise<string> => {
    for (;;) {
      const line = text.split('\n').slice(0, -1).find((one) => pattern.test(one));
      if (line !== undefined) return line;
      const ended = await Promise.race([once(grown, 'more').then(() => undefined), child.result]);
      if (ended !== undefined) throw new Error(`the process ended with ${ended.code} before ${String(pattern)}: ${ended.stderr}`);
    }
  };
  return within(search(), String(pattern), COMMAND_MS);
}

/** A service that sends back what it gets. @returns its port */
export async function startEcho(t: TestContext): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket)).pipe(socket);
  }).listen(0, LOOPBACK);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  });
  return (server.address() as AddressInfo).port;
}

/** A connection to `HOST:PORT`, destroyed at the end of the test. */
export function connectTo(t: TestContext, address: string): Socket {
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port) });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return socket;
}

export function untilClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** What comes back when `data` is sent. @throws Error when the connection ends before as much has come */
export async function echoed(socket: Socket, data: Uint8Array): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const back = new Promise<Buffer>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= data.length) resolve(Buffer.concat(chunks));
    });
    socket.once('close', () => reject(new Error(`the connection ended after ${bytes} of ${data.length} bytes`)));
  });
  socket.write(data);
  return within(back, `${data.length} bytes through the tunnel`, COMMAND_MS);
}

/** True when the connection ends without a byte. */
export function isRefused(socket: Socket): Promise<boolean> {
  const answer = new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(false)).once('close', () => resolve(true));
  });
  socket.write('x');
  return within(answer, 'an answer or the end of the connection', COMMAND_MS);
}
