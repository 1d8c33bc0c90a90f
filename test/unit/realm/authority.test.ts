import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { lockDir } from '../../../src/lib/dir-lock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { parseRealmKey } from '../../../src/lib/membership/realm-key.ts';
import { createAuthority, openAuthority, readToken } from '../../../src/realm/index.ts';
import type { Authority, IssueOptions } from '../../../src/realm/index.ts';
import { openRevocationList } from '../../../src/realm/revocation-list.ts';
import type { RevocationList } from '../../../src/realm/revocation-list.ts';
import { sealedBy } from '../../../src/realm/signature.ts';
import { ANNA, BERT, NOW, folder } from './support.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FOR_ANNA: IssueOptions = { peer: ANNA.toString(), expiresMs: HOUR_MS, uses: ['reserve'] };

/** A mount that only the process sees which asked for it: needs user namespaces, or root. */
const IN_NAMESPACE = ['-rm', 'sh', '-euc'];
const canMount = spawnSync('unshare', [...IN_NAMESPACE, 'mount -t tmpfs tmpfs /mnt']).status === 0;

const isRelaydError = (code: string, text: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof RelaydError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, text);
  return true;
};

async function made(t: Parameters<typeof folder>[0]): Promise<{ dataDir: string; authority: Authority; clock: ManualClock; file: (name: string) => string; published: () => RevocationList }> {
  const dataDir = folder(t);
  const clock = new ManualClock(NOW * 1000);
  const authority = await createAuthority(dataDir, 'home', { clock });
  const file = (name: string): string => join(dataDir, 'realm', name);
  const published = (): RevocationList => openRevocationList(readFileSync(file('revocations')), sealedBy(parseRealmKey(authority.publicKey) ?? new Uint8Array()));
  return { dataDir, authority, clock, file, published };
}

describe('making a realm', () => {
  it('makes a key that only its owner can read, and opens again', async (t) => {
    const { dataDir, authority, file } = await made(t);
    assert.equal(statSync(file('authority.key')).mode & 0o777, 0o600);
    assert.equal(statSync(file('issued.json')).mode & 0o777, 0o600);
    assert.equal(statSync(join(dataDir, 'realm')).mode & 0o777, 0o700);
    const again = await openAuthority(dataDir);
    assert.deepEqual([again.name, again.publicKey], ['home', authority.publicKey]);
    assert.match(authority.publicKey, /^ed25519:[\w-]{43}$/);
    assert.deepEqual(readdirSync(join(dataDir, 'realm')).sort(), ['authority.key', 'issued.json']);
  });

  it('never replaces a realm that is there', async (t) => {
    const { dataDir, file } = await made(t);
    const before = readFileSync(file('authority.key'), 'utf8');
    await assert.rejects(createAuthority(dataDir, 'other'), isRelaydError('REALM_EXISTS', /authority\.key is there already.*never replaced/));
    assert.equal(readFileSync(file('authority.key'), 'utf8'), before);
    assert.equal((await openAuthority(dataDir)).name, 'home');
  });

  it('makes one realm of two commands at once', async (t) => {
    const dataDir = folder(t);
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => createAuthority(dataDir, name)));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  it('goes on where a first attempt was killed before the key was there, but not where tokens were issued with a key that is lost', async (t) => {
    const { dataDir, authority, file } = await made(t);
    rmSync(file('authority.key'));
    await createAuthority(dataDir, 'second');
    assert.equal((await openAuthority(dataDir)).name, 'second');
    await (await openAuthority(dataDir)).issue(FOR_ANNA);
    rmSync(file('authority.key'));
    await assert.rejects(createAuthority(dataDir, 'third'), isRelaydError('REALM_EXISTS', /issued\.json/));
    assert.equal(authority.name, 'home');
  });

  it('refuses a name that is none', async (t) => {
    for (const name of ['', 'a b', '../x', 'x'.repeat(65)]) {
      await assert.rejects(createAuthority(folder(t), name), isRelaydError('BAD_REQUEST', /is not a name of a realm; 1 to 64 letters/));
    }
  });

  it('says so where nothing can be written', async (t) => {
    const dataDir = folder(t);
    writeFileSync(join(dataDir, 'realm'), 'a file');
    await assert.rejects(createAuthority(dataDir, 'home'), isRelaydError('FILE_UNWRITABLE', /realm cannot be made/));
  });
});

