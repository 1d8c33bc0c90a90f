import type { KeyObject } from 'node:crypto';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { parseRealmKey } from '../lib/membership/realm-key.ts';
import type { TokenLimits, TokenProblem, TokenUse } from '../lib/membership/verifier.ts';
import { decodeContent, encodeContent } from './content.ts';
import type { TokenContent } from './content.ts';
import { seal, sealedBy, splitSealed } from './signature.ts';
import type { Sealed } from './signature.ts';

/** The bytes of a token: what a request carries. */
export const MAX_TOKEN_BYTES = 1024;

/** What the text of a token begins with. */
export const TOKEN_TEXT = 'relaytoken1.';

/** Two machines that keep their clocks by NTP differ by far less; two that do not, by far more. */
const MAX_TOLERANCE_MS = 60_000;
/** So that a token for a minute does not hold for three. */
const TOLERANCE_OF_LIFE = 0.1;

/** What a token says, for whoever holds it. */
export interface TokenFacts {
  /** As they go on the wire. */
  readonly bytes: Uint8Array;
  /** 16 hex digits. */
  readonly id: string;
  readonly realm: string;
  /** `undefined`: a bearer token. */
  readonly peer: string | undefined;
  /** How many different peers may use it; of a bearer token only. */
  readonly maxPeers: number | undefined;
  /** Unix milliseconds, as signed. */
  readonly notBeforeWall: number;
  /** Unix milliseconds, as signed. */
  readonly expiresAtWall: number;
  /** For clocks that differ: it is taken this much earlier and later. */
  readonly toleranceMs: number;
  readonly uses: readonly TokenUse[];
  readonly limits: TokenLimits;
}

export function signToken(content: TokenContent, key: KeyObject): Uint8Array {
  return seal('token', encodeContent(content), key);
}

/** What a token says, and what is signed of it; nobody has looked at the signature yet. */
export interface UncheckedToken {
  readonly content: TokenContent;
  readonly sealed: Sealed;
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeToken(bytes: Uint8Array): UncheckedToken {
  const sealed = bytes.byteLength > MAX_TOKEN_BYTES ? undefined : splitSealed(bytes);
  if (sealed === undefined) {
    throw new RelaydError('MALFORMED_MESSAGE', `${bytes.byteLength} bytes are no token`);
  }
  return { content: decodeContent(sealed.payload), sealed };
}

/** How much clocks may differ, at both ends of the token's time: a minute, or a tenth of its life when that is less. */
export function toleranceMs({ notBeforeSeconds, expiresSeconds }: TokenContent): number {
  return Math.min(MAX_TOLERANCE_MS, (expiresSeconds - notBeforeSeconds) * 1000 * TOLERANCE_OF_LIFE);
}

/** As people copy it. */
export function formatToken(bytes: Uint8Array): string {
  return TOKEN_TEXT + Buffer.from(bytes).toString('base64url');
}

/**
 * Reads a token as {@link formatToken} writes it, white space around it aside. Whether its time has come, or passed, is not looked at.
 *
 * @param authorityKey whose signature it must have, as realm.authority of the configuration; without one the signature is not checked
 * @throws RelaydError TOKEN_INVALID with `data.problem`, a TokenProblem
 */
export function readToken(text: string, authorityKey?: string): TokenFacts {
  const word = text.trim();
  const bytes = word.startsWith(TOKEN_TEXT) ? Buffer.from(word.slice(TOKEN_TEXT.length), 'base64url') : Buffer.alloc(0);
  // One text a token: another alphabet, padding or bits behind the last byte are not ours.
  if (bytes.byteLength === 0 || formatToken(bytes) !== word) {
    throw invalid('token malformed', `this is not a membership token: it would begin with ${TOKEN_TEXT} and go on with base64url, as \`relayd realm issue\` prints it; was it copied whole?`);
  }
  return readTokenBytes(new Uint8Array(bytes), authorityKey);
}

/** As {@link readToken}, of the bytes that go on the wire. */
export function readTokenBytes(bytes: Uint8Array, authorityKey?: string): TokenFacts {
  const { content, sealed } = decoded(bytes);
  const key = authorityKey === undefined ? undefined : parseRealmKey(authorityKey);
  if (authorityKey !== undefined && (key === undefined || !sealedBy(key)('token', sealed))) {
    throw invalid('token signature', `this token was not signed by ${authorityKey}, or was altered since`);
  }
  return factsOf(bytes, content);
}

function decoded(bytes: Uint8Array): UncheckedToken {
  try {
    return decodeToken(bytes);
  } catch (cause) {
    throw invalid('token malformed', `this membership token is damaged or not complete (${errorMessage(cause)})`, cause);
  }
}

function factsOf(bytes: Uint8Array, content: TokenContent): TokenFacts {
  const { id, realm, peer, maxPeers, notBeforeSeconds, expiresSeconds, uses, limits } = content;
  const times = { notBeforeWall: notBeforeSeconds * 1000, expiresAtWall: expiresSeconds * 1000, toleranceMs: toleranceMs(content) };
  return { bytes, id, realm, peer: peer?.toString(), maxPeers, ...times, uses, limits };
}

function invalid(problem: TokenProblem, message: string, cause?: unknown): RelaydError {
  return new RelaydError('TOKEN_INVALID', message, { cause, data: { problem } });
}
