import type { EtcdConfig } from '../../../src/config/domain.ts';
import type { BackendListener, Registry } from '../../../src/coordination/backend.ts';
import { makeEtcdRegistry } from '../../../src/coordination/etcd/index.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { Beats, Heard } from './rig.ts';
import { proofsOf, signedRecord } from './signed.ts';

/** Far longer than a question may take. */
const HOLDERS_MS = 5_000;

/** As the prefix of all keys has it: `/relayd/test/`. */
const CLUSTER = 'test';

export function etcdRegistry(etcd: EtcdConfig, self: string, epoch: number, listener: BackendListener): Registry {
  return makeEtcdRegistry({ self, epoch, listener, proofs: proofsOf({ id: self, epoch }), config: { cluster: CLUSTER, etcd }, clock: systemClock, log: silentLogger });
}

/** One relay's registry in etcd, with its beats. */
export class EtcdRelay {
  readonly id: string;
  readonly epoch: number;
  readonly heard = new Heard();
  readonly registry: Registry;
  readonly beats: Beats;
  /** What the next beats tell. */
  record: string;

  constructor(etcd: EtcdConfig, id: string, epoch = 1) {
    this.id = id;
    this.epoch = epoch;
    this.record = signedRecord(this, 'record').toString();
    this.registry = etcdRegistry(etcd, id, epoch, this.heard);
    this.beats = new Beats(this.registry, () => Buffer.from(this.record));
  }

  async start(): Promise<this> {
    await this.registry.start();
    await this.beats.start();
    return this;
  }

  async stop(): Promise<void> {
    this.beats.stop();
    await this.registry.leave();
    await this.registry.stop();
  }

  async kill(): Promise<void> {
    this.beats.stop();
    await this.registry.stop();
  }

  /** The newest record of `other` that has been heard. */
  recordOf(other: EtcdRelay): string {
    return Buffer.from(this.heard.relays.get(other.id) ?? Buffer.of()).toString();
  }

  holders(peer: string): Promise<string[]> {
    return this.registry.holders(peer, AbortSignal.timeout(HOLDERS_MS));
  }
}
