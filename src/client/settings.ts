import type { RelaydConfig } from '../config/domain.ts';
import type { ProbeSettings } from './probing.ts';

/** What the supervisor takes from the configuration; all of it may change while it runs, except `allowPrivate`. */
export interface SupervisorSettings {
  /** Full multiaddrs of relays. */
  readonly relays: readonly string[];
  /** Full multiaddrs of peers that may be relays. */
  readonly bootstrap: readonly string[];
  /** Reservations to hold. */
  readonly desired: number;
  readonly probe: ProbeSettings;
  /** Announce private and loopback addresses of relays too. */
  readonly allowPrivate: boolean;
}

export function supervisorSettings(config: RelaydConfig): SupervisorSettings {
  return {
    relays: config.client.relays,
    bootstrap: config.discovery.bootstrap,
    desired: config.client.desired,
    probe: config.client.probe,
    allowPrivate: config.network.allowPrivate,
  };
}
