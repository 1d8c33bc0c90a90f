import type { Clock } from '../../lib/clock.ts';
import type { EtcdClient } from './client.ts';
import type { Keys } from './keys.ts';
import type { Session } from './session.ts';

/** What a relay needs to write what it says about itself. */
export interface OwnDataOptions {
  readonly self: string;
  readonly epoch: number;
  readonly keys: Keys;
  readonly client: EtcdClient;
  readonly session: Session;
  readonly clock: Clock;
}
