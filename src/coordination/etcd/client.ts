import type { KeyRange } from './keys.ts';
import type { Gateway } from './gateway.ts';
import { History } from './history.ts';
import { field, rangeRequest, readHeader, readLease, readRange, readTxn } from './messages.ts';
import type { Condition, Operation, RangeAnswer, TxnAnswer } from './messages.ts';
import { EtcdRefusal } from './refusal.ts';

/** What etcd can do, as far as it is needed. All throw RelaydError STORE_UNAVAILABLE, and CLOSED when a signal aborts or all is stopped. */
export class EtcdClient {
  readonly #gateway: Gateway;
  readonly #history: History;

  /** @param onReplaced the store is another one, or an older state of it: what it was told may be lost */
  constructor(gateway: Gateway, onReplaced: () => void) {
    this.#gateway = gateway;
    this.#history = new History(onReplaced);
  }

  async range(range: KeyRange | string, signal?: AbortSignal): Promise<RangeAnswer> {
    return readRange(await this.#askMajority('/v3/kv/range', rangeRequest(range), signal));
  }

  /** @throws EtcdRefusal also, when a lease that is named is not there */
  async txn(compare: readonly Condition[], success: readonly Operation[], failure: readonly Operation[] = [], signal?: AbortSignal): Promise<TxnAnswer> {
    return readTxn(await this.#askMajority('/v3/kv/txn', { compare, success, failure }, signal));
  }

  /** etcd may give a longer life than was asked for. */
  async grant(ttlSeconds: number): Promise<{ id: string; ttlSeconds: number }> {
    return readLease(await this.#gateway.ask('/v3/lease/grant', { TTL: String(ttlSeconds) }));
  }

  /** Whether the lease is still there. */
  async keepAlive(lease: string): Promise<boolean> {
    const answer = await this.#gateway.ask('/v3/lease/keepalive', { ID: lease });
    return readLease(field(answer, 'result')).ttlSeconds > 0;
  }

  /** Ends a lease with all keys that hang on it; one that is gone already is well. */
  async revoke(lease: string): Promise<void> {
    try {
      await this.#gateway.ask('/v3/lease/revoke', { ID: lease });
    } catch (error) {
      if (!(error instanceof EtcdRefusal)) throw error;
    }
  }

  async #askMajority(path: string, body: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    const asked = this.#history.now();
    const answer = await this.#gateway.ask(path, body, signal);
    this.#history.saw(readHeader(answer), asked);
    return answer;
  }
}
