import type { Registry } from '../backend.ts';
import { EtcdRegistry } from './registry.ts';
import type { EtcdOptions } from './run.ts';

/** The registry of a cluster that is kept in etcd 3.4 or later. */
export function makeEtcdRegistry(options: EtcdOptions): Registry {
  return new EtcdRegistry(options);
}
