import type { BackendListener, Registry, ReservationChange, SharedRevocations, Usage } from '../backend.ts';
import type { Clock } from '../../lib/clock.ts';
import { errorMessage } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { guarded } from '../guarded-listener.ts';
import type { Links } from '../links.ts';
import type { Proofs } from '../proofs.ts';
import type { Argument } from './connection.ts';
import type { Finding } from './finding.ts';
import { chunks, pairs, texts } from './flat.ts';
import { closedBy } from './line.ts';
import type { Run } from './line.ts';
import { RevocationLists } from './lists.ts';
import { readNews } from './news.ts';
import { OtherRelays } from './relays.ts';
import { SCRIPTS } from './scripts.ts';
import { Stepped } from './stepped.ts';
import type { RedisStore } from './store.ts';
import { forgettableAt } from './window.ts';

interface RedisRegistryOptions {
  readonly store: RedisStore;
  readonly self: string;
  readonly links: Pick<Links, 'members'>;
  readonly listener: BackendListener;
  readonly proofs: Proofs;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The relays of a cluster, their reservations, use and revocation lists, in Redis. Scripts do the work; docs/reference/cluster-redis.md says what is kept where. */
export class RedisRegistry implements Registry {
  readonly name = 'redis registry';
  readonly #store: RedisStore;
  readonly #listener: BackendListener;
  readonly #log: Logger;
  readonly #others: OtherRelays;
  readonly #lists: RevocationLists;
  readonly #stepped: Stepped;
  #record: Buffer | undefined;
  /** Of what this relay publishes: `publishAll` begins a new one and ends those before. Goes on over restarts. */
  #generation = 0;
  /** Records up to this version have been heard. */
  #version = 0;
  /** Where among the authorities that nobody asks for by name the next beat looks: the store's word. */
  #cursor = '0';
  /** The store's name for its data, made when it was empty. */
  #born = '';
  #hasBeaten = false;
  #mayHaveLost = false;
  #isFenced = false;
  #isBeatingAgain = false;

  constructor({ store, self, links, listener, proofs, clock, log }: RedisRegistryOptions) {
    this.#store = store;
    this.#listener = guarded(listener, log);
    this.#log = log;
    this.#others = new OtherRelays(self, this.#listener, (relay) => links.members().includes(relay));
    this.#lists = new RevocationLists(this.#listener, proofs, log);
    this.#stepped = new Stepped(clock);
    store.events = {
      onHealth: (problem) => this.#listener.health(problem),
      onConnected: (run, finding) => this.#onConnected(run, finding),
      onNews: (message) => this.#onNews(message),
      onUnknown: () => this.#beatAgain(),
      onFenced: () => this.#onFenced(),
    };
  }

  get problem(): string | undefined {
    return this.#store.problem;
  }

  async start(): Promise<void> {
    this.#generation++;
    this.#hasBeaten = this.#mayHaveLost = this.#isFenced = false;
    await this.#store.start(this);
  }

  async stop(): Promise<void> {
    this.#record = undefined;
    await this.#store.stop(this);
    this.#others.clear();
    this.#version = 0;
    this.#born = '';
    this.#stepped.forget();
  }

  async beat(record: Uint8Array): Promise<void> {
    this.#record = Buffer.from(record);
    await this.#beat(this.#store.run);
  }

  async leave(): Promise<void> {
    this.#record = undefined;
    try {
      await this.#store.run(SCRIPTS.leave);
    } catch (error) {
      this.#log.debug({ error: errorMessage(error) }, 'Redis has not been told that this relay leaves: its lease runs out');
    }
  }

