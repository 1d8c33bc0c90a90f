import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { createAuthority, readToken } from '../../../src/realm/index.ts';
import { signRevocationList } from '../../../src/realm/revocation-list.ts';
import type { Revocation, RevocationList } from '../../../src/realm/revocation-list.ts';
import { signToken } from '../../../src/realm/token.ts';
import { settled, until } from '../../support/waiting.ts';
import { ANNA, BERT, NOW, configOf, contentOf, folder, makeKey, startNode } from './support.ts';
import type { TestNode } from './support.ts';

const KEY = makeKey();
const TOKEN = signToken(contentOf(), KEY.privateKey);
const TOKEN_GONE: Revocation = { token: '00112233aabbccdd', untilSeconds: NOW + 3600 };
const ANNA_GONE: Revocation = { peer: ANNA, untilSeconds: undefined };

const listOf = (sequence: number, entries: readonly Revocation[] = [], changes: Partial<RevocationList> = {}, key = KEY): Uint8Array => signRevocationList({ realm: 'home', sequence, issuedAtSeconds: NOW, entries, ...changes }, key.privateKey);

interface Rig extends TestNode {
  readonly dataDir: string;
  readonly file: string;
  readonly seen: string;
  /** As a command of the authority does it. */
  replace(bytes: Uint8Array): void;
  /** The second passes after which the file is looked at. */
  look(): Promise<void>;
  verdict(): string;
}

async function rigIn(t: TestContext, dataDir: string, first?: Uint8Array): Promise<Rig> {
  const file = join(dataDir, 'list');
  const replace = (bytes: Uint8Array): void => {
    writeFileSync(`${file}.new`, bytes);
    renameSync(`${file}.new`, file);
  };
  if (first !== undefined) replace(first);
  const node = await startNode(t, { dataDir, authority: KEY.text, config: { revocationFile: file } });
  const look = async (): Promise<void> => {
    node.clock.advance(1000);
    await until(() => node.clock.pending > 0, 'the file to be looked at');
    await settled(2);
  };
  const verdict = (): string => {
    const found = node.realm.verify(TOKEN, ANNA, 'reserve');
    return found.ok ? 'member' : found.problem;
  };
  return { ...node, dataDir, file, seen: join(dataDir, 'realm', 'revocations.seen'), replace, look, verdict };
}

const rig = (t: TestContext, first?: Uint8Array): Promise<Rig> => rigIn(t, folder(t), first);

