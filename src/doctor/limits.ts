import type { ClassLimits } from '../config/domain.ts';
import { isRelay, running } from './facts.ts';
import type { Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** Whether limits are set, and whether the machine can give what they promise. */

const MIB = 1024 * 1024;

/** Resident memory of a connection with a reservation, at most (docs/performance). */
const CONNECTION_BYTES = 80 * 1024;

/** Of the process with nothing to do, and what the collector leaves lying about. */
const BASE_BYTES = 192 * MIB;

/** Files, the admin server's connections and timers: what is open beside the connections. */
const OTHER_DESCRIPTORS = 128;

export function checkPublicLimits(facts: Facts): Item | undefined {
  const { open, limits } = facts.config.relay;
  if (!isRelay(facts)) {
    return undefined;
  }
  if (!open) {
    return ok('public-limits', 'relay.open is false: members only');
  }
  const { circuits, bandwidth, reservations } = limits;
  const isUncapped = circuits.bytesPerDirection === Infinity && bandwidth.perCircuit === Infinity && bandwidth.perPeer === Infinity && bandwidth.total === Infinity;
  return isUncapped
    ? warning('public-limits', 'relay.limits has neither a byte limit nor a bandwidth limit: anyone may send what the line carries', 'set relay.limits.circuits.bytesPerDirection or relay.limits.bandwidth.total, or relay.open: false with a realm')
    : ok('public-limits', `anyone: ${reservations.max} reservations, ${circuits.max} circuits of ${size(circuits.bytesPerDirection)} each way and ${seconds(circuits.durationMs)}`);
}

export function checkMemory(facts: Facts): Item | undefined {
  if (!isRelay(facts)) {
    return undefined;
  }
  const { config, resources } = facts;
  const buffers = classes(facts).reduce((sum, { memory }) => sum + memory.total, 0);
  const whole = buffers + config.connections.max * CONNECTION_BYTES + BASE_BYTES;
  const has = `${mib(resources.memoryLimitBytes)} of memory`;
  const advice = `lower relay.limits.memory.total${config.relay.open ? ' and relay.memberLimits.memory.total' : ''} or connections.max, or use a machine with more memory`;
  if (buffers > resources.memoryLimitBytes) {
    return failed('memory', `relay.limits and relay.memberLimits allow buffers of ${mib(buffers)} together, and there are ${has}: receivers that stall would end the process`, advice);
  }
  return whole > resources.memoryLimitBytes
    ? warning('memory', `at its limits the process would need about ${mib(whole)} (buffers ${mib(buffers)}, ${config.connections.max} connections of up to 80 KiB), and there are ${has}`, advice)
    : ok('memory', `about ${mib(whole)} at its limits, of ${has}`);
}

/** Members' pool stands beside the public one; where nobody is a member it stays empty. */
function classes({ config: { relay, realm } }: Facts): ClassLimits[] {
  const hasMembers = realm.members.length > 0 || realm.authority !== undefined;
  return [...(relay.open ? [relay.limits] : []), ...(hasMembers ? [relay.memberLimits] : [])];
}

export function checkDescriptors(facts: Facts): Item | undefined {
  const { descriptorLimit } = facts.resources;
  const needed = facts.config.connections.max + OTHER_DESCRIPTORS;
  if (descriptorLimit === null) {
    return undefined;
  }
  const whose = running(facts) === undefined ? 'of this shell (a service has its own)' : 'of the daemon';
  const reason = `the limit ${whose} is ${descriptorLimit} open files; connections.max ${facts.config.connections.max} needs ${needed}`;
  return descriptorLimit < needed ? failed('descriptors', reason, 'LimitNOFILE=65536 in the systemd unit, ulimit -n 65536 in a shell, --ulimit nofile=65536 for docker; or lower connections.max') : ok('descriptors', reason);
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}

function size(bytes: number): string {
  return bytes === Infinity ? 'any number of bytes' : bytes < MIB ? `${Math.round(bytes / 1024)} KiB` : mib(bytes);
}

function seconds(ms: number): string {
  return ms === Infinity ? 'any time' : `${Math.round(ms / 1000)} s`;
}
