import assert from 'node:assert/strict';
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { checkLine } from '../../../../src/cli/invitation/line.ts';
import { decodeInvitation } from '../../../../src/realm/invitation.ts';
import { makePeerIds } from '../../../support/peer-ids.ts';
import { tempDir } from '../../admin/server-helpers.ts';
import { cli } from '../run-cli.ts';
import type { CliResult } from '../run-cli.ts';

const [PEER = '', RELAY_PEER = ''] = (await makePeerIds(2)).map(String);
const RELAY = `/ip4/203.0.113.7/tcp/4001/p2p/${RELAY_PEER}`;
const HERE = ['--set', 'network.listen=[/ip4/127.0.0.1/tcp/4999]', '--set', 'network.allowPrivate=true'];

/** A machine of its own: a home in which everything is. */
interface Machine {
  home: string;
  file: string;
  relayd(...argv: string[]): Promise<CliResult>;
}

async function machine(t: TestContext): Promise<Machine> {
  const home = await tempDir(t);
  const file = join(home, 'relayd.yaml');
  return { home, file, relayd: (...argv) => cli([...argv, '--config', file], { HOME: home }) };
}

/** One that has been set up, with a service. */
async function server(t: TestContext): Promise<Machine> {
  const made = await machine(t);
  const { code, stderr } = await made.relayd('invite', '--tunnel', 'ssh=127.0.0.1:22', '--yes', ...HERE);
  assert.equal(code, 0, stderr);
  return made;
}

describe('the first invitation of a machine', () => {
  it('says what it would make, and makes nothing where nobody can be asked', async (t) => {
    const { home, file, relayd } = await machine(t);
    const { code, stdout, stderr } = await relayd('invite', '--tunnel', 'ssh=127.0.0.1:22', ...HERE);
    assert.deepEqual([code, stdout, await readdir(home)], [64, '', []]);
    for (const part of [`There is no ${file} yet`, `config  ${file}`, 'only whom you invite may use this relay', '/ip4/127.0.0.1/tcp/4999', 'ssh: whom you invite to it reaches 127.0.0.1:22', 'give --yes']) {
      assert.ok(stderr.includes(part), `${part} in ${stderr}`);
    }
  });

  it('makes identity, realm and config, which is right, and prints the line alone', async (t) => {
    const { home, file, relayd } = await machine(t);
    const { code, stdout, stderr } = await relayd('invite', '--tunnel', 'ssh=127.0.0.1:22', '--realm', 'den', '--yes', ...HERE, '--set', 'log.level=debug');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^relayd:[A-Za-z0-9_-]+\n$/);
    const { relays, realm, tunnel, facts } = checkLine(stdout, Date.now());
    const { peerId } = JSON.parse((await relayd('key', 'show', '--json')).stdout) as { peerId: string };
    assert.deepEqual({ relays, realm, tunnel }, { relays: [`/ip4/127.0.0.1/tcp/4999/p2p/${peerId}`], realm: 'den', tunnel: { name: 'ssh', peer: peerId, port: 22 } });
    assert.deepEqual([facts.uses, facts.maxPeers], [['reserve', 'connect', 'tunnel:ssh'], 1]);
    const { stdout: printed } = await relayd('config', 'print', '--json');
    const config = JSON.parse(printed) as { role: string; dataDir: string; relay: { open: boolean }; realm: { name: string }; tunnels: { expose: object[] }; log: { level: string } };
    assert.deepEqual(
      [config.role, config.dataDir, config.relay.open, config.realm.name, config.tunnels.expose, config.log.level],
      ['both', join(home, '.local/state/relayd'), false, 'den', [{ name: 'ssh', to: '127.0.0.1:22', allow: [] }], 'debug'],
      'what the flags said is in the file',
    );
    for (const path of [file, join(config.dataDir, 'identity.key'), join(config.dataDir, 'realm', 'authority.key')]) {
      assert.equal((await stat(path)).mode & 0o777, 0o600, path);
    }
  });

  it('is refused, before anything is made, where guests could not reach the relay', async (t) => {
    const { home, relayd } = await machine(t);
    const { code, stderr } = await relayd('invite', '--yes', '--set', 'network.listen=[/ip4/127.0.0.1/tcp/4999]');
    assert.deepEqual([code, await readdir(home)], [1, []]);
    assert.match(stderr, /--relay \/ip4\/YOUR-PUBLIC-ADDRESS\/tcp\/4001 or network\.announce.*\(NO_ADDRESS\)/);
  });

  it('announces the address that is given for this machine', async (t) => {
    const { relayd } = await machine(t);
    const { stdout } = await relayd('invite', '--yes', '--relay', '/dns4/home.example.org/tcp/4001');
    const { relays } = decodeInvitation(stdout);
    assert.match(relays.join(), /^\/dns4\/home\.example\.org\/tcp\/4001\/p2p\/12D3KooW\w+$/);
    assert.deepEqual(decodeInvitation((await relayd('invite')).stdout).relays, relays, 'later invitations have it from the config');
  });

  it("is that of a client where somebody else's relay is given", async (t) => {
    const { relayd } = await machine(t);
    const { stdout, stderr } = await relayd('invite', '--yes', '--tunnel', 'web=localhost:8080', '--relay', RELAY);
    assert.match(stderr, new RegExp(`relays +${RELAY}`));
    const { relays, tunnel } = decodeInvitation(stdout);
    assert.deepEqual([relays, tunnel?.name, tunnel?.port], [[RELAY], 'web', 8080]);
    assert.match((await relayd('config', 'check')).stdout, /role client/);
  });

  it('needs to know where the service is, and one kind of relay', async (t) => {
    const { relayd } = await machine(t);
    const noPlace = await relayd('invite', '--yes', '--tunnel', 'ssh', ...HERE);
    assert.equal(noPlace.code, 64);
    assert.match(noPlace.stderr, /--tunnel ssh=127\.0\.0\.1:22/);
    assert.equal((await relayd('invite', '--yes', '--relay', RELAY, '--relay', '/ip4/203.0.113.7/tcp/4001')).code, 64);
  });

  it('takes up a realm whose key is there already', async (t) => {
    const { relayd, home } = await machine(t);
    const key = (await cli(['realm', 'init', '--name', 'den'], { HOME: home })).stdout.trim();
    assert.equal((await relayd('invite', '--yes', '--realm', 'home', ...HERE)).code, 64);
    const { stdout } = await relayd('invite', '--yes', ...HERE);
    assert.deepEqual([decodeInvitation(stdout).realm, decodeInvitation(stdout).authority], ['den', key]);
  });
});

