import type { PrivateKey } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import { sealRecord } from './record.ts';
import type { ClassCounts, RelayFacts } from './record.ts';
import type { ClusterSecret } from './secret.ts';

export interface OwnRecordOptions {
  readonly epoch: number;
  readonly key: PrivateKey;
  readonly secret: ClusterSecret;
  readonly clock: Clock;
  readonly facts: () => RelayFacts;
}

/**
 * Counts and bytes change with every client; told at every beat, each of them would be a write to the store and a message to every relay. What
 * others use them for (choosing, showing) is no worse for being a few seconds old.
 */
const FIGURES_EVERY_MS = 5_000;

/** This relay's newest sealed record: the same bytes until what it says has changed. */
export class OwnRecord {
  readonly #o: OwnRecordOptions;
  #sequence = 0;
  #told: { facts: RelayFacts; sealed: Uint8Array; at: number } | undefined;

  constructor(options: OwnRecordOptions) {
    this.#o = options;
  }

  /** To be called by one at a time: a later record has the higher number. */
  async sealed(): Promise<Uint8Array> {
    const { facts: look, epoch, key, secret, clock } = this.#o;
    const facts = look();
    if (this.#told !== undefined && !this.#isNews(facts, this.#told)) return this.#told.sealed;
    const at = clock.now();
    const sealed = await sealRecord({ ...facts, epoch, sequence: ++this.#sequence }, key, secret);
    this.#told = { facts, sealed, at };
    return sealed;
  }

  #isNews(facts: RelayFacts, told: { facts: RelayFacts; at: number }): boolean {
    if (lasting(facts) !== lasting(told.facts)) return true;
    return this.#o.clock.now() - told.at >= FIGURES_EVERY_MS && figures(facts) !== figures(told.facts);
  }
}

function lasting({ state, addrs, linkAddrs, region, version, digest, secrets }: RelayFacts): string {
  return JSON.stringify([state, addrs, linkAddrs, region, version, digest, secrets]);
}

function figures({ classes, bytesRelayed, load }: RelayFacts): string {
  const ofClass = ({ reservations, circuits }: ClassCounts): (number | null)[] => [reservations.count, reservations.max, circuits.count, circuits.max];
  return JSON.stringify([ofClass(classes.public), ofClass(classes.member), bytesRelayed, load]);
}
