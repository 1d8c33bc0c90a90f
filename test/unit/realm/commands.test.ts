import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { readToken } from '../../../src/realm/index.ts';
import { cli } from '../cli/run-cli.ts';
import type { CliResult } from '../cli/run-cli.ts';
import { ANNA, BERT, folder } from './support.ts';

type Run = (...args: string[]) => Promise<CliResult>;

function commands(t: TestContext): { run: Run; dataDir: string } {
  const dataDir = folder(t);
  return { dataDir, run: (...args) => cli(['realm', ...args, '--set', `dataDir=${dataDir}`]) };
}

/** Of a command that must have worked. */
async function out(result: Promise<CliResult>): Promise<string> {
  const { code, stdout, stderr } = await result;
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

const linesOf = (text: string): string[] => text.trimEnd().split('\n');

describe('relayd realm init', () => {
  it('prints the public key alone, and on standard error what to do with it', async (t) => {
    const { run, dataDir } = commands(t);
    const { code, stdout, stderr } = await run('init', '--name', 'home');
    assert.equal(code, 0);
    assert.match(stdout, /^ed25519:[\w-]{43}\n$/);
    assert.ok(stderr.includes(`authority: ${stdout.trim()}`) && stderr.includes('name: home') && stderr.includes(join(dataDir, 'realm', 'authority.key')));
    assert.equal(statSync(join(dataDir, 'realm', 'authority.key')).mode & 0o777, 0o600);
  });

  it('is told as JSON, and refused where there is a realm already', async (t) => {
    const { run, dataDir } = commands(t);
    const { realm, authority, keyFile } = JSON.parse(await out(run('init', '--name', 'home', '--json'))) as Record<string, string>;
    assert.deepEqual([realm, keyFile, authority?.slice(0, 8)], ['home', join(dataDir, 'realm', 'authority.key'), 'ed25519:']);
    const again = await run('init', '--name', 'home');
    assert.deepEqual([again.code, again.stdout], [1, '']);
    assert.match(again.stderr, /^relayd: .*authority\.key is there already.*\(REALM_EXISTS\)\n$/);
  });

  it('needs a name that is one', async (t) => {
    const { run } = commands(t);
    assert.deepEqual([(await run('init')).code, (await run('init', '--name', 'a b')).code, (await run('init', '--name', '')).code], [64, 64, 64]);
  });
});

describe('relayd realm issue', () => {
  it('prints the token alone, and on standard error what it is for', async (t) => {
    const { run } = commands(t);
    const key = await out(run('init', '--name', 'home'));
    const { code, stdout, stderr } = await run('issue', '--peer', ANNA.toString());
    assert.equal(code, 0);
    const { id, peer, uses, expiresAtWall, notBeforeWall } = readToken(stdout, key);
    assert.deepEqual([peer, uses, Math.round((expiresAtWall - notBeforeWall) / 86_400_000)], [ANNA.toString(), ['reserve', 'connect'], 30]);
    assert.match(stdout, /^relaytoken1\.[\w-]+\n$/);
    assert.ok(stderr.includes(`relayd realm revoke ${id}`) && stderr.includes(`the peer ${ANNA.toString()}: reserve, connect; it ends in 30d`));
  });

  it('takes uses, limits, and for how long and how many it is', async (t) => {
    const { run } = commands(t);
    const key = await out(run('init', '--name', 'home'));
    const json = await out(run('issue', '--max-peers', '5', '--expires', '2h', '--uses', 'connect, tunnel:ssh', '--circuits', '4', '--duration', '10m', '--bytes', '1GiB', '--bandwidth', '1MiB/s', '--note', 'for guests', '--json'));
    const { id, token, expiresAt, ...rest } = JSON.parse(json) as Record<string, string>;
    const facts = readToken(token ?? '', key);
    const limits = { circuits: 4, durationMs: 600_000, bytesPerDirection: 2 ** 30, bandwidth: 2 ** 20 };
    assert.deepEqual([facts.id, facts.maxPeers, facts.uses, facts.limits, new Date(facts.expiresAtWall).toISOString()], [id, 5, ['connect', 'tunnel:ssh'], limits, expiresAt]);
    assert.deepEqual(rest, { peer: null, maxPeers: 5, uses: ['connect', 'tunnel:ssh'], limits });
  });

  it('says what is wrong with what it is given, and that there is no realm', async (t) => {
    const { run } = commands(t);
    const missing = await run('issue');
    assert.deepEqual([missing.code, missing.stdout], [1, '']);
    assert.match(missing.stderr, /no realm was made in this data directory; `relayd realm init --name NAME` makes one \(REALM_MISSING\)/);
    await out(run('init', '--name', 'home'));
    const cases: [string[], number, RegExp][] = [
      [['--uses', 'everything'], 64, /"everything" is no use; reserve, connect and tunnel:NAME are/],
      [['--expires', '30'], 64, /30 has no unit; add a unit, such as 2m\./],
      [['--bytes', '12'], 64, /12 has no unit/],
      [['--bandwidth', '1MiB'], 64, /is a size, not a bandwidth; 1MiB\/s\./],
      [['--circuits', '0'], 64, /whole number from 1/],
      [['--uses', 'reserve,tunnel:a b'], 64, /"tunnel:a b" is no use/],
      [['--expires', '0s'], 64, /1 second to 3650 days/],
      [['--expires', '3651d'], 64, /1 second to 3650 days/],
      [['--note', 'two\nlines'], 64, /one line of at most 200 characters/],
      [['--max-peers', '1001'], 64, /whole number from 1 to 1000/],
      [['--peer', 'anna'], 64, /"anna" is not a peer id/],
      [['--peer', ANNA.toString(), '--max-peers', '2'], 64, /'--max-peers <number>' cannot be used with option '--peer <id>'/],
    ];
    for (const [args, code, text] of cases) {
      const result = await run('issue', ...args);
      assert.deepEqual([result.code, result.stdout], [code, ''], args.join(' '));
      assert.match(result.stderr, text);
    }
  });
});

describe('relayd realm list', () => {
  it('shows every token with its state, and the peers that were revoked', async (t) => {
    const { run, dataDir } = commands(t);
    const key = await out(run('init', '--name', 'home'));
    assert.equal(await out(run('list')), 'No token of the realm home is out.');
    const ids: string[] = [];
    for (const args of [['--peer', ANNA.toString(), '--note', "Anna's laptop", '--circuits', '4', '--bandwidth', '1MiB/s'], ['--max-peers', '3', '--uses', 'connect,tunnel:ssh'], ['--peer', BERT.toString()]]) {
      ids.push((JSON.parse(await out(run('issue', '--json', ...args))) as { id: string }).id);
    }
    expire(dataDir, ids[1] ?? '');
    await out(run('revoke', BERT.toString()));
    const rows = linesOf(await out(run('list')));
    assert.match(rows[0] ?? '', /^ID +STATE +PEER +USES +ISSUED +EXPIRES +NOTE$/);
    assert.match(rows[1] ?? '', new RegExp(`^${ids[0]} +valid +12D3…\\w{8} +reserve connect +\\S+ ago +in (29d 23h|30d) +Anna's laptop$`));
    assert.match(rows[2] ?? '', new RegExp(`^${ids[1]} +expired +any \\(3 peers\\) +connect tunnel:ssh +\\S+ ago +.* ago +-$`));
    assert.match(rows[3] ?? '', new RegExp(`^${ids[2]} +revoked +QmYy…`));
    assert.match(rows.slice(4).join('\n'), /^\nREVOKED PEER +SINCE\nQmYy…\w{8} +\S+ ago$/);
    const wide = linesOf(await out(run('list', '--wide')));
    assert.match(wide[1] ?? '', new RegExp(`${ANNA.toString()} .* 4 circuits 1MiB/s +Anna's laptop$`));
    const json = JSON.parse(await out(run('list', '--json'))) as { realm: string; authority: string; tokens: { id: string; state: string }[]; revokedPeers: { peer: string }[] };
    assert.deepEqual([json.realm, json.authority, json.tokens.map(({ id, state }) => [id, state]), json.revokedPeers.map(({ peer }) => peer)], ['home', key, [[ids[0], 'valid'], [ids[1], 'expired'], [ids[2], 'revoked']], [BERT.toString()]]);
  });
});

/** As if the token had been issued long ago. */
function expire(dataDir: string, id: string): void {
  const path = join(dataDir, 'realm', 'issued.json');
  const issued = JSON.parse(readFileSync(path, 'utf8')) as { tokens: { id: string; expiresAt: string }[] };
  issued.tokens.filter((token) => token.id === id).forEach((token) => (token.expiresAt = new Date(Date.now() - 60_000).toISOString()));
  writeFileSync(path, JSON.stringify(issued));
}

describe('relayd realm revoke', () => {
  it('says what was revoked, and what happens next', async (t) => {
    const { run, dataDir } = commands(t);
    await out(run('init', '--name', 'home'));
    const { id, token } = JSON.parse(await out(run('issue', '--json'))) as { id: string; token: string };
    const text = await out(run('revoke', id));
    assert.match(text, new RegExp(`^The token ${id} is revoked \\(list number \\d+ of the realm, ${join(dataDir, 'realm', 'revocations')}\\)\\.\n`));
    assert.match(text, /A relay with this data directory takes it over within a second; relays of the realm hand it on.*\n.*copy the file.*\n.*ends within two seconds more\.$/);
    const again = JSON.parse(await out(run('revoke', token, '--json'))) as Record<string, unknown>;
    assert.deepEqual([again['kind'], again['what']], ['token', id]);
    assert.match(await out(run('revoke', id, '--set', 'realm.revocationFile=/etc/relayd/revoked')), /This config reads \/etc\/relayd\/revoked: copy the list there/);
  });

  it('lets a peer in again, and says what it does not know', async (t) => {
    const { run } = commands(t);
    await out(run('init', '--name', 'home'));
    await out(run('revoke', ANNA.toString()));
    assert.match((await run('issue', '--peer', ANNA.toString())).stderr, /is revoked.*relayd realm revoke --undo/);
    assert.match(await out(run('revoke', '--undo', ANNA.toString())), /^The peer \w+ is let in again/);
    assert.deepEqual([(await run('issue', '--peer', ANNA.toString())).code, (await run('revoke', '--undo', ANNA.toString())).code], [0, 1]);
    const unknown = await run('revoke', '0123456789abcdef');
    assert.deepEqual([unknown.code, unknown.stdout], [1, '']);
    assert.match(unknown.stderr, /no token 0123456789abcdef was issued here; `relayd realm list` shows those that were \(NOT_FOUND\)/);
    assert.equal((await run('revoke')).code, 64);
  });
});
