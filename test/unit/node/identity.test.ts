import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { RelaydError } from '../../../src/lib/errors.ts';
import type { ErrorCode } from '../../../src/lib/errors.ts';
import { createIdentity, ensureIdentity, loadIdentity } from '../../../src/node/identity.ts';

describe('identity', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'relayd-identity-'));
    file = join(folder, 'identity.key');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const fails = (code: ErrorCode, ...texts: RegExp[]) => (error: unknown): boolean => {
    assert.ok(error instanceof RelaydError, String(error));
    assert.equal(error.code, code);
    texts.forEach((text) => assert.match(error.message, text));
    return true;
  };
  const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

  it('is made once, readable by its owner alone, and is the same ever after', async () => {
    const made = await ensureIdentity(file);
    assert.equal(await modeOf(file), 0o600);
    const again = await ensureIdentity(file);
    assert.ok(again.peerId.equals(made.peerId));
    assert.ok((await loadIdentity(file)).peerId.equals(made.peerId));
    assert.deepEqual(await readdir(folder), ['identity.key'], 'no draft is left');
  });

  it('is in the form that go-libp2p and others write and read', async () => {
    const { peerId } = await createIdentity(file);
    assert.ok(peerIdFromPrivateKey(privateKeyFromProtobuf(await readFile(file))).equals(peerId));
    for (const kind of ['Ed25519', 'secp256k1', 'RSA'] as const) {
      const key = await generateKeyPair(kind as 'Ed25519');
      await writeFile(file, privateKeyToProtobuf(key));
      assert.ok((await loadIdentity(file)).peerId.equals(peerIdFromPrivateKey(key)), kind);
    }
  });

  it('is made with mode 0600 whatever the umask allows, in a folder that is made for it', async () => {
    const before = process.umask(0);
    try {
      const deep = join(folder, 'a', 'b', 'identity.key');
      await createIdentity(deep);
      assert.deepEqual([await modeOf(deep), await modeOf(join(folder, 'a'))], [0o600, 0o700]);
    } finally {
      process.umask(before);
    }
  });

  it('is never replaced', async () => {
    const { peerId } = await createIdentity(file);
    await assert.rejects(createIdentity(file), fails('IDENTITY_INVALID', /already there/, /never replaced/));
    assert.ok((await loadIdentity(file)).peerId.equals(peerId));
    assert.deepEqual(await readdir(folder), ['identity.key']);
  });

  it('made by several at once is one, and whole', async () => {
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => createIdentity(file)));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    results.forEach((result) => result.status === 'rejected' && fails('IDENTITY_INVALID')(result.reason));
    const winner = results.find((result) => result.status === 'fulfilled');
    assert.ok((await loadIdentity(file)).peerId.equals(winner?.value.peerId));
    assert.deepEqual(await readdir(folder), ['identity.key']);
  });

  it('that others may read, write or use is refused, with the remedy', async () => {
    await createIdentity(file);
    for (const mode of [0o644, 0o640, 0o604, 0o660, 0o601]) {
      await chmod(file, mode);
      await assert.rejects(ensureIdentity(file), fails('IDENTITY_INVALID', new RegExp(`0${mode.toString(8)}`), /chmod 600/));
    }
    await chmod(file, 0o400);
    await ensureIdentity(file);
  });

  it('that is damaged anywhere is refused, and left as it is', async () => {
    const { peerId } = await createIdentity(file);
    const whole = await readFile(file);
    const refused = fails('IDENTITY_INVALID', /backup/);
    for (const damaged of [Buffer.alloc(0), whole.subarray(0, 1), whole.subarray(0, 40), Buffer.from('not a key'), Buffer.concat([whole.subarray(0, 4), Buffer.alloc(64)])]) {
      await writeFile(file, damaged);
      await assert.rejects(ensureIdentity(file), refused, `${damaged.byteLength} bytes`);
      assert.deepEqual(await readFile(file), damaged);
    }
    for (let at = 0; at < whole.byteLength; at++) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 0x10;
      await writeFile(file, flipped);
      await assert.rejects(loadIdentity(file), refused, `byte ${at}: a key that cannot prove its own peer id`);
    }
    await writeFile(file, whole);
    assert.ok((await loadIdentity(file)).peerId.equals(peerId));
  });

  it('that is a folder, a broken link, or under a file is an error that says so', async () => {
    await mkdir(file);
    await assert.rejects(ensureIdentity(file), fails('IDENTITY_INVALID', /not a file/));
    const link = join(folder, 'link');
    await symlink(join(folder, 'nowhere'), link);
    await assert.rejects(ensureIdentity(link), fails('IDENTITY_INVALID', /already there/));
    await writeFile(join(folder, 'plain'), '');
    await assert.rejects(ensureIdentity(join(folder, 'plain', 'identity.key')), fails('FILE_UNREADABLE'));
    await assert.rejects(loadIdentity(join(folder, 'missing')), fails('FILE_UNREADABLE', /relayd key new/));
  });

  it('that cannot be written leaves nothing behind', { skip: process.getuid?.() === 0 && 'root may write anywhere' }, async () => {
    await chmod(folder, 0o500);
    await assert.rejects(createIdentity(file), fails('FILE_UNWRITABLE'));
    await chmod(folder, 0o700);
    assert.deepEqual(await readdir(folder), []);
  });
});
