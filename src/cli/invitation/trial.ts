import { connect } from 'node:net';
import type { CandidateRow, TunnelRow } from '../../lib/contracts.ts';
import { systemClock } from '../../lib/clock.ts';
import { sleep } from '../../lib/deadline.ts';
import { RelaydError } from '../../lib/errors.ts';
import { TOKEN_PROBLEMS } from '../../lib/membership/verifier.ts';
import type { TokenProblem } from '../../lib/membership/verifier.ts';
import type { RelayNode } from '../../node/index.ts';

/** Long enough for a slow network and a relay that is asked twice; a person waits for it. */
const TRIAL_MS = 30_000;

/** Between one look and the next. */
const LOOK_AGAIN_MS = 100;

/** A tunnel that failed for another reason than a no is tried again after this. */
const AGAIN_MS = 1_000;

/** What a problem with the token means for the person who pasted the line. */
const MEANING: Readonly<Record<TokenProblem, string>> = {
  'token malformed': 'the relay cannot read the token; it may need a newer relayd',
  'token signature': 'the relay does not know the key of this realm any more; ask for a new line',
  'token wrong realm': 'the relay does not serve this realm; ask for a new line',
  'token not yet valid': 'the invitation is not valid yet; do the clocks of both machines agree?',
  'token expired': 'the invitation has expired; ask for a new one',
  'token wrong peer': 'the invitation is for another machine; ask for one for this peer id',
  'token used up': 'the invitation is used up: as many machines as it allows have joined with it; ask for a new one',
  'token use': 'the invitation does not allow this; ask for one that does',
  'token revoked': 'the invitation was revoked',
};

/**
 * Waits until a relay has taken this node in; `signal` gives up.
 *
 * @returns the relay's peer id
 * @throws RelaydError INVITATION_INVALID when a relay says no to the token, RESERVATION_REFUSED when all say no for another reason, TIMEOUT
 */
export async function untilReserved(node: RelayNode, signal: AbortSignal): Promise<string> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TRIAL_MS)]);
  for (;;) {
    const rows = node.view.relays();
    const held = rows.find(({ state }) => state === 'reserved');
    const no = rows.filter(isRefused);
    if (held !== undefined) {
      return held.peer;
    }
    if (limit.aborted || (no.length > 0 && no.length === rows.length)) {
      throw tokenProblem(reasons(no)) ?? new RelaydError(limit.aborted ? 'TIMEOUT' : 'RESERVATION_REFUSED', `no relay took this machine in: ${reasons(rows)}`);
    }
    await sleep(LOOK_AGAIN_MS, systemClock, limit);
  }
}

/** Why the relay that holds this node's reservation serves it as anyone, when it does. */
export function servedAsAnyone(node: RelayNode): RelaydError | undefined {
  return tokenProblem(reasons(node.view.relays().filter(({ state, reason = '' }) => state === 'reserved' && reason.includes('served as anyone'))));
}

/** It has answered, and the answer was no. */
function isRefused({ state, reason = '' }: CandidateRow): boolean {
  return (state === 'backoff' || state === 'lost') && (reason.startsWith('refused: ') || reason.includes(' answered '));
}

function reasons(rows: readonly CandidateRow[]): string {
  return rows.map(({ addr, reason = 'no answer yet' }) => `${addr}: ${reason.replace(/^in back-off after .*?: /, '')}`).join('; ') || 'none is known';
}

/**
 * Opens one connection through the node's first forward and closes it again; `signal` gives up.
 *
 * @throws RelaydError INVITATION_INVALID when the token is what is wrong, TUNNEL_REFUSED when the other side says no for another reason, DIAL_FAILED
 * when it was not reached in time
 */
export async function tryTunnel(node: RelayNode, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TRIAL_MS)]);
  for (;;) {
    const before = forwardOf(node);
    const after = await tryOnce(node, before, limit);
    if (after.opened > before.opened) {
      return;
    }
    const text = after.lastError ?? 'no answer';
    if (limit.aborted || text.includes(' answered ')) {
      throw tokenProblem(`${text}; ${reasons(node.view.relays().filter(isRefused))}`) ?? unusable(after, before, text);
    }
    await sleep(AGAIN_MS, systemClock, limit);
  }
}

function unusable(after: TunnelRow, before: TunnelRow, text: string): RelaydError {
  if (after.refused > before.refused) {
    return new RelaydError('TUNNEL_REFUSED', `the machine that has the service ${after.name} does not let this one use it (${text}): the line was taken back, or as many machines use it as may`);
  }
  return new RelaydError('DIAL_FAILED', `the service ${after.name} cannot be used: ${whyUnusable(text)}`);
}

function whyUnusable(text: string): string {
  if (text.includes('NO_RESERVATION')) {
    return `its machine is not there now; is relayd running on it? (${text})`;
  }
  return text.includes('UNREACHABLE') ? `its machine is there, but the service does not run on it (${text})` : `${text}; is its machine on, and relayd running there?`;
}

/** The counts after one more connection has been made, or refused. */
async function tryOnce(node: RelayNode, before: TunnelRow, signal: AbortSignal): Promise<TunnelRow> {
  const { host } = node.config.tunnels.forward[0]?.listen ?? { host: '127.0.0.1' };
  const socket = connect({ host, port: node.forwardPorts[0] ?? 0 });
  socket.on('error', () => {});
  try {
    while (!signal.aborted && !hasMoved(before, forwardOf(node))) {
      await sleep(LOOK_AGAIN_MS, systemClock, signal);
    }
    return forwardOf(node);
  } finally {
    socket.destroy();
  }
}

function forwardOf(node: RelayNode): TunnelRow {
  const row = node.view.tunnels().find(({ kind }) => kind === 'forward');
  if (row === undefined) {
    throw new RelaydError('CLOSED', 'the node has no tunnel');
  }
  return row;
}

function hasMoved(before: TunnelRow, after: TunnelRow): boolean {
  return after.opened + after.refused + after.failed > before.opened + before.refused + before.failed;
}

/** An error that says what is wrong with the invitation, when `text` names it. */
function tokenProblem(text: string): RelaydError | undefined {
  const found = TOKEN_PROBLEMS.find((problem) => text.includes(problem));
  return found === undefined ? undefined : new RelaydError('INVITATION_INVALID', MEANING[found], { data: { problem: found } });
}
