import type { Registry } from 'prom-client';
import type { AdminServer } from '../admin/index.ts';
import type { DirLock } from '../lib/dir-lock.ts';
import { RelaydError } from '../lib/errors.ts';
import type { Lifecycle } from '../lib/lifecycle.ts';
import type { Rooms } from './build.ts';
import type { Identity } from './identity.ts';
import type { Outside } from './outside.ts';
import type { ReadinessWatch } from './readiness-watch.ts';

/** One run of a node, from its start to its stop. */
export interface Running {
  readonly lock: DirLock;
  readonly identity: Identity;
  readonly rooms: Rooms;
  readonly admin: AdminServer;
  readonly lifecycle: Lifecycle;
  readonly readiness: ReadinessWatch;
  readonly outside: Outside;
  /** Of what is measured: by this run of the node, and by the process. */
  readonly registries: readonly Registry[];
  readonly startedAt: number;
}

/** @throws RelaydError CLOSED where there is none */
export function asRunning(running: Running | undefined): Running {
  if (running === undefined) {
    throw new RelaydError('CLOSED', 'the node is not running');
  }
  return running;
}
