import type { Multiaddr } from '@multiformats/multiaddr';
import { multiaddr } from '@multiformats/multiaddr';
import type { ClientView, NodeState } from '../lib/contracts.ts';
import { errorMessage } from '../lib/errors.ts';
import type { SelfCheck } from './self-check.ts';

export interface ReadinessSources {
  state: NodeState;
  /** For a relay: the check, and the addresses of its sockets. */
  relay?: { check: SelfCheck; addrs: Multiaddr[]; peerId: string };
  client?: ClientView;
}

/** Why the node is not ready; empty when it is. A relay proves it by real work through itself. */
export async function readinessProblems(sources: ReadinessSources, signal: AbortSignal): Promise<string[]> {
  if (sources.state !== 'ready') {
    return [sources.state];
  }
  const problems = [await relayProblem(sources.relay, signal), clientProblem(sources.client)];
  return problems.filter((problem) => problem !== undefined);
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
