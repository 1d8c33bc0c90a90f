import type { Multiaddr } from '@multiformats/multiaddr';
import { multiaddr } from '@multiformats/multiaddr';
import type { ClientView, NodeState } from '../lib/contracts.ts';
import { errorMessage } from '../lib/errors.ts';
import type { EventLoopDelay } from './event-loop.ts';
import type { SelfCheck } from './self-check.ts';

export interface ReadinessSources {
  state: NodeState;
  delay: EventLoopDelay;
  /** For a relay: the check, and the addresses of its sockets. */
  relay?: { check: SelfCheck; addrs: Multiaddr[]; peerId: string };
  client?: ClientView;
  /** Why this relay counts as none of its cluster. */
  cluster?: string | undefined;
}

/** One event in a hundred, over the last seconds, had to wait longer than this: whoever is sent here waits too. */
const LATE_P99_MS = 1_000;
/** A single stall of the last seconds was longer than this. No work of ours takes a part of it: the machine is short of something. */
const STALL_MS = 3_000;

/** Why the node is not ready; empty when it is. A relay proves it by real work through itself. */
export async function readinessProblems(sources: ReadinessSources, signal: AbortSignal): Promise<string[]> {
  if (sources.state !== 'ready') {
    return [sources.state];
  }
  const problems = [delayProblem(sources.delay), await relayProblem(sources.relay, signal), clientProblem(sources.client), sources.cluster];
  return problems.filter((problem) => problem !== undefined);
}

function delayProblem(delay: EventLoopDelay): string | undefined {
  if (delay.maxMs() > STALL_MS) {
    return `the event loop stood still for ${seconds(delay.maxMs())} within the last 10 s`;
  }
  return delay.p99Ms() > LATE_P99_MS ? `the event loop runs ${seconds(delay.p99Ms())} late (p99 of the last 10 s)` : undefined;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

async function relayProblem(relay: ReadinessSources['relay'], signal: AbortSignal): Promise<string | undefined> {
  if (relay === undefined) {
    return undefined;
  }
  const addr = relay.addrs[0];
  if (addr === undefined) {
    return 'the relay listens on no address';
  }
  try {
    await relay.check.run(multiaddr(`${addr.toString().replace(/\/p2p\/[^/]+$/, '')}/p2p/${relay.peerId}`), signal);
    return undefined;
  } catch (error) {
    return `a circuit through this relay itself failed: ${errorMessage(error)}`;
  }
}

function clientProblem(client: ClientView | undefined): string | undefined {
  if (client === undefined || client.desired === 0 || client.held > 0) {
    return undefined;
  }
  const known = client.candidates().length;
  return known === 0 ? 'no relay is known: set client.relays or discovery.bootstrap' : `no reservation is held at any of ${known} known relays`;
}
