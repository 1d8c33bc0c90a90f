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
  /** `auto`: none while others reach this node directly. */
  readonly when: 'auto' | 'always';
  /** Regions. */
  readonly prefer: readonly string[];
  readonly avoid: readonly string[];
  readonly probe: ProbeSettings;
  /** Announce private and loopback addresses of relays too. */
  readonly allowPrivate: boolean;
}

export function supervisorSettings(config: RelaydConfig): SupervisorSettings {
  return {
    relays: config.client.relays,
    bootstrap: config.discovery.bootstrap,
    desired: config.client.desired,
    when: config.client.when,
    prefer: config.client.prefer,
    avoid: config.client.avoid,
    probe: config.client.probe,
    allowPrivate: config.network.allowPrivate,
  };
}
