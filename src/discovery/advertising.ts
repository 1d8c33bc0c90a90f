import type { CID } from 'multiformats/cid';
import { withDeadline } from '../lib/deadline.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Dht } from './host.ts';
import { Loop } from './loop.ts';
import { BUCKET_MS, bucketAt, networkKey } from './network-key.ts';
import type { NetworkName } from './network-key.ts';
import type { PartOptions } from './parts.ts';

/** Peers that store a record come and go, and js-libp2p forgets the addresses in it after an hour: three times an hour reach who is there. */
const RENEW_MS = 20 * 60_000;

/** The coming hour's record is made this long before: longer than any wait between two renewals, so that none is missed. */
const LEAD_MS = 25 * 60_000;

/** An address may be found or confirmed at any time; looking costs nothing. */
const NO_ADDRESS_MS = 30_000;

/** Finding the peers closest to a key takes up to a minute in a large DHT. */
const PROVIDE_DEADLINE_MS = 90_000;

export interface AdvertisingOptions extends PartOptions {
  readonly dht: Dht;
  readonly name: NetworkName;
  /** Whether anyone could reach this node by what it announces. */
  readonly isReachable: () => boolean;
}

/** Keeps this relay in the DHT, under the key of its network and of the hour. */
export class Advertising {
  readonly #o: AdvertisingOptions;
  readonly #loop: Loop;
  /** The keys that stand in our own store as provided by us, by their hour. */
  readonly #provided = new Map<number, CID>();
  /** What the log was told last, so that it is told once. */
  #said: 'nothing' | 'there' | 'failed' | 'no address' = 'nothing';
  #isReachable = false;

  constructor(options: AdvertisingOptions) {
    const { clock, random, log } = options;
    this.#o = options;
    this.#loop = new Loop({ name: 'advertise', work: (signal) => this.#advertise(signal), intervalMs: () => (this.#isReachable ? RENEW_MS : NO_ADDRESS_MS), clock, random, log });
  }

  start(): void {
    this.#said = 'nothing';
    this.#loop.start();
  }

  /** Makes no further record, and no longer says itself that this relay is there. What others store they name until the hour is over. */
  async withdraw(): Promise<void> {
    this.#loop.stop();
    this.#o.metrics.advertised(false);
    await this.#forget(() => true);
  }

  async #advertise(signal: AbortSignal): Promise<void> {
    const { clock, metrics } = this.#o;
    this.#isReachable = this.#o.isReachable();
    if (!this.#isReachable) {
      metrics.advert('no address');
      metrics.advertised(false);
      this.#say('no address', () => this.#o.log.warn({}, 'this relay is not advertised in the DHT: it has no address that others could reach; set network.announce, or network.allowPrivate where all peers are in one LAN'));
      return;
    }
    const now = bucketAt(clock.wall());
    // Whatever is in our own store the library would renew for ever.
    await this.#forget((bucket) => bucket < now);
    await this.#provide(now, signal);
    if (bucketAt(clock.wall() + LEAD_MS) > now) {
      await this.#provide(now + 1, signal);
    }
  }

  #say(what: 'there' | 'failed' | 'no address', write: () => void): void {
    if (this.#said !== what) {
      this.#said = what;
      write();
    }
  }

  async #provide(bucket: number, stop: AbortSignal): Promise<void> {
    const { dht, name, clock, log, metrics } = this.#o;
    const key = networkKey(name, bucket);
    this.#provided.set(bucket, key);
    try {
      const stored = await withDeadline(PROVIDE_DEADLINE_MS, clock, [stop], (signal) => countStored(dht, key, signal));
      if (stored === 0) {
        throw new RelaydError('NO_ADDRESS', 'no peer of the DHT stored the record');
      }
      metrics.advert('ok');
      metrics.advertised(true);
      this.#say('there', () => log.info({ stored, until: new Date((bucket + 1) * BUCKET_MS).toISOString() }, 'this relay is advertised in the DHT'));
    } catch (error) {
      if (!stop.aborted) this.#failed(error);
      throw error;
    }
  }

  #failed(error: unknown): void {
    this.#o.metrics.advert('failed');
    this.#say('failed', () => this.#o.log.warn({ error: errorMessage(error) }, 'this relay could not be advertised in the DHT; it is tried again'));
  }

  async #forget(isOver: (bucket: number) => boolean): Promise<void> {
    const over = [...this.#provided].filter(([bucket]) => isOver(bucket));
    for (const [bucket, key] of over) {
      this.#provided.delete(bucket);
      await this.#o.dht.cancelReprovide(key);
    }
  }
}

async function countStored(dht: Dht, key: CID, signal: AbortSignal): Promise<number> {
  let stored = 0;
  for await (const event of dht.provide(key, { signal })) {
    stored += event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER' ? 1 : 0;
  }
  return stored;
}
