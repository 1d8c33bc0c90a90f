import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { checkLine } from '../../../../src/cli/invitation/line.ts';
import { createAuthority, readToken } from '../../../../src/realm/index.ts';
import type { Authority } from '../../../../src/realm/index.ts';
import { encodeInvitation } from '../../../../src/realm/invitation.ts';
import type { Invitation } from '../../../../src/realm/invitation.ts';
import { tempDir } from '../../admin/server-helpers.ts';
import { makePeerIds } from '../../../support/peer-ids.ts';

const [PEER] = await makePeerIds(1);
const RELAY = `/ip4/203.0.113.7/tcp/4001/p2p/${String(PEER)}`;
const DAY_MS = 86_400_000;
const ISSUED_MS = Date.UTC(2026, 10, 21, 20);

async function authority(t: TestContext): Promise<Authority> {
  return createAuthority(await tempDir(t), 'home', { clock: { wall: () => ISSUED_MS } });
}

async function lineOf(from: Authority, changes: Partial<Invitation> = {}): Promise<string> {
  const { token } = await from.issue({ expiresMs: 7 * DAY_MS, uses: ['reserve', 'connect'] });
  return encodeInvitation({ relays: [RELAY], realm: from.name, authority: from.publicKey, token: readToken(token).bytes, ...changes });
}

describe('a line, checked before anybody is asked', () => {
  it('that is good comes with what its token says', async (t: TestContext) => {
    const { relays, facts } = checkLine(await lineOf(await authority(t)), ISSUED_MS);
    assert.deepEqual([relays, facts.uses, facts.peer, facts.maxPeers], [[RELAY], ['reserve', 'connect'], undefined, 1]);
  });

  it('that has expired says when, and a minute of difference between clocks is none', async (t: TestContext) => {
    const line = await lineOf(await authority(t));
    checkLine(line, ISSUED_MS + 7 * DAY_MS + 59_000);
    assert.throws(() => checkLine(line, ISSUED_MS + 10 * DAY_MS), {
      code: 'INVITATION_INVALID',
      data: { problem: 'expired' },
      message: /^the invitation expired 2026-11-28 20:00 UTC, 3d ago; ask for a new one \(or set this machine's clock, if it is wrong: it says 2026-12-01 20:00 UTC\)$/,
    });
  });

  it('of the future points to the clock', async (t: TestContext) => {
    const line = await lineOf(await authority(t));
    assert.throws(() => checkLine(line, ISSUED_MS - DAY_MS), { data: { problem: 'not yet valid' }, message: /holds from 2026-11-21 .* this machine's clock says 2026-11-20 20:00 UTC/ });
  });

  it('whose token somebody else signed is refused', async (t: TestContext) => {
    const line = await lineOf(await authority(t), { authority: (await authority(t)).publicKey });
    assert.throws(() => checkLine(line, ISSUED_MS), { code: 'INVITATION_INVALID', data: { problem: 'signature' }, message: /signature in the line is not that of the realm/ });
  });

  it('whose token is of another realm, or none at all, is refused', async (t: TestContext) => {
    const mixed = await lineOf(await authority(t), { realm: 'work' });
    assert.throws(() => checkLine(mixed, ISSUED_MS), { data: { problem: 'altered' }, message: /is of realm work, its token of realm home/ });
    const none = await lineOf(await authority(t), { token: new Uint8Array(100) });
    assert.throws(() => checkLine(none, ISSUED_MS), { data: { problem: 'altered' }, message: /the token in it is none/ });
  });
});
