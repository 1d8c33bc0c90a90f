import type { HostPort } from '../../config/domain.ts';
import type { Clock, TimerHandle } from '../../lib/clock.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { placeOf } from './problems.ts';
import type { Access } from './settings.ts';

/** What opening a connection may take, TLS and log-in included; a server that is not there shows it at once or never. The client's own deadline comes later: it does not tell silence from the rest. */
const CONNECT_TIMEOUT_MS = 1_500;

/** A server that lets a command wait so long is frozen or cut off: none of ours takes it more than some milliseconds. */
const COMMAND_TIMEOUT_MS = 1_000;

/** After a stall of this process, the answers that have come meanwhile are read first. */
const READ_FIRST_MS = 100;

/** Commands without an answer. Four seconds' worth for a relay that admits thousands a second: more would be memory for nothing. */
const MAX_PENDING = 16_384;

export type Argument = string | Buffer;

/** The part of node-redis's client that is used. */
interface Client {
  connect(): Promise<unknown>;
  sendCommand(args: Argument[]): Promise<unknown>;
  subscribe(channel: string, listener: (message: Buffer) => void, bufferMode: true): Promise<unknown>;
  on(event: 'error' | 'end', listener: (error: unknown) => void): unknown;
  destroy(): void;
}

/**
 * One connection to one server. Commands go out in the order in which they were given, all of one turn of the event loop in one write, and are
 * answered in that order; notices come over the same connection (RESP 3), so that whatever silences them is seen by the commands. It ends for good
 * with its first fault: its owner makes another.
 */
export class Connection {
  readonly where: string;
  /** With why; never rejects. */
  readonly closed: Promise<unknown>;
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #sentAt = new Map<number, number>();
  #sent = 0;
  #watch: TimerHandle | undefined;
  #onClosed: (why: unknown) => void = () => {};
  #isClosed = false;

  /** @throws Error that says why there is none */
  static async open(server: HostPort, access: Access, clock: Clock, signal: AbortSignal): Promise<Connection> {
    const connection = new Connection((await loadClient())(server, access), placeOf(server), clock);
    try {
      await withDeadline(CONNECT_TIMEOUT_MS, clock, [signal], () => connection.#client.connect());
    } catch (error) {
      connection.close(error);
      throw hinted(error, access.tls !== undefined);
    }
    return connection;
  }

  private constructor(client: Client, where: string, clock: Clock) {
    this.#client = client;
    this.where = where;
    this.#clock = clock;
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    client.on('error', (error) => this.close(error));
    client.on('end', () => this.close(new Error('Socket closed')));
  }

  /** Texts of any bytes in the answer are Buffers. @throws Error with the server's words, or of the connection that is lost */
  async command(args: Argument[]): Promise<unknown> {
    if (this.#isClosed || this.#sentAt.size >= MAX_PENDING) {
      throw new Error(this.#isClosed ? 'Socket closed' : `${MAX_PENDING} commands wait for an answer`);
    }
    const number = this.#sent++;
    this.#sentAt.set(number, this.#clock.now());
    this.#watch ??= this.#clock.setTimer(() => this.#look(), COMMAND_TIMEOUT_MS);
    try {
      return await this.#client.sendCommand(args);
    } finally {
      this.#sentAt.delete(number);
    }
  }

  async subscribe(channel: string, listener: (message: Buffer) => void, signal: AbortSignal): Promise<void> {
    await withDeadline(COMMAND_TIMEOUT_MS, this.#clock, [signal], () => this.#client.subscribe(channel, listener, true));
  }

  /** Commands without an answer fail. */
  close(why: unknown): void {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    this.#watch?.cancel();
    this.#client.destroy();
    this.#onClosed(why);
  }

  /** One timer for all commands: the oldest decides. */
  #look(): void {
    this.#watch = undefined;
    if (this.#oldestMs() > 0) {
      this.#watch = this.#clock.setTimer(() => this.#judge(), READ_FIRST_MS);
      return;
    }
    this.#lookLater();
  }

  #judge(): void {
    this.#watch = undefined;
    const waited = this.#oldestMs();
    if (waited >= COMMAND_TIMEOUT_MS) {
      this.close(new Error(`no answer within ${COMMAND_TIMEOUT_MS} ms`));
      return;
    }
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#sentAt.size > 0) {
      this.#watch = this.#clock.setTimer(() => this.#look(), COMMAND_TIMEOUT_MS - this.#oldestMs());
    }
  }

  /** How long the oldest command has waited. */
  #oldestMs(): number {
    const oldest = this.#sentAt.values().next();
    return oldest.done ? 0 : this.#clock.now() - oldest.value;
  }
}

/** The two ways in which a server and a client differ in whether they speak TLS look alike to each of them. */
function hinted(error: unknown, speaksTls: boolean): unknown {
  const isSilence = error instanceof RelaydError && error.code === 'TIMEOUT';
  if (speaksTls) {
    return isSilence ? new Error('no answer to TLS', { cause: error }) : error;
  }
  return /Socket closed|ECONNRESET/i.test(errorMessage(error)) ? new Error('closed at once', { cause: error }) : error;
}

type MakeClient = (server: HostPort, access: Access) => Client;

let loading: Promise<MakeClient> | undefined;

/** Loaded when it is needed, for most relays have no Redis; it takes a while, which counts for no deadline when it was loaded before. */
export function loadClient(): Promise<MakeClient> {
  loading ??= load();
  return loading;
}

async function load(): Promise<MakeClient> {
  const { RedisClient, RESP_TYPES } = await import('@redis/client');
  // One class for all servers. `createClient` makes one with all of Redis's commands anew whenever the server is another than the last time, which keeps this process from
  // all else for 20 to 100 ms: three times whenever three sentinels are asked. RESP 3 is what a client speaks unless it is told otherwise.
  const construct = RedisClient.factory({ RESP: 3 });
  const bytes = { [RESP_TYPES.BLOB_STRING]: Buffer };
  return ({ host, port }, { tls, username, password, database }) =>
    construct({
      socket: { host, port, connectTimeout: 2 * CONNECT_TIMEOUT_MS, reconnectStrategy: false, ...(tls === undefined ? {} : { ...tls, tls: true as const }) },
      username,
      password,
      database,
      disableOfflineQueue: true,
      // Neither is for relayd: they would be two more commands for an ACL.
      disableClientInfo: true,
      maintNotifications: 'disabled',
      // 0: none of its own. It would make an AbortSignal with a timer for every command.
      commandOptions: { typeMapping: bytes, timeout: 0 },
    });
}
