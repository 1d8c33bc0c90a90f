import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { guestToken, memberTokenFile } from '../../../../src/cli/invitation/share-realm.ts';
import { createAuthority } from '../../../../src/realm/index.ts';
import { makePeerIds } from '../../../support/peer-ids.ts';
import { tempDir } from '../../admin/server-helpers.ts';

const WISHES = { service: 'port-80', maxPeers: 1, expiresMs: 3_600_000 };
const [PEER = ''] = (await makePeerIds(1)).map(String);

describe('the token of a share', () => {
  it('is the same at every start, until it is taken back or other wishes come', async (t) => {
    const dataDir = await tempDir(t);
    const realm = { authority: await createAuthority(dataDir, 'share'), isConfigs: false };
    const { id } = await guestToken(realm, dataDir, WISHES);
    assert.equal((await guestToken(realm, dataDir, WISHES)).id, id);
    await realm.authority.revoke(id);
    const next = await guestToken(realm, dataDir, WISHES);
    assert.notEqual(next.id, id, 'a line that nobody can use is not shown');
    assert.equal((await guestToken(realm, dataDir, WISHES)).id, next.id);
    assert.notEqual((await guestToken(realm, dataDir, { ...WISHES, maxPeers: 2 })).id, next.id);
  });

  it('is for relays too only where they are of its realm: others would see what opens the tunnel', async (t) => {
    for (const [isConfigs, uses] of [[false, ['tunnel:port-80']], [true, ['reserve', 'connect', 'tunnel:port-80']]] as const) {
      const dataDir = await tempDir(t);
      const realm = { authority: await createAuthority(dataDir, 'share'), isConfigs };
      assert.deepEqual((await guestToken(realm, dataDir, WISHES)).uses, uses);
    }
  });

  it('as a member of its realm is made anew when it was taken back', async (t) => {
    const dataDir = await tempDir(t);
    const realm = { authority: await createAuthority(dataDir, 'home'), isConfigs: true };
    const first = await readFile(await memberTokenFile(realm, dataDir, PEER), 'utf8');
    assert.equal(await readFile(await memberTokenFile(realm, dataDir, PEER), 'utf8'), first);
    await realm.authority.revoke(first.trim());
    assert.notEqual(await readFile(await memberTokenFile(realm, dataDir, PEER), 'utf8'), first);
  });
});
