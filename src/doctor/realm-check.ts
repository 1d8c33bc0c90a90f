import { TOKEN_PROBLEMS } from '../lib/membership/verifier.ts';
import { running } from './facts.ts';
import type { Facts, ReadableToken } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

const DAY_MS = 24 * 3_600_000;
/** Time to have a new one issued. */
const SOON_MS = 3 * DAY_MS;

const NEW_TOKEN = 'have the authority of the realm issue a new one (relayd realm issue), and put it into realm.tokenFile';

/** This node's own membership. */
export function checkToken(facts: Facts): Item | undefined {
  const token = facts.files?.token;
  if (token === undefined) {
    return undefined;
  }
  if (token.problem !== undefined) {
    return failed('membership-token', token.problem, NEW_TOKEN);
  }
  const wrong = notOurs(token, facts);
  if (wrong !== undefined) {
    return failed('membership-token', wrong, NEW_TOKEN);
  }
  const refused = running(facts)?.relays.find(({ reason }) => TOKEN_PROBLEMS.some((problem) => reason?.includes(problem)));
  if (refused !== undefined) {
    return failed('membership-token', `the relay ${refused.peer} does not take it: ${refused.reason}`, NEW_TOKEN);
  }
  const leftMs = token.expiresAtMs - facts.nowMs;
  if (leftMs <= 0) {
    return failed('membership-token', `expired on ${day(token.expiresAtMs)}`, NEW_TOKEN);
  }
  if (token.notBeforeMs > facts.nowMs) {
    return failed('membership-token', `valid only from ${new Date(token.notBeforeMs).toISOString()}`, 'is the clock of this machine right? Else wait, or have another issued');
  }
  return leftMs < SOON_MS ? warning('membership-token', `expires on ${day(token.expiresAtMs)}`, NEW_TOKEN) : ok('membership-token', `member of ${token.realm} until ${day(token.expiresAtMs)}`);
}

/** Why it is nothing to this node. */
function notOurs({ peer, realm }: ReadableToken, { config, files }: Facts): string | undefined {
  const key = files?.key;
  if (peer !== undefined && key?.state === 'good' && peer !== key.peerId) {
    return `it is for the peer ${peer}, and this one is ${key.peerId}`;
  }
  return config.realm.name === undefined || realm === config.realm.name ? undefined : `it is of the realm ${realm}, and realm.name is ${config.realm.name}`;
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
