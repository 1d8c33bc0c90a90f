import type { QuotaClaim, RelayCluster } from '../../lib/cluster/relay-cluster.ts';
import type { CircuitShare } from './circuit-share.ts';

/** Knows which circuits use which quota, and ends them when it is used up. */
export class QuotaUse {
  readonly #cluster: RelayCluster;
  readonly #users = new Map<string, Set<CircuitShare>>();
  #unlisten: (() => void) | undefined;

  constructor(cluster: RelayCluster) {
    this.#cluster = cluster;
  }

  start(): void {
    this.#unlisten ??= this.#cluster.onUsedUp((key) => [...(this.#users.get(key) ?? [])].forEach((user) => user.usedUp(key)));
  }

  stop(): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
  }

  add(user: CircuitShare, quotas: readonly QuotaClaim[]): void {
    for (const { key } of quotas) {
      const users = this.#users.get(key) ?? new Set();
      this.#users.set(key, users.add(user));
    }
  }

  remove(user: CircuitShare, quotas: readonly QuotaClaim[]): void {
    for (const { key } of quotas) {
      const users = this.#users.get(key);
      users?.delete(user);
      if (users?.size === 0) this.#users.delete(key);
    }
  }
}
