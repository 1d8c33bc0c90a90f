import { RelaydError } from '../../lib/errors.ts';
import { readTokenBytes } from '../../realm/index.ts';
import type { TokenFacts } from '../../realm/index.ts';
import { decodeInvitation } from '../../realm/invitation.ts';
import type { Invitation } from '../../realm/invitation.ts';
import { duration } from '../format.ts';

/** A line that holds as far as can be seen without asking anybody. */
export interface CheckedLine extends Invitation {
  readonly facts: TokenFacts;
}

/**
 * Reads a line, checks the signature in it, and that it is neither of the past nor for another realm.
 *
 * @throws RelaydError INVITATION_INVALID with `data.problem`
 */
export function checkLine(text: string, nowMs: number): CheckedLine {
  const invitation = decodeInvitation(text);
  const facts = readFacts(invitation);
  if (facts.realm !== invitation.realm) {
    throw wrong('altered', `the line is of realm ${invitation.realm}, its token of realm ${facts.realm}: somebody put it together from two; ask for a new one`);
  }
  if (nowMs > facts.expiresAtWall + facts.toleranceMs) {
    throw wrong('expired', `the invitation expired ${when(facts.expiresAtWall)}, ${duration(nowMs - facts.expiresAtWall)} ago; ask for a new one (or set this machine's clock, if it is wrong: it says ${when(nowMs)})`);
  }
  if (nowMs < facts.notBeforeWall - facts.toleranceMs) {
    throw wrong('not yet valid', `the invitation holds from ${when(facts.notBeforeWall)} on, and this machine's clock says ${when(nowMs)}; set the clock if it is wrong`);
  }
  return { ...invitation, facts };
}

function readFacts({ token, authority }: Invitation): TokenFacts {
  try {
    return readTokenBytes(token, authority);
  } catch (cause) {
    const signature = cause instanceof RelaydError && cause.data['problem'] === 'token signature';
    const text = signature ? 'the signature in the line is not that of the realm it names' : 'the line is whole, but the token in it is none';
    throw new RelaydError('INVITATION_INVALID', `${text}; ask for a new one`, { cause, data: { problem: signature ? 'signature' : 'altered' } });
  }
}

/** `2026-11-28 20:15 UTC` */
export function when(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function wrong(problem: string, text: string): RelaydError {
  return new RelaydError('INVITATION_INVALID', text, { data: { problem } });
}
