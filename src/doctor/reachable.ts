import type { DialBackRow, OutsideRow } from '../lib/contracts.ts';
import { isRelay, LISTEN_CODES, running } from './facts.ts';
import type { Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

const ASK_ADVICE = 'relayd doctor --ask ADDRESS, with the full address of a relay on another network (one of yours, or any go-libp2p node): it dials back';

/** Whether peers that were asked reach this node. */
export function checkReachable(facts: Facts): Item | undefined {
  const { network, config } = facts;
  if (!isRelay(facts)) {
    return clientItem(facts);
  }
  if (config.network.listen.length === 0 || (network.problem !== undefined && LISTEN_CODES.has(network.problem.code))) {
    return undefined;
  }
  if (network.problem !== undefined) {
    return warning('reachable', `nobody could be asked: ${network.problem.message} (${network.problem.code})`, ASK_ADVICE);
  }
  if (network.rows === undefined || network.rows.length === 0) {
    return warning('reachable', 'nobody was asked whether this relay can be reached from outside', ASK_ADVICE);
  }
  const answers = network.rows.flatMap((row) => row.dialBacks.filter(({ outcome }) => outcome === 'reachable' || outcome === 'unreachable').map((dialBack) => ({ ...dialBack, by: row })));
  if (answers.length === 0) {
    return warning('reachable', `nobody could say: ${network.rows.map(whyNot).join('; ')}`, ASK_ADVICE);
  }
  return judge(answers);
}

type Answer = DialBackRow & { readonly by: OutsideRow };

function judge(answers: readonly Answer[]): Item {
  const own = answers.filter(({ guessed }) => !guessed);
  const reached = answers.filter(({ outcome }) => outcome === 'reachable');
  const asked = `${new Set(answers.map(({ by }) => by.peer)).size} asked`;
  if (reached.length === 0) {
    return failed('reachable', `peers cannot open a connection to ${list(answers)} (${asked})`, 'open the port in the firewall (and in the security group of the provider); behind a router forward it, and set network.announce');
  }
  const denied = own.filter(({ addr, outcome }) => outcome === 'unreachable' && !reached.some((other) => other.addr === addr));
  if (denied.length > 0) {
    return warning('reachable', `peers reach ${list(reached)}, and not ${list(denied)}`, 'open that address in the firewall, or take it out of network.announce or network.listen');
  }
  if (own.every(({ outcome }) => outcome !== 'reachable')) {
    return warning('reachable', `peers reach ${list(reached)}, which this relay does not tell others`, `set network.announce: [${[...new Set(reached.map(({ addr }) => addr))].join(', ')}]`);
  }
  return ok('reachable', `peers reach ${list(reached)} (${asked})`);
}

function list(answers: readonly Answer[]): string {
  return [...new Set(answers.map(({ addr }) => addr))].join(', ');
}

function whyNot({ addr, error, seenAt, dialBacks }: OutsideRow): string {
  if (error !== undefined) {
    return `${addr}: ${error}`;
  }
  if (dialBacks.length === 0) {
    return `${addr}: this relay has no address to be dialled at (it is seen at ${seenAt ?? 'an address unknown'})`;
  }
  const broken = dialBacks.find(({ outcome }) => outcome === 'failed');
  return broken === undefined ? `${addr}: dials only ${seenAt ?? 'where it sees this relay'}, which is none of its addresses` : `${addr}: ${broken.reason ?? 'no answer'}`;
}

function clientItem(facts: Facts): Item | undefined {
  const found = running(facts)?.status.client?.reachability;
  if (found === undefined || found === 'unknown') {
    return undefined;
  }
  return ok('reachable', found === 'public' ? 'peers reach this node directly' : 'peers do not reach this node directly, which is what it has relays for');
}
