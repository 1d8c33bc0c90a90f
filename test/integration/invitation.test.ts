import assert from 'node:assert/strict';
import { readFile, readdir, stat } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { checkLine } from '../../src/cli/invitation/line.ts';
import { createAuthority } from '../../src/realm/index.ts';
import { freePort } from '../support/free-port.ts';
import { LISTEN, Nodes, metric } from '../support/nodes.ts';
import { until, within } from '../support/waiting.ts';
import { ADMIN, COMMAND_MS, Machine, connectTo, echoed, isRefused, startServer, untilClosed, untilLine } from './invitation-support.ts';

async function filesIn(dir: string): Promise<string[]> {
  return (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe('an invitation', { timeout: 240_000 }, () => {
  it('brings a friend in with one line, lets nobody else in, and ends when it is taken back', async (t) => {
    const server = await startServer(t);
    const friend = await Machine.make(t);
    const daemon = friend.start('join', server.line, '--yes', '--run', ...ADMIN);
    await within(daemon.untilEvent('ready'), 'the friend joins and runs', COMMAND_MS);
    const config = await friend.config();
    const [{ listen } = { listen: '' }] = config.tunnels.forward;
    assert.equal((await stat(config.realm.tokenFile)).mode & 0o777, 0o600);
    const open = connectTo(t, listen);
    assert.equal((await echoed(open, Buffer.from('hello'))).toString(), 'hello');

    const third = await Machine.make(t);
    const late = await third.run('join', server.line, '--yes', ...ADMIN);
    assert.equal(late.code, 1);
    assert.match(late.stderr, /relayd: the invitation is used up: .*ask for a new one \(INVITATION_INVALID\)/);
    assert.deepEqual(await filesIn(third.home), ['identity.key'], 'nothing else is left');

    const again = await friend.run('join', server.line, '--yes');
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /is from this very line already: nothing to do/);
    const text = await readFile(friend.file, 'utf8');
    const other = await friend.run('join', (await server.machine.command('invite')).stdout, '--yes');
    assert.equal(other.code, 1);
    assert.match(other.stderr, /exists and is not from this line; nothing was changed/);
    assert.equal(await readFile(friend.file, 'utf8'), text);

    const [id = ''] = /[0-9a-f]{16}$/.exec(config.realm.tokenFile) ?? [];
    const cut = untilClosed(open);
    assert.equal((await server.machine.command('realm', 'revoke', id)).code, 0);
    await within(cut, 'the connection of the friend is cut');
    assert.equal(await isRefused(connectTo(t, listen)), true);
    const revoked = await third.run('join', server.line, '--yes', ...ADMIN);
    assert.match(revoked.stderr, /relayd: the invitation was revoked/);

    for (const child of [daemon, server.daemon]) {
      child.kill('SIGTERM');
      assert.equal((await within(child.result, 'a clean end', COMMAND_MS)).code, 0);
    }
  });

  it('for one peer is for no other, which finds out before anything is written; a service alone can be opened', async (t) => {
    const server = await startServer(t);
    const [anna, ben] = [await Machine.make(t), await Machine.make(t)];
    const [peer = ''] = (await anna.commandBare('key', 'new')).stdout.split('\n');
    const line = (await server.machine.command('invite', '--peer', peer, '--tunnel', 'echo')).stdout;
    const wrong = await ben.run('join', line, '--yes', ...ADMIN);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, new RegExp(`for peer ${peer} alone, and this machine has no peer id yet`));
    assert.deepEqual(await filesIn(ben.home), []);
    const right = await anna.run('join', line, '--yes', ...ADMIN);
    assert.equal(right.code, 0, right.stderr);
    assert.match(right.stderr, /the service answers\nJoined realm home as peer 12D3KooW/);

    const opened = ben.startBare('open', (await server.machine.command('invite', '--tunnel', 'echo', '--uses', 'connect')).stdout);
    const address = await untilLine(opened, /^127\.0\.0\.1:\d+$/);
    assert.equal((await echoed(connectTo(t, address), Buffer.from('hello'))).toString(), 'hello');
  });

  it('whose relay does not answer leaves no config and no token when the user has waited long enough', async (t) => {
    const [server, friend] = [await Machine.make(t), await Machine.make(t)];
    const dead = `/ip4/127.0.0.1/tcp/${await freePort()}`;
    const { stdout: line } = await server.command('invite', '--yes', '--relay', dead, '--set', 'network.allowPrivate=true');
    const joining = friend.start('join', line, '--yes', ...ADMIN);
    await until(async () => (await filesIn(friend.dataDir).catch((): string[] => [])).includes('admin.json'), 'the trial runs', COMMAND_MS);
    joining.kill('SIGINT');
    const { code, stderr } = await within(joining.result, 'the end', COMMAND_MS);
    assert.equal(code, 1);
    assert.match(stderr, /relayd: stopped before it was done: there is no config/);
    assert.deepEqual(await filesIn(friend.home), ['identity.key']);
  });

  it('to a relay that serves anyone makes a member, or says why not; the daemon says where it is', async (t) => {
    const nodes = new Nodes();
    t.after(() => nodes.stopAll());
    const dataDir = await nodes.dataDir('relay');
    const { name, publicKey } = await createAuthority(dataDir, 'home');
    const relay = await nodes.start('relay', { role: 'relay', network: { listen: LISTEN }, realm: { name, authority: publicKey } });
    const admin = await Machine.make(t);
    const settings = ['--set', `dataDir=${dataDir}`, '--set', `realm.authority=${publicKey}`];
    const invited = await admin.commandBare('invite', '--set', 'network.allowPrivate=true', ...settings);
    const { relays, facts } = checkLine(invited.stdout, Date.now());
    assert.deepEqual(relays, relay.addrs, 'with the port that it got');
    const [first, second] = [await Machine.make(t), await Machine.make(t)];
    const joined = await first.run('join', invited.stdout, '--yes', ...ADMIN);
    assert.equal(joined.code, 0, joined.stderr);
    assert.equal((await admin.commandBare('realm', 'revoke', facts.id, ...settings)).code, 0);
    await until(async () => (await metric(relay, 'relayd_realm_revocations')) === 1, 'the relay knows');
    const refused = await second.run('join', invited.stdout, '--yes', ...ADMIN);
    assert.deepEqual([refused.code, (await filesIn(second.home)).filter((file) => /yaml|token/.test(file))], [1, []]);
    assert.match(refused.stderr, /relayd: the invitation was revoked/);
  });
});
