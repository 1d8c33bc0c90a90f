import { createRelayNode } from '../../../../src/index.ts';
import type { RelayNode } from '../../../../src/index.ts';
import { nowMs } from '../../support/time.ts';
import type { DialOrder, Dialled, Relays, Snapshot } from './protocol.ts';

/** No dial may take longer: it has failed then. */
const DIAL_MS = 15_000;

const AWAY = new Set(['backoff', 'lost']);

/** One node of the suite, with what it announced and held, and when. */
export class Client {
  readonly index: number;
  readonly node: RelayNode;
  announced: Relays[] = [];
  held: Relays[] = [];
  readonly #holds = new Set<string>();

  static async start(index: number, config: object): Promise<Client> {
    const client = new Client(index, await createRelayNode(config));
    await client.node.start();
    return client;
  }

  private constructor(index: number, node: RelayNode) {
    this.index = index;
    this.node = node;
    node.on('addresses:changed', ({ addrs }) => this.announced.push({ client: index, atMs: nowMs(), relays: addrs.map(relayIn) }));
    node.on('reservation:opened', ({ relay }) => this.#noteHeld(this.#holds.add(relay)));
    node.on('reservation:lost', ({ relay }) => {
      this.#holds.delete(relay);
      this.#noteHeld(this.#holds);
    });
  }

  /** Relays whose circuit addresses it announces. */
  get announcedNow(): string[] {
    return this.node.addrs.filter((addr) => addr.includes('/p2p-circuit')).map(relayIn);
  }

  snapshot(): Snapshot {
    const rows = this.node.view.relays();
    return {
      client: this.index,
      peerId: this.node.peerId,
      held: rows.filter(({ state }) => state === 'reserved').map(({ peer }) => peer),
      announced: this.announcedNow,
      away: rows.filter(({ state }) => AWAY.has(state)).map(({ peer }) => peer),
    };
  }

  /** What is held goes on; what has been written down does not. */
  forget(): void {
    this.announced = [];
    this.held = [];
    this.#noteHeld(this.#holds);
  }

  #noteHeld(relays: ReadonlySet<string>): void {
    this.held.push({ client: this.index, atMs: nowMs(), relays: [...relays] });
  }

  async dial({ from, to, atMs }: DialOrder): Promise<Dialled> {
    const startedAt = nowMs();
    const result = await this.node.view.ping(to, { count: 1, fresh: true, signal: AbortSignal.timeout(DIAL_MS) });
    const tookMs = nowMs() - startedAt;
    const { via, path, error } = result;
    if (error === undefined) await this.#hangUp(to);
    return { from, to, atMs: startedAt, lateMs: startedAt - atMs, tookMs, via, path, ...(error === undefined ? {} : { error }) };
  }

  /** Else each run would have the circuits of all runs before it to lose. */
  async #hangUp(to: string): Promise<void> {
    // One that has broken meanwhile needs no end.
    const found = await this.node.dialler.dial(to, { signal: AbortSignal.timeout(DIAL_MS) }).catch(() => undefined);
    if (found?.path === 'relay') await found.connection.close();
  }
}

/** The relay of a circuit address. */
function relayIn(addr: string): string {
  return addr.split('/p2p-circuit')[0]?.split('/p2p/').at(-1) ?? '';
}
