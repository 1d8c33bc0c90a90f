import { createHash } from 'node:crypto';
import type { AccessList, RelaydConfig } from '../config/domain.ts';
import type { RelayFacts } from '../coordination/index.ts';
import { isCircuit, ownAddress } from '../lib/addresses.ts';
import type { RelayCounts } from '../lib/contracts.ts';
import type { RelayService } from '../relay/index.ts';
import type { Host } from './host.ts';
import { VERSION } from './version.ts';

export interface FactSources {
  readonly config: RelaydConfig;
  readonly state: RelayFacts['state'];
  readonly host: Host;
  readonly relay: RelayService;
  readonly peerId: string;
  /** Of {@link digestOf}. */
  readonly digest: string;
  readonly secrets: readonly string[];
}

/** A load that moved by less is the same: each change is told to the whole cluster. */
const LOAD_STEP = 0.05;

/** Enough to tell two configurations apart; it guards against mistakes, not against people. */
const DIGEST_CHARS = 16;

/** What this relay says of itself to the others of its cluster. */
export function clusterFacts({ config, state, host, relay, peerId, digest, secrets }: FactSources): RelayFacts {
  const { classes, bytesRelayed } = relay.counts();
  const told = host.libp2p.getMultiaddrs().filter((addr) => !isCircuit(addr));
  const listened = host.listenAddrs().filter((addr) => !isCircuit(addr)).flatMap((addr) => ownAddress(addr, peerId));
  return {
    state,
    addrs: told.map(String),
    linkAddrs: [...new Set([...told, ...listened].map(String))],
    region: config.relay.region,
    version: VERSION,
    classes: { public: countsOf(classes.public), member: countsOf(classes.member) },
    bytesRelayed,
    load: Math.max(loadOf(classes.public), loadOf(classes.member)),
    digest,
    secrets,
  };
}

function countsOf({ reservations, circuits }: RelayCounts): Pick<RelayCounts, 'reservations' | 'circuits'> {
  return { reservations, circuits };
}

/** Of a class that nobody can be in: none. */
function loadOf({ reservations, circuits }: RelayCounts): number {
  const share = ({ count, max }: { count: number; max: number }): number => (max === 0 ? 0 : Math.min(1, count / max));
  return Math.round(Math.max(share(reservations), share(circuits)) / LOAD_STEP) * LOAD_STEP;
}

/** Of what all relays of a cluster should have in common. What one relay carries (`relay.limits`) may differ with its machine. */
export function digestOf({ coordination: { limits, memberLimits }, realm: { name, authority, members }, relay: { access } }: RelaydConfig): string {
  const lists = [access.reserve, access.connect, access.target].map(inOrder);
  const common = JSON.stringify([limits, memberLimits, name, authority, [...members].sort(), lists], (_key, value: unknown) => (value === Infinity ? 'unlimited' : value));
  return createHash('sha256').update(common).digest('hex').slice(0, DIGEST_CHARS);
}

/** The order of rules means nothing. */
function inOrder({ allow, deny }: AccessList): AccessList {
  return { allow: [...allow].sort(), deny: [...deny].sort() };
}
