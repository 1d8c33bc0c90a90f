import type { Socket } from 'node:net';
import { within } from '../../support/waiting.ts';
import { nowMs } from './time.ts';

const TICK_MS = 500;
/** A tunnel opens and echoes within a second; a machine that is busy may stand still for several. */
const ECHO_MS = 20_000;

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
    await within(this.#first.promise, 'an echo through a tunnel', ECHO_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#socket.off('close', this.#onCut).destroy();
  }
}
