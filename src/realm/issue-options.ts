import type { PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { RelaydError } from '../lib/errors.ts';
import type { TokenLimits, TokenUse } from '../lib/membership/verifier.ts';
import { MAX_BEARERS, MAX_TUNNELS, TUNNEL_PREFIX } from './content.ts';
import { NAME_FORM, isName } from './names.ts';

/** What a token is to say. */
export interface IssueOptions {
  /** The member; without one, whoever has the token is. */
  readonly peer?: string;
  /** How many different peers may use a token that names none; 1 if not said. */
  readonly maxPeers?: number;
  readonly expiresMs: number;
  readonly uses: readonly TokenUse[];
  readonly limits?: TokenLimits;
  /** For the one who reads the list of tokens; not in the token. */
  readonly note?: string;
}

/** The longest that a token may hold: one that is to hold for ever is a hole that nobody sees. */
const MAX_LIFE_MS = 3650 * 24 * 3_600_000;
/** Times are in whole seconds. */
const MIN_LIFE_MS = 1000;

export const LIFE_FORM = '1 second to 3650 days';

export function isLife(ms: number): boolean {
  return ms >= MIN_LIFE_MS && ms <= MAX_LIFE_MS;
}

const MAX_NOTE_CHARS = 200;

export const NOTE_FORM = `one line of at most ${MAX_NOTE_CHARS} characters`;

export function isNote(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return text.length <= MAX_NOTE_CHARS && !/[\u0000-\u001f\u007f]/.test(text);
}

/** The options, all there and in order. @throws RelaydError BAD_REQUEST that says what is wrong */
export function checkedIssue({ peer, maxPeers, expiresMs, uses, limits = {}, note }: IssueOptions): { peer: PeerId | undefined; maxPeers: number | undefined; uses: TokenUse[] } {
  refuseIf(!isLife(expiresMs), `a token holds for ${LIFE_FORM}`);
  refuseIf(peer !== undefined && maxPeers !== undefined, 'a token is for one peer, or for a number of whoever has it: name a peer or a number of peers');
  refuseIf(maxPeers !== undefined && !isBetween(maxPeers, 1, MAX_BEARERS), `a token that names no peer is for 1 to ${MAX_BEARERS} of them`);
  for (const [name, value] of Object.entries(limits)) {
    refuseIf(value !== undefined && !isBetween(value, 1, Number.MAX_SAFE_INTEGER), `the limit ${name} is a whole number from 1`);
  }
  refuseIf(note !== undefined && !isNote(note), `a note is ${NOTE_FORM}`);
  return { peer: peer === undefined ? undefined : peerFrom(peer), maxPeers: peer === undefined ? (maxPeers ?? 1) : undefined, uses: inOrder(uses) };
}

export function badRequest(message: string, cause?: unknown): RelaydError {
  return new RelaydError('BAD_REQUEST', message, { cause });
}

function refuseIf(wrong: boolean, message: string): void {
  if (wrong) throw badRequest(message);
}

function isBetween(value: number, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= min && value <= max;
}

/** @throws RelaydError BAD_REQUEST */
export function peerFrom(text: string): PeerId {
  try {
    const peer = peerIdFromString(text);
    // An id that no relay knows a peer by (a URL's) would make a member of nobody.
    if (peer.type !== 'url') return peer;
  } catch {
    // As below.
  }
  throw badRequest(`"${text}" is not a peer id, such as 12D3KooW… (\`relayd key show\` prints one)`);
}

function inOrder(uses: readonly TokenUse[]): TokenUse[] {
  const names = uses.filter((use) => use.startsWith(TUNNEL_PREFIX)).map((use) => use.slice(TUNNEL_PREFIX.length));
  const tunnels = [...new Set(names)].sort();
  refuseIf(uses.length === 0, 'a token allows something: reserve, connect or tunnel:NAME');
  refuseIf(tunnels.length > MAX_TUNNELS, `a token is for at most ${MAX_TUNNELS} tunnels`);
  tunnels.forEach((name) => refuseIf(!isName(name), `"${name}" is not the name of a tunnel; ${NAME_FORM}`));
  const plain = (['reserve', 'connect'] as const).filter((use) => uses.includes(use));
  return [...plain, ...tunnels.map((name): TokenUse => `${TUNNEL_PREFIX}${name}`)];
}
