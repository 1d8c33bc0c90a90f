import type { Stream } from '@libp2p/interface';
import { accept, WirePeer } from '../../support/wire-peer.ts';
import { assertOk } from '../../support/refusals.ts';
import { nowMs } from './time.ts';

/** A circuit that is in use: one peer sends a byte now and then, the other sends it back. */
export class EchoCircuit {
  readonly source: WirePeer;
  readonly target: WirePeer;
  readonly #stream: Stream;
  #echoed: (() => void) | undefined;

  static async open(relayAddr: string): Promise<EchoCircuit> {
    const target = await WirePeer.start({
      stop: async (incoming) => {
        await accept(incoming);
        incoming.stream.addEventListener('message', ({ data }) => void incoming.stream.send(data));
      },
    });
    const source = await WirePeer.start();
    await Promise.all([target.connect(relayAddr), source.connect(relayAddr)]);
    assertOk(await target.reserve());
    const answer = await source.connectTo(target.peerId);
    assertOk(answer);
    return new EchoCircuit(source, target, answer.stream);
  }

  private constructor(source: WirePeer, target: WirePeer, stream: Stream) {
    this.source = source;
    this.target = target;
    this.#stream = stream;
    stream.addEventListener('message', () => this.#echoed?.());
  }

  get isOpen(): boolean {
    return this.#stream.status === 'open';
  }

  /** Milliseconds until a byte is back; throws when it does not come, or when the circuit is cut. */
  async echo(timeoutMs: number): Promise<number> {
    const startMs = nowMs();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no echo within ${timeoutMs} ms`)), timeoutMs);
      this.#echoed = () => {
        clearTimeout(timer);
        resolve();
      };
      if (!this.isOpen) reject(new Error(`the circuit is ${this.#stream.status}`));
      else this.#stream.send(Uint8Array.of(1));
    });
    return nowMs() - startMs;
  }

  /** When the relay or a peer ends it. */
  get ended(): Promise<number> {
    return new Promise((resolve) => this.#stream.addEventListener('close', () => resolve(nowMs()), { once: true }));
  }

  async stop(): Promise<void> {
    await Promise.all([this.source.stop(), this.target.stop()]);
  }
}
