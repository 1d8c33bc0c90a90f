import { loadConfig } from '../../config/index.ts';
import type { OldFile } from './old-file.ts';
import type { Plan } from './plan.ts';

/** What the old daemon listened on when its config did not say. */
const OLD_LISTEN = ['/ip4/0.0.0.0/udp/4001/quic', '/ip6/::/udp/4001/quic', '/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001'];

const LISTEN = 'Network.ListenAddrs';
const ANNOUNCE = 'Network.AnnounceAddrs';

/** @param privateNetwork whether a swarm key is in use, which QUIC cannot have */
export function translateAddresses(old: OldFile, plan: Plan, privateNetwork: boolean): void {
  const listen = usable(old.strings(LISTEN, OLD_LISTEN), LISTEN, 'listen', plan, privateNetwork);
  if (listen.length === 0 && old.problems.length === 0) {
    old.reject(LISTEN, 'no address in it has a counterpart', 'at least one over TCP, such as "/ip4/0.0.0.0/tcp/4001"');
  }
  plan.set(LISTEN, 'network.listen', listen);
  const announce = usable(old.strings(ANNOUNCE, []), ANNOUNCE, 'announce', plan, privateNetwork);
  if (announce.length > 0) {
    plan.set(ANNOUNCE, 'network.announce', announce);
  }
}

function usable(addresses: readonly string[], field: string, key: 'listen' | 'announce', plan: Plan, privateNetwork: boolean): string[] {
  const kept = new Set<string>();
  for (const [index, written] of addresses.entries()) {
    const address = written.replace(DRAFT_QUIC, '$1/quic-v1');
    const why = problemWith(address, key, privateNetwork);
    if (why !== undefined) {
      plan.leave(`${field}[${index}] ${written}`, why);
    } else if (address !== written) {
      plan.change(`${field}[${index}] ${written}`, `becomes ${address}: draft 29 of QUIC is spoken by nobody any more`);
    }
    if (why === undefined) {
      kept.add(address);
    }
  }
  return [...kept];
}

const DRAFT_QUIC = /(\/udp\/\d+)\/quic(?=\/|$)/;

/** Why there can be no such address, or `undefined`: the config's own rules decide. */
function problemWith(address: string, key: 'listen' | 'announce', privateNetwork: boolean): string | undefined {
  if (/\/(webtransport|certhash)(\/|$)/.test(address)) {
    return 'p2p-relayd has no WebTransport; browsers come over secure WebSocket';
  }
  if (privateNetwork && address.includes('/quic')) {
    return 'a private network cannot run over QUIC, here as there';
  }
  const result = loadConfig({ inline: { network: { [key]: [address] } }, env: {} });
  return result.ok ? undefined : result.problems.map(({ problem, expected }) => `${problem}; ${expected}`).join('; ');
}