describe('a later invitation', () => {
  it('changes nothing in the config, and makes a token of its own', async (t) => {
    const { file, relayd } = await server(t);
    const before = await readFile(file, 'utf8');
    const lines = await Promise.all([relayd('invite', '--tunnel', 'ssh'), relayd('invite')]);
    assert.equal(new Set(lines.map(({ stdout }) => stdout)).size, 2);
    assert.equal(await readFile(file, 'utf8'), before);
    assert.equal(decodeInvitation(lines[1]?.stdout ?? '').tunnel, undefined);
  });

  it('is as the options say', async (t) => {
    const { relayd } = await server(t);
    const asked = ['--max-peers', '3', '--expires', '2h', '--uses', 'connect', '--note', 'Anna', '--relay', RELAY, '--tunnel', `web@${PEER}`, '--json'];
    const { stdout, stderr } = await relayd('invite', ...asked);
    const { line, tokenId, expiresAt, ...rest } = JSON.parse(stdout) as { line: string; tokenId: string; expiresAt: string; [key: string]: unknown };
    const { facts, tunnel } = checkLine(line, Date.now());
    assert.deepEqual(rest, { realm: 'home', relays: [RELAY], tunnel: { name: 'web', peer: PEER } });
    assert.deepEqual([facts.id, facts.uses, facts.maxPeers, tunnel?.peer], [tokenId, ['connect', 'tunnel:web'], 3, PEER]);
    assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 2 * 3_600_000) < 60_000);
    assert.match(stderr, /3 machines may use it/);
    assert.match((await relayd('realm', 'list')).stdout, /Anna/);
    const bound = await relayd('invite', '--peer', PEER);
    assert.equal(checkLine(bound.stdout, Date.now()).facts.peer, PEER);
    assert.match(bound.stderr, new RegExp(`peer ${PEER} alone`));
  });

  it('says how to take it back, and that works', async (t) => {
    const { relayd } = await server(t);
    const { stdout, stderr } = await relayd('invite');
    const id = /relayd realm revoke ([0-9a-f]{16})/.exec(stderr)?.[1] ?? '';
    assert.equal(checkLine(stdout, Date.now()).facts.id, id);
    assert.equal((await relayd('realm', 'revoke', id)).code, 0);
  });

  it('shows a QR code beside the line, not in it', async (t) => {
    const { relayd } = await server(t);
    const { stdout, stderr } = await relayd('invite', '--qr');
    assert.match(stdout, /^relayd:\S+\n$/);
    assert.match(stderr, /█▀▀▀▀▀█/);
  });

  it('says what the config lacks', async (t) => {
    const { home, file, relayd } = await server(t);
    const text = await readFile(file, 'utf8');
    const cases: [string, string, string[], number, RegExp][] = [
      ['no key', text.replace(/^ {2}authority: .*$/m, ''), [], 78, /does not name the key of realm home\nset:\n {2}realm: \{name: home, authority: "ed25519:\S{43}"\}/],
      ['another realm', text.replace('name: home', 'name: work'), [], 78, /names realm work, and the key .* realm home/],
      ['no service', text, ['--tunnel', 'web=127.0.0.1:80'], 78, /exposes no service web \(it has ssh\).*\n {2}tunnels:\n {4}expose:\n {6}- \{name: web, to: "127\.0\.0\.1:80"\}/],
      ['another service', text, ['--tunnel', 'ssh=127.0.0.1:23'], 64, /the service ssh is 127\.0\.0\.1:22, not 127\.0\.0\.1:23/],
      ['another name', text, ['--realm', 'work'], 64, /the realm of this data directory is home, not work/],
    ];
    for (const [what, content, argv, code, says] of cases) {
      await writeFile(file, content);
      const result = await relayd('invite', ...argv);
      assert.deepEqual([result.code, result.stdout], [code, ''], what);
      assert.match(result.stderr, says, what);
    }
    const bare = await cli(['invite'], { HOME: join(home, 'nobody') });
    assert.deepEqual([bare.code, bare.stdout], [1, '']);
    assert.match(bare.stderr, /"relayd invite --config relayd\.yaml" sets one up.*\(REALM_MISSING\)/);
  });

  it('that no guest could read is refused before a token is made for it', async (t) => {
    const { relayd } = await server(t);
    const before = (await relayd('realm', 'list', '--json')).stdout;
    const { code, stdout, stderr } = await relayd('invite', '--relay', `/dns4/b\u00fccher.example/tcp/4001/p2p/${RELAY_PEER}`);
    assert.deepEqual([code, stdout], [1, ''], stderr);
    assert.match(stderr, /written as xn--.*\(BAD_REQUEST\)/);
    assert.equal((await relayd('realm', 'list', '--json')).stdout, before);
  });

  it('names its config as a shell takes it', async (t) => {
    const { home } = await machine(t);
    const file = join(home, "Anna's relay.yaml");
    const { code, stderr } = await cli(['invite', '--yes', '--config', file, ...HERE], { HOME: home });
    assert.equal(code, 0, stderr);
    assert.ok(stderr.includes(`relayd run --config '${home}/Anna'\\''s relay.yaml'\n`), stderr);
  });
});

