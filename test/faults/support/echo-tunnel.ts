import type { Socket } from 'node:net';
import { delay, nowMs } from './time.ts';

const TICK_MS = 500;
/** An echo through a tunnel takes no longer, on a machine that is busy. */
const ECHO_MS = 3_000;

/** A connection through a tunnel, with a byte there and back all the time. */
export class EchoTunnel {
  /** When it was cut. */
  endedMs: number | undefined;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  readonly #first = Promise.withResolvers<void>();
  readonly #onCut = (): void => void (this.endedMs ??= nowMs());

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', () => this.#first.resolve()).on('close', this.#onCut);
    this.#timer = setInterval(() => socket.write('x'), TICK_MS);
  }

  async untilEchoed(): Promise<void> {
    await Promise.race([this.#first.promise, delay(ECHO_MS).then(() => Promise.reject(new Error(`no echo through a tunnel within ${ECHO_MS} ms`)))]);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#socket.off('close', this.#onCut).destroy();
  }
}
