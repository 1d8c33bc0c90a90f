import type { Registry } from 'prom-client';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { TokenFor } from '../lib/membership/token-for.ts';
import { Candidates } from './candidates.ts';
import type { ClientComponents } from './components.ts';
import { clientMetrics } from './metrics.ts';
import type { ClientMetrics } from './metrics.ts';
import { RelayAccess } from './relay-access.ts';
import type { SupervisorSettings } from './settings.ts';

export interface ContextOptions {
  components: ClientComponents;
  log: Logger;
  registry: Registry;
  clock?: Clock;
  random?: () => number;
  /** This node's own token; none unless given. */
  tokenFor?: TokenFor;
}

/** What the supervisor answers for. */
interface Hooks {
  readonly settings: () => SupervisorSettings;
  /** Of the current run. */
  readonly signal: () => AbortSignal;
  /** A candidate has changed: a decision is due. */
  readonly changed: () => void;
}

/** What the parts of the supervisor share. */
export interface ClientContext extends Hooks {
  readonly components: ClientComponents;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: ClientMetrics;
  readonly candidates: Candidates;
  readonly access: RelayAccess;
  /** This node's own token. */
  readonly tokenFor: TokenFor;
}

export function makeContext({ components, log, registry, clock = systemClock, random = Math.random, tokenFor = () => undefined }: ContextOptions, hooks: Hooks): ClientContext {
  const metrics = clientMetrics(registry);
  const candidates = new Candidates(components.peerId, metrics);
  const access = new RelayAccess({
    components,
    clock,
    metrics,
    tokenFor,
    pingTimeoutMs: () => hooks.settings().probe.timeoutMs,
    isInUse: (peer) => candidates.get(peer.toString())?.keepsConnection ?? false,
  });
  return { ...hooks, components, clock, random, log, metrics, candidates, access, tokenFor };
}