describe('options of the invitation commands', () => {
  it('that are wrong are wrong usage, and say what would be right', async (t) => {
    const { relayd } = await machine(t);
    const cases: [string[], RegExp][] = [
      [['invite', '--tunnel', 'a b'], /name needs|needs 1 to 64 letters/],
      [['invite', '--tunnel', 'ssh=22'], /not a host and port; HOST:PORT/],
      [['invite', '--tunnel', 'ssh@me'], /is not a peer id/],
      [['invite', '--peer', 'me'], /is not a peer id/],
      [['invite', '--relay', 'here'], /is not a multiaddr/],
      [['invite', '--uses', 'fly'], /reserve, connect and tunnel:NAME/],
      [['invite', '--expires', '7'], /has no unit/],
      [['invite', '--expires', '9999d'], /1 second to 3650 days/],
      [['invite', '--note', 'two\nlines'], /one line of at most 200/],
      [['invite', '--peer', PEER, '--max-peers', '2'], /cannot be used with option '--peer <id>'/],
      [['invite', ...Array.from({ length: 9 }, () => ['--relay', RELAY]).flat()], /at most 8 times/],
      [['share', '80', '--expires', '0s'], /1 second to 3650 days/],
      [['share', '0'], /whole number from 1 to 65535/],
      [['share', '80', '--relay', '/ip4/203.0.113.7/tcp/4001'], /does not say which peer/],
      [['open'], /missing required argument/],
      [['open', 'relayd:x', '--listen', '9000'], /HOST:PORT/],
      [['join'], /missing required argument/],
    ];
    for (const [argv, says] of cases) {
      const { code, stdout, stderr } = await relayd(...argv);
      assert.deepEqual([code, stdout], [64, ''], `${argv.join(' ')}: ${stderr}`);
      assert.match(stderr, says, argv.join(' '));
    }
  });

  it('without a relay there is no share, and without a file no join', async (t) => {
    const { home } = await machine(t);
    const share = await cli(['share', '80'], { HOME: home });
    assert.deepEqual([share.code, share.stdout, await readdir(home)], [64, '', []]);
    assert.match(share.stderr, /no relay is known .* --relay/);
    const made = await server(t);
    const line = (await made.relayd('invite')).stdout;
    const join64 = await cli(['join', line], { HOME: home });
    assert.equal(join64.code, 64);
    assert.match(join64.stderr, /say where to write the config: --config relayd\.yaml/);
  });

  it('a join says what it would do, and does nothing where nobody can be asked', async (t) => {
    const made = await server(t);
    const guest = await machine(t);
    const { stdout: line } = await made.relayd('invite', '--tunnel', 'ssh');
    const { code, stdout, stderr } = await guest.relayd('join', line);
    assert.deepEqual([code, stdout, await readdir(guest.home)], [64, '', []]);
    for (const part of ['joins realm home through /ip4/127.0.0.1/tcp/4999/p2p/', `writes ${guest.file}, ${guest.home}`, 'leads to the service ssh of peer 12D3KooW', 'give --yes']) {
      assert.ok(stderr.includes(part), `${part} in ${stderr}`);
    }
    const cut = await guest.relayd('join', line.slice(0, 100));
    assert.deepEqual([cut.code, cut.stderr], [1, `relayd: the line ends early: 100 of ${line.trim().length} characters; copy all of it (INVITATION_INVALID)\n`]);
  });

  it('a line without a service cannot be opened', async (t) => {
    const made = await server(t);
    const { code, stdout, stderr } = await made.relayd('open', (await made.relayd('invite')).stdout);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /there is no service in this line; "relayd join LINE/);
  });
});
