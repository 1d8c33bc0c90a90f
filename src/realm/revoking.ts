import { RelaydError } from '../lib/errors.ts';
import { peerFrom, badRequest } from './issue-options.ts';
import type { Issued, IssuedToken } from './issued.ts';
import { MAX_REVOCATIONS } from './revocation-list.ts';
import type { Revocation, RevocationList } from './revocation-list.ts';
import { TOKEN_TEXT, readToken } from './token.ts';
import type { TokenFacts } from './token.ts';

/** What was taken back, or given back. */
export interface Revoked {
  readonly kind: 'token' | 'peer';
  /** The token's id, or the peer's. */
  readonly what: string;
}

interface Changed {
  readonly issued: Issued;
  readonly done: Revoked;
}

/** A token that has ended is listed, and revoked, for so long: a relay whose clock is days behind still refuses it. */
const KEEP_ENDED_MS = 7 * 24 * 3_600_000;

const TOKEN_ID = /^[0-9a-f]{16}$/;

/**
 * What is known after `what` (a token's id, a token, a peer id) was taken back.
 *
 * @throws RelaydError NOT_FOUND, BAD_REQUEST, TOKEN_INVALID
 */
export function revoked(issued: Issued, what: string, { authority, nowWall }: { authority: string; nowWall: number }): Changed {
  const revokedAt = isoOf(nowWall);
  const changed = what.startsWith(TOKEN_TEXT) ? withoutGiven(issued, readToken(what, authority), revokedAt) : withoutNamed(issued, what, revokedAt);
  const count = changed.issued.peers.length + changed.issued.tokens.filter((token) => token.revokedAt !== undefined).length;
  if (count > MAX_REVOCATIONS) throw badRequest(`${MAX_REVOCATIONS} revocations are in force, as many as a list holds; a token leaves it ${KEEP_ENDED_MS / 86_400_000} days after its end`);
  return changed;
}

/** @throws RelaydError BAD_REQUEST, NOT_FOUND when the peer was not taken off */
export function readmitted(issued: Issued, text: string): Changed {
  if (TOKEN_ID.test(text) || text.startsWith(TOKEN_TEXT)) throw badRequest('a token that was revoked stays so: issue another; only a peer can be let in again');
  const peer = peerFrom(text).toString();
  const peers = issued.peers.filter((revocation) => revocation.peer !== peer);
  if (peers.length === issued.peers.length) throw new RelaydError('NOT_FOUND', `${peer} is not revoked; \`relayd realm list\` shows what is`);
  return { issued: { ...issued, peers }, done: { kind: 'peer', what: peer } };
}

/** @param what a token's id, or a peer's */
function withoutNamed(issued: Issued, what: string, revokedAt: string): Changed {
  const id = what.toLowerCase();
  return TOKEN_ID.test(id) ? withoutToken(issued, id, revokedAt) : withoutPeer(issued, peerFrom(what).toString(), revokedAt);
}

/** One that this authority has signed says itself all that is to be known, also where its record is lost: files restored from an old backup. */
function withoutGiven(issued: Issued, { id, peer, maxPeers, notBeforeWall, expiresAtWall, uses, limits }: TokenFacts, revokedAt: string): Changed {
  const isKnown = issued.tokens.some((token) => token.id === id);
  const record = { id, peer, maxPeers, issuedAt: isoOf(notBeforeWall), expiresAt: isoOf(expiresAtWall), uses, limits };
  return withoutToken(isKnown ? issued : { ...issued, tokens: [...issued.tokens, record] }, id, revokedAt);
}

function isoOf(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

function withoutToken(issued: Issued, id: string, revokedAt: string): Changed {
  if (!issued.tokens.some((token) => token.id === id)) {
    throw new RelaydError('NOT_FOUND', `no token ${id} was issued here; \`relayd realm list\` shows those that were`);
  }
  const mark = (token: IssuedToken): IssuedToken => (token.id === id ? { ...token, revokedAt: token.revokedAt ?? revokedAt } : token);
  return { issued: { ...issued, tokens: issued.tokens.map(mark) }, done: { kind: 'token', what: id } };
}

function withoutPeer(issued: Issued, peer: string, revokedAt: string): Changed {
  const isKnown = issued.peers.some((revocation) => revocation.peer === peer);
  const peers = isKnown ? issued.peers : [...issued.peers, { peer, revokedAt }];
  return { issued: { ...issued, peers }, done: { kind: 'peer', what: peer } };
}

/** Without the tokens that have ended long ago. */
export function withoutEnded(issued: Issued, nowWall: number): Issued {
  return { ...issued, tokens: issued.tokens.filter(({ expiresAt }) => Date.parse(expiresAt) + KEEP_ENDED_MS > nowWall) };
}

/** The list that says all that was taken back. A token's entry needs to stand until the token ends, a peer's for good. */
export function listOf({ realm, sequence, tokens, peers }: Issued, issuedAtSeconds: number): RevocationList {
  const ofTokens = tokens.filter(({ revokedAt }) => revokedAt !== undefined).map(({ id, expiresAt }): Revocation => ({ token: id, untilSeconds: Date.parse(expiresAt) / 1000 }));
  const ofPeers = peers.map(({ peer }): Revocation => ({ peer: peerFrom(peer), untilSeconds: undefined }));
  return { realm, sequence, issuedAtSeconds, entries: [...ofTokens, ...ofPeers] };
}