describe('a revocation list', () => {
  it('is in force from the start, for tokens and for peers, and a node without one revokes nothing', async (t) => {
    const without = await rig(t);
    assert.deepEqual([without.verdict(), without.realm.isRevokedPeer(ANNA), without.realm.revocationList(), without.warnings], ['member', false, undefined, []]);
    const byToken = await rig(t, listOf(3, [TOKEN_GONE]));
    assert.deepEqual([byToken.verdict(), byToken.realm.isRevokedPeer(ANNA), byToken.realm.revocationSequence], ['token revoked', false, 3]);
    const byPeer = await rig(t, listOf(3, [ANNA_GONE]));
    assert.deepEqual([byPeer.verdict(), byPeer.realm.isRevokedPeer(ANNA), byPeer.realm.isRevokedPeer(BERT)], ['token revoked', true, false]);
    assert.match(await byPeer.registry.metrics(), /relayd_realm_revocations 1\n[^]*relayd_realm_revocation_sequence 3\n/);
  });

  it('revokes a peer whose token is for whoever has it', async (t) => {
    const { realm } = await rig(t, listOf(3, [ANNA_GONE]));
    const bearer = signToken(contentOf({ peer: undefined, maxPeers: 9 }), KEY.privateKey);
    assert.deepEqual([realm.verify(bearer, ANNA, 'reserve'), realm.verify(bearer, BERT, 'reserve').ok], [{ ok: false, problem: 'token revoked' }, true]);
  });

  it('is taken over within a second when its file is replaced or first appears, and ends what was granted', async (t) => {
    const { realm, replace, look, verdict } = await rig(t);
    const granted = realm.verify(TOKEN, ANNA, 'reserve');
    assert.ok(granted.ok);
    let told = 0;
    realm.onChange(() => told++);
    await look();
    assert.equal(told, 0);
    replace(listOf(1, [TOKEN_GONE]));
    await look();
    assert.deepEqual([told, realm.endOf(granted.grant), verdict()], [1, 'revoked', 'token revoked']);
    replace(listOf(2));
    await look();
    assert.deepEqual([told, realm.endOf(granted.grant), verdict()], [2, undefined, 'member']);
    replace(listOf(3, [ANNA_GONE]));
    await realm.reload();
    assert.deepEqual([told, realm.endOf(granted.grant)], [3, 'revoked']);
  });

  it('is what the command of an authority in the same data directory writes', async (t) => {
    const dataDir = folder(t);
    const authority = await createAuthority(dataDir, 'home', { clock: new ManualClock(NOW * 1000) });
    const { realm } = await startNode(t, { dataDir, authority: authority.publicKey });
    const { id, token } = await authority.issue({ peer: ANNA.toString(), expiresMs: 60_000, uses: ['reserve'] });
    const { bytes } = readToken(token);
    assert.ok(realm.verify(bytes, ANNA, 'reserve').ok);
    await authority.revoke(id);
    await realm.reload();
    assert.deepEqual(realm.verify(bytes, ANNA, 'reserve'), { ok: false, problem: 'token revoked' });
    await authority.revoke(BERT.toString());
    await realm.reload();
    assert.ok(realm.isRevokedPeer(BERT));
    await authority.readmit(BERT.toString());
    await realm.reload();
    assert.ok(!realm.isRevokedPeer(BERT));
  });

  it('stays in force when its file turns bad or goes, which is said once each', async (t) => {
    const { realm, replace, look, verdict, warnings, file } = await rig(t, listOf(5, [TOKEN_GONE]));
    const altered = listOf(6);
    altered[10] = (altered[10] ?? 0) ^ 1;
    const bad: [() => void, RegExp][] = [
      [() => replace(altered), /not signed by the realm's authority, or altered/],
      [() => replace(listOf(6, [], {}, makeKey())), /not signed by the realm's authority/],
      [() => replace(listOf(6, [], { realm: 'work' })), /it is of the realm work/],
      [() => replace(listOf(4)), /its sequence is lower than 5/],
      [() => replace(new Uint8Array()), /0 bytes are no revocation list/],
      [() => replace(new Uint8Array(2 ** 20 + 1)), /1048577 bytes are more than a revocation list has/],
      [() => rmSync(file), /the revocation list is gone: the last one stays in force/],
      [() => mkdirSync(file), /the revocation list cannot be used: the last one stays in force/],
    ];
    for (const [spoil, warning] of bad) {
      warnings.length = 0;
      spoil();
      await look();
      await look();
      assert.equal(warnings.length, 1, String(warning));
      assert.match(warnings.join(), warning);
      assert.deepEqual([verdict(), realm.revocationSequence], ['token revoked', 5]);
    }
    rmSync(file, { recursive: true });
    replace(listOf(6));
    await look();
    assert.equal(verdict(), 'member');
  });

  it('cannot be made older by a restart: what was seen is kept', async (t) => {
    const dataDir = folder(t);
    const first = await rigIn(t, dataDir, listOf(5, [TOKEN_GONE]));
    await first.realm.stop();
    const second = await rigIn(t, dataDir, listOf(4));
    assert.deepEqual([second.verdict(), second.realm.revocationSequence], ['token revoked', 5]);
    assert.match(second.warnings.join(), /its sequence is lower than 5/);
    rmSync(second.file);
    await second.realm.stop();
    const third = await rigIn(t, dataDir);
    assert.equal(third.verdict(), 'token revoked');
    // Nor is it a fault that there is no file: on most relays of a cluster there never was one.
    assert.deepEqual(third.warnings, []);
  });

  it('is in force although it cannot be written down that it was seen, and what is damaged there is not believed', async (t) => {
    const dataDir = folder(t);
    const first = await rigIn(t, dataDir);
    writeFileSync(join(dataDir, 'realm'), 'no folder');
    first.replace(listOf(5, [TOKEN_GONE]));
    await first.look();
    await until(() => first.warnings.length > 0, 'a warning');
    assert.match(first.warnings.join(), /revocations\.seen.*may take an older revocation list/);
    rmSync(join(dataDir, 'realm'));
    await first.realm.stop();
    assert.deepEqual(new Uint8Array(readFileSync(first.seen)), listOf(5, [TOKEN_GONE]));
    writeFileSync(first.seen, 'rubbish that is long enough to have a signature, if one looks at its length and at nothing else');
    const second = await rigIn(t, dataDir, listOf(4));
    assert.match(second.warnings.join(), /another authority's, or damaged/);
    assert.equal(second.realm.revocationSequence, 4);
  });

  it('is read where its file was not to be read before', { skip: process.getuid?.() === 0 ? 'root reads everything' : false }, async (t) => {
    const { file, replace, look, verdict, warnings } = await rig(t);
    replace(listOf(1, [TOKEN_GONE]));
    chmodSync(file, 0);
    await look();
    assert.match(warnings.join(), /EACCES/);
    chmodSync(file, 0o600);
    await look();
    assert.equal(verdict(), 'token revoked');
  });
});

describe('a list that another node offers', () => {
  it('is taken when it is newer and rightly signed, and kept', async (t) => {
    const dataDir = folder(t);
    const { realm, verdict, seen } = await rigIn(t, dataDir, listOf(5));
    let told = 0;
    realm.onChange(() => told++);
    const newer = listOf(6, [TOKEN_GONE]);
    assert.deepEqual([realm.offerRevocationList(newer), verdict(), told], ['newer', 'token revoked', 1]);
    assert.deepEqual(realm.revocationList(), newer);
    await realm.stop();
    assert.deepEqual(new Uint8Array(readFileSync(seen)), newer);
    const again = await rigIn(t, dataDir, listOf(5));
    assert.deepEqual([again.verdict(), again.realm.revocationList()], ['token revoked', newer]);
  });

  it('changes nothing when it is known, older, or not of this authority and realm', async (t) => {
    const { realm, verdict } = await rig(t, listOf(5, [TOKEN_GONE]));
    let told = 0;
    realm.onChange(() => told++);
    const offers: [Uint8Array, string][] = [
      [listOf(5, [TOKEN_GONE]), 'known'],
      [listOf(5), 'known'],
      [listOf(4), 'older'],
      [listOf(6, [], {}, makeKey()), 'refused'],
      [listOf(6, [], { realm: 'work' }), 'refused'],
      [listOf(6).subarray(1), 'refused'],
      [new Uint8Array(), 'refused'],
    ];
    for (const [bytes, answer] of offers) {
      assert.equal(realm.offerRevocationList(bytes), answer);
    }
    assert.deepEqual([verdict(), realm.revocationSequence, told], ['token revoked', 5, 0]);
  });
});

describe('a node that is given another authority', () => {
  it('or none, leaves what it had kept as it is', async (t) => {
    const { realm, dataDir, file, seen } = await rig(t, listOf(5, [TOKEN_GONE]));
    await until(() => existsSync(seen), 'the list is kept');
    assert.equal(realm.offerRevocationList(listOf(6, [TOKEN_GONE])), 'newer');
    realm.update(configOf({ dataDir, authority: undefined, config: { revocationFile: file } }));
    await realm.stop();
    assert.ok(readFileSync(seen).byteLength > 0);
  });

  it('lets go of the list of the one before, and of that alone', async (t) => {
    const { realm, dataDir, file, replace, seen, verdict } = await rig(t, listOf(5, [TOKEN_GONE]));
    const other = makeKey();
    const config = { revocationFile: file };
    replace(listOf(2, [ANNA_GONE], {}, other));
    realm.update(configOf({ dataDir, authority: other.text, config }));
    assert.deepEqual([realm.isRevokedPeer(ANNA), realm.revocationSequence], [true, 2]);
    replace(listOf(6, [TOKEN_GONE]));
    realm.update(configOf({ dataDir, authority: KEY.text, config }));
    assert.deepEqual([verdict(), realm.revocationSequence], ['token revoked', 6]);
    await realm.stop();
    assert.deepEqual(new Uint8Array(readFileSync(seen)), listOf(6, [TOKEN_GONE]));
  });

  it('hears of later changes although a listener fails', async (t) => {
    const { realm, replace, look, warnings } = await rig(t);
    let told = 0;
    realm.onChange(() => {
      throw new Error('a fault of the listener');
    });
    realm.onChange(() => told++);
    replace(listOf(1));
    await look();
    assert.equal(told, 1);
    assert.match(warnings.join(), /a fault of the listener/);
    await realm.stop();
  });
});