describe('opening a realm', () => {
  it('says that there is none', async (t) => {
    await assert.rejects(openAuthority(folder(t)), isRelaydError('REALM_MISSING', /authority\.key does not exist.*relayd realm init/));
  });

  it('refuses a key that others may read, or that is none', async (t) => {
    const { dataDir, file } = await made(t);
    for (const mode of [0o640, 0o604, 0o660]) {
      chmodSync(file('authority.key'), mode);
      await assert.rejects(openAuthority(dataDir), isRelaydError('FILE_UNREADABLE', new RegExp(`has mode 0${mode.toString(8)}.*chmod 600`)));
    }
    chmodSync(file('authority.key'), 0o600);
    const secret = readFileSync(file('authority.key'), 'utf8');
    writeFileSync(file('authority.key'), secret.slice(0, 60));
    await assert.rejects(openAuthority(dataDir), (error: unknown) => isRelaydError('FILE_UNREADABLE', /does not hold the key of a realm's authority/)(error) && !String(error).includes(secret.slice(30, 50)));
    rmSync(file('authority.key'));
    mkdirSync(file('authority.key'));
    await assert.rejects(openAuthority(dataDir), isRelaydError('FILE_UNREADABLE', /cannot be read/));
  });

  it('refuses to go on without what it has issued and revoked: the next list would take it all back', async (t) => {
    const { dataDir, authority, file } = await made(t);
    await authority.revoke(BERT.toString());
    for (const text of ['{"version":1', '{"version":2,"realm":"home","sequence":0,"tokens":[],"peers":[]}', '{"version":1,"realm":"home","sequence":0,"tokens":[{"id":"x"}],"peers":[]}']) {
      writeFileSync(file('issued.json'), text);
      await assert.rejects(openAuthority(dataDir), isRelaydError('FILE_UNREADABLE', /issued\.json is damaged.*backup/));
    }
    rmSync(file('issued.json'));
    await assert.rejects(openAuthority(dataDir), isRelaydError('FILE_UNREADABLE', /issued\.json is missing.*backup/));
    await assert.rejects(authority.issue(FOR_ANNA), isRelaydError('FILE_UNREADABLE', /missing/));
  });
});

describe('issuing', () => {
  it('makes a token of what is asked, signed, and remembers it without the token', async (t) => {
    const { authority, file } = await made(t);
    const { id, token, expiresAt } = await authority.issue({ peer: ANNA.toString(), expiresMs: DAY_MS, uses: ['tunnel:ssh', 'connect', 'reserve', 'tunnel:db', 'connect'], limits: { circuits: 4 }, note: "Anna's laptop" });
    const facts = readToken(token, authority.publicKey);
    assert.deepEqual({ ...facts, bytes: undefined }, {
      bytes: undefined, id, realm: 'home', peer: ANNA.toString(), maxPeers: undefined, notBeforeWall: NOW * 1000, expiresAtWall: NOW * 1000 + DAY_MS, toleranceMs: 60_000,
      uses: ['reserve', 'connect', 'tunnel:db', 'tunnel:ssh'], limits: { circuits: 4 },
    });
    assert.equal(expiresAt, new Date(facts.expiresAtWall).toISOString());
    const { tokens, revokedPeers } = await authority.list();
    assert.deepEqual([tokens.length, revokedPeers], [1, []]);
    assert.deepEqual([tokens[0]?.id, tokens[0]?.state, tokens[0]?.note, tokens[0]?.limits], [id, 'valid', "Anna's laptop", { circuits: 4 }]);
    assert.ok(!readFileSync(file('issued.json'), 'utf8').includes(token));
  });

  it('makes bearer tokens for one peer if not said otherwise', async (t) => {
    const { authority } = await made(t);
    const [one, five] = [await authority.issue({ expiresMs: 1000, uses: ['connect'] }), await authority.issue({ expiresMs: 1000, uses: ['connect'], maxPeers: 5 })];
    assert.deepEqual([readToken(one.token).maxPeers, readToken(five.token).maxPeers, readToken(one.token).toleranceMs], [1, 5, 100]);
  });

  it('refuses what makes no sense', async (t) => {
    const { authority } = await made(t);
    const wrong: [Partial<IssueOptions>, RegExp][] = [
      [{ uses: [] }, /allows something/],
      [{ uses: ['tunnel:'] }, /is not the name of a tunnel/],
      [{ uses: ['tunnel:a b'] }, /is not the name of a tunnel/],
      [{ uses: Array.from('abcdefghi').map((name) => `tunnel:${name}` as const) }, /at most 8 tunnels/],
      [{ peer: 'anna' }, /"anna" is not a peer id/],
      [{ maxPeers: 2 }, /for one peer, or for a number/],
      [{ peer: undefined, maxPeers: 0 }, /1 to 1000/],
      [{ peer: undefined, maxPeers: 1001 }, /1 to 1000/],
      [{ expiresMs: 999 }, /1 second to 3650 days/],
      [{ expiresMs: 3651 * DAY_MS }, /1 second to 3650 days/],
      [{ limits: { circuits: 0 } }, /limit circuits/],
      [{ limits: { durationMs: 1.5 } }, /limit durationMs/],
      [{ note: 'two\nlines' }, /a note is one line/],
      [{ note: 'x'.repeat(201) }, /at most 200 characters/],
    ];
    for (const [change, problem] of wrong) {
      await assert.rejects(authority.issue({ ...FOR_ANNA, ...change }), isRelaydError('BAD_REQUEST', problem));
    }
    assert.equal((await authority.list()).tokens.length, 0);
  });

  it('forgets a token a week after its end', async (t) => {
    const { authority, clock } = await made(t);
    const { id } = await authority.issue(FOR_ANNA);
    clock.advance(HOUR_MS);
    assert.deepEqual((await authority.list()).tokens.map(({ state }) => state), ['expired']);
    clock.advance(7 * DAY_MS - 1);
    await authority.issue({ ...FOR_ANNA, expiresMs: DAY_MS });
    assert.deepEqual((await authority.list()).tokens.map((token) => token.id === id), [true, false]);
    clock.advance(1);
    await authority.issue(FOR_ANNA);
    assert.equal((await authority.list()).tokens.some((token) => token.id === id), false);
  });

  it('says so, and forgets nothing, when the disk is full', { skip: canMount ? false : 'no file system can be mounted here' }, async (t) => {
    const { authority, dataDir } = await made(t);
    await authority.issue(FOR_ANNA);
    assert.deepEqual(await onFullDisk(dataDir), { code: 'FILE_UNWRITABLE', isSaid: true, issued: 1, left: ['authority.key', 'filler', 'issued.json'] });
  });
});

/** Issues a token where the disk has no byte left: what that answers, and what is there then. */
async function onFullDisk(dataDir: string): Promise<unknown> {
  const script = `mount -t tmpfs -o size=64k tmpfs /mnt
    cp -r "$1/realm" /mnt/realm; cat /dev/zero > /mnt/realm/filler 2>/dev/null || true
    exec "$2" --input-type=module -e "$3"`;
  const program = `
    import { readFileSync, readdirSync } from 'node:fs';
    const { openAuthority } = await import(${JSON.stringify(new URL('../../../src/realm/index.ts', import.meta.url).href)});
    const { code, message } = await (await openAuthority('/mnt')).issue({ expiresMs: 1000, uses: ['connect'] }).catch((error) => error);
    console.log(JSON.stringify({ code, isSaid: message?.includes('no space left on device'), issued: JSON.parse(readFileSync('/mnt/realm/issued.json', 'utf8')).tokens.length, left: readdirSync('/mnt/realm').sort() }));`;
  const child = spawn('unshare', [...IN_NAMESPACE, script, 'sh', dataDir, process.execPath, program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
  await once(child, 'close');
  return JSON.parse(text);
}

describe('revoking', () => {
  it('publishes a signed list with what was revoked: a token by its id or itself, a peer', async (t) => {
    const { authority, published, file } = await made(t);
    const [first, second] = [await authority.issue(FOR_ANNA), await authority.issue({ expiresMs: HOUR_MS, uses: ['connect'] })];
    assert.ok(!existsSync(file('revocations')));
    assert.deepEqual(await authority.revoke(first.id), { kind: 'token', what: first.id, sequence: NOW, file: file('revocations') });
    assert.deepEqual(await authority.revoke(second.token), { kind: 'token', what: second.id, sequence: NOW + 1, file: file('revocations') });
    assert.deepEqual(await authority.revoke(BERT.toString()), { kind: 'peer', what: BERT.toString(), sequence: NOW + 2, file: file('revocations') });
    const { realm, sequence, entries } = published();
    assert.deepEqual([realm, sequence], ['home', NOW + 2]);
    const until = NOW + 3600;
    assert.deepEqual(new Set(entries.map((entry) => ('token' in entry ? `${entry.token} ${entry.untilSeconds}` : `${entry.peer} ${String(entry.untilSeconds)}`))), new Set([`${first.id} ${until}`, `${second.id} ${until}`, `${BERT} undefined`]));
    assert.deepEqual((await authority.list()).tokens.map(({ state }) => state), ['revoked', 'revoked']);
  });

  it('shows a token as revoked when its peer is, and issues none to that peer until it is let in again', async (t) => {
    const { authority, published } = await made(t);
    await authority.issue(FOR_ANNA);
    await authority.revoke(ANNA.toString());
    const { tokens, revokedPeers } = await authority.list();
    assert.deepEqual([tokens[0]?.state, revokedPeers], ['revoked', [{ peer: ANNA.toString(), revokedAt: new Date(NOW * 1000).toISOString() }]]);
    await assert.rejects(authority.issue(FOR_ANNA), isRelaydError('BAD_REQUEST', /is revoked.*--undo/));
    assert.deepEqual(await authority.readmit(ANNA.toString()).then(({ kind, what }) => [kind, what]), ['peer', ANNA.toString()]);
    assert.deepEqual(published().entries, []);
    await authority.issue(FOR_ANNA);
    assert.deepEqual((await authority.list()).tokens.map(({ state }) => state), ['valid', 'valid']);
  });

  it('takes back a token that it has signed and knows no more: its files are from before', async (t) => {
    const { authority, published, file } = await made(t);
    const before = readFileSync(file('issued.json'));
    const { id, token } = await authority.issue({ ...FOR_ANNA, note: 'lost' });
    writeFileSync(file('issued.json'), before);
    await assert.rejects(authority.revoke(id), isRelaydError('NOT_FOUND', /no token/));
    await authority.revoke(token);
    await authority.revoke(token);
    assert.deepEqual(published().entries, [{ token: id, untilSeconds: NOW + 3600 }]);
    assert.deepEqual((await authority.list()).tokens.map((row) => [row.id, row.state, row.peer]), [[id, 'revoked', ANNA.toString()]]);
  });

  it('refuses what it does not know', async (t) => {
    const { authority } = await made(t);
    const other = await (await made(t)).authority.issue(FOR_ANNA);
    const { id } = await authority.issue(FOR_ANNA);
    await assert.rejects(authority.revoke('0123456789abcdef'), isRelaydError('NOT_FOUND', /no token 0123456789abcdef/));
    await assert.rejects(authority.revoke('nobody'), isRelaydError('BAD_REQUEST', /"nobody" is not a peer id/));
    await assert.rejects(authority.revoke(other.token), isRelaydError('TOKEN_INVALID', /was not signed by/));
    await assert.rejects(authority.readmit(BERT.toString()), isRelaydError('NOT_FOUND', /is not revoked/));
    await assert.rejects(authority.readmit(id), isRelaydError('BAD_REQUEST', /stays so/));
  });

  it('drops a token from the list only after its end', async (t) => {
    const { authority, clock, published } = await made(t);
    await authority.revoke((await authority.issue(FOR_ANNA)).id);
    clock.advance(HOUR_MS + DAY_MS);
    await authority.revoke(BERT.toString());
    assert.equal(published().entries.length, 2);
    clock.advance(7 * DAY_MS);
    await authority.revoke(BERT.toString());
    assert.deepEqual(published().entries.map((entry) => 'peer' in entry), [true]);
  });

  it('publishes again, under a new number, what a command that was killed did not; also when the clock is set back', async (t) => {
    const { authority, clock, file, published } = await made(t);
    await authority.revoke(BERT.toString());
    rmSync(file('revocations'));
    clock.stepWall(-DAY_MS);
    await authority.revoke(BERT.toString());
    assert.deepEqual([published().sequence, published().entries.length], [NOW + 1, 1]);
    rmSync(file('revocations'));
    mkdirSync(file('revocations'));
    await assert.rejects(authority.revoke(ANNA.toString()), isRelaydError('FILE_UNWRITABLE', /no relay knows of it yet; run the command again/));
    rmSync(file('revocations'), { recursive: true });
    await authority.revoke(ANNA.toString());
    assert.deepEqual([published().sequence, published().entries.length], [NOW + 3, 2]);
  });
});

describe('commands beside each other', () => {
  it('lose nothing of what each other does, in one process or in several', async (t) => {
    const { authority, dataDir, published } = await made(t);
    const program = `
      const { openAuthority } = await import(${JSON.stringify(new URL('../../../src/realm/index.ts', import.meta.url).href)});
      const authority = await openAuthority(process.argv[1]);
      await Promise.all(Array.from({ length: 4 }, async () => authority.revoke((await authority.issue({ expiresMs: 3600000, uses: ['connect'] })).id)));`;
    const children = Array.from({ length: 3 }, () => spawn(process.execPath, ['--input-type=module', '-e', program, dataDir], { stdio: 'inherit' }));
    const codes = await Promise.all(children.map(async (child) => ((await once(child, 'close')) as [number])[0]));
    assert.deepEqual(codes, [0, 0, 0]);
    const { tokens } = await (await openAuthority(dataDir)).list();
    assert.deepEqual([tokens.length, new Set(tokens.map(({ id }) => id)).size, tokens.every(({ state }) => state === 'revoked')], [12, 12, true]);
    // The list in force is the last one that was made, with all that was revoked before it.
    await authority.revoke(BERT.toString());
    assert.equal(published().entries.length, 13);
  });

  it('work beside a daemon that has the data directory to itself', async (t) => {
    const { authority, dataDir } = await made(t);
    const daemon = await lockDir(dataDir);
    await authority.revoke((await authority.issue(FOR_ANNA)).id);
    assert.ok(typeof daemon === 'object');
    await daemon.release();
  });

  it('leave no lock and no draft behind', async (t) => {
    const { authority, dataDir } = await made(t);
    await assert.rejects(authority.revoke('nobody'));
    await authority.issue(FOR_ANNA);
    assert.deepEqual(readdirSync(join(dataDir, 'realm')).sort(), ['authority.key', 'issued.json']);
  });
});