  async publish(changes: readonly ReservationChange[]): Promise<void> {
    const run = this.#store.run;
    const flat = changes.map(({ peer, ttlMs }) => [peer, String(ttlMs === undefined ? -1 : Math.max(1, Math.ceil(ttlMs)))]);
    // All are on their way at once, and carried out in order.
    await Promise.all(chunks(flat).map((chunk) => run(SCRIPTS.publish, String(this.#generation), ...chunk.flat())));
  }

  async publishAll(held: readonly ReservationChange[]): Promise<void> {
    // What is published meanwhile belongs to the new generation too.
    const generation = String(++this.#generation);
    await this.publish(held);
    await this.#store.run(SCRIPTS.settle, generation);
  }

  async holders(peer: string, signal: AbortSignal): Promise<string[]> {
    return texts(await closedBy(this.#store.run(SCRIPTS.holders, peer), signal));
  }

  async report(usage: readonly Usage[], signal: AbortSignal): Promise<number[]> {
    const run = this.#store.run;
    const flat = usage.map(({ key, window, bytes }) => [key, window, String(forgettableAt(window)), String(Math.floor(bytes))]);
    const totals = await closedBy(Promise.all(chunks(flat).map((chunk) => run(SCRIPTS.report, ...chunk.flat()))), signal);
    return totals.flat().map(Number);
  }

  async tellRevocations(list: SharedRevocations): Promise<void> {
    await this.#lists.tell(list, this.#store.run);
  }

  async #beat(run: Run): Promise<void> {
    const isFirst = !this.#hasBeaten;
    const lost = this.#mayHaveLost;
    const askedAt = this.#stepped.now();
    const answer = await run(SCRIPTS.beat, ...this.#beatArguments(isFirst, lost));
    const [known, born, version, live, changed, left, sequences, unsure, cursor, storeMs] = answer;
    const isStepped = this.#stepped.between(askedAt, Number(storeMs));
    this.#hasBeaten = true;
    this.#born = String(born);
    this.#version = Number(version);
    this.#cursor = String(cursor);
    this.#mayHaveLost &&= !lost;
    this.#store.works();
    const epochs = new Map(pairs(live).map(([relay, epoch]) => [String(relay), Number(epoch)]));
    this.#others.called({ live: epochs, changed: new Map(pairs(changed).flatMap(([relay, record]) => (record instanceof Buffer ? [[String(relay), record]] : []))), left: new Set(texts(left)), unsure: new Set(texts(unsure)) });
    if (known === 0 || isStepped) {
      this.#listener.stale();
    }
    void this.#lists.compare(new Map(pairs(sequences).map(([authority, sequence]) => [String(authority), Number(sequence)])), run);
  }

  #beatArguments(isFirst: boolean, lost: boolean): Argument[] {
    const since = lost ? 0 : this.#version;
    const authorities = this.#lists.wanted();
    return [this.#record!, String(since), this.#born, flag(lost), flag(isFirst), String(this.#generation), this.#cursor, String(authorities.length), ...authorities, ...this.#others.names()];
  }

  async #onConnected(run: Run, finding: Finding): Promise<void> {
    this.#mayHaveLost ||= finding === 'lost' && this.#hasBeaten;
    try {
      if (this.#record !== undefined) await this.#beat(run);
    } finally {
      // All has come along, so nobody waits; it is told again in case that it has not. No later connection finds the move, so a beat that fails is no reason not to.
      if (finding === 'moved') this.#listener.stale();
    }
  }

  #onNews(message: Buffer): void {
    const news = readNews(message);
    if (news?.kind === 'record') {
      // A gap is closed by the next beat.
      if (this.#others.heard(news) && news.version === this.#version + 1) this.#version++;
    } else if (news?.kind === 'left') {
      this.#others.left(news);
    } else if (news?.kind === 'list') {
      void this.#lists.heard(news.authority, news.sequence, this.#store.run);
    }
  }

  /** The store has lost this relay: it is told at once, not with the next beat. */
  #beatAgain(): void {
    if (this.#record === undefined || this.#isBeatingAgain) {
      return;
    }
    this.#isBeatingAgain = true;
    this.#beat(this.#store.run)
      .catch((error: unknown) => this.#log.debug({ error: errorMessage(error) }, 'a beat out of turn failed'))
      .finally(() => {
        this.#isBeatingAgain = false;
      });
  }

  #onFenced(): void {
    if (!this.#isFenced) {
      this.#isFenced = true;
      this.#listener.fenced();
    }
  }
}

function flag(value: boolean): string {
  return value ? '1' : '0';
}
