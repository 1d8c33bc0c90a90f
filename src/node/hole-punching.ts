import type { Registry } from 'prom-client';
import type { RelaydConfig } from '../config/domain.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { HolePunching } from '../reachability/index.ts';
import { canSharePorts, holePunchers } from '../transport/index.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { Host } from './host.ts';

/** Whether circuits are to be replaced by direct connections. */
function punchesHoles({ role, client }: Pick<RelaydConfig, 'role' | 'client'>): boolean {
  return role !== 'relay' && client.holePunch;
}

/** Whether this node's dials come from ports that holes can be punched from. */
export async function sharesPorts(config: RelaydConfig, log: Logger): Promise<boolean> {
  if (!punchesHoles(config) || config.network.dataPath !== 'native') {
    return false;
  }
  const can = await canSharePorts();
  if (!can) log.info({ platform: process.platform }, 'hole punching over TCP is not possible here: two connections cannot come from one port');
  return can;
}

interface HolePunchingParts {
  host: Host;
  addresses: AddressPolicy;
  registry: Registry;
}

/** `undefined` on a node that holds no circuits of its own, or is told not to (`client.holePunch`). */
export function makeHolePunching({ config, clock, log }: { config: RelaydConfig; clock: Clock; log: Logger }, { host, addresses, registry }: HolePunchingParts): HolePunching | undefined {
  if (!punchesHoles(config)) {
    return undefined;
  }
  const { components } = host;
  const punchers = holePunchers(components.transportManager.getTransports(), { upgrader: components.upgrader, logger: components.logger, clock });
  return new HolePunching({ host: components, punchers, mayTell: (addr) => addresses.mayTell(addr), clock, log, registry });
}
