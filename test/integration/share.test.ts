import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { checkLine } from '../../src/cli/invitation/line.ts';
import { decodeInvitation } from '../../src/realm/invitation.ts';
import { LISTEN, Nodes } from '../support/nodes.ts';
import { within } from '../support/waiting.ts';
import { COMMAND_MS, Machine, connectTo, echoed, startEcho, startServer, untilClosed, untilLine } from './invitation-support.ts';

const MIB = 1024 * 1024;

/** A public relay's limits for anyone are too small for a megabyte. */
const GENEROUS = { limits: { circuits: { bytesPerDirection: 'unlimited', duration: 'unlimited' } } };

describe('share and open', { timeout: 240_000 }, () => {
  const nodes = new Nodes();

  after(() => nodes.stopAll());

  it('carry a service through a relay of somebody else, to one machine and no other, also after a restart', async (t) => {
    const relay = await nodes.start('relay', { role: 'relay', network: { listen: LISTEN }, relay: GENEROUS });
    const [address = ''] = relay.addrs;
    const port = await startEcho(t);
    const [owner, guest, stranger] = [await Machine.make(t), await Machine.make(t), await Machine.make(t)];
    const share = owner.startBare('share', String(port), '--relay', address);
    const line = await untilLine(share, /^relayd:/);
    const opened = guest.startBare('open', line);
    const local = await untilLine(opened, /^127\.0\.0\.1:\d+$/);
    const data = randomBytes(MIB);
    assert.ok((await echoed(connectTo(t, local), data)).equals(data));

    const refused = await within(stranger.startBare('open', line).result, 'the second guest', COMMAND_MS);
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, /used up/);

    share.kill('SIGINT');
    assert.equal((await within(share.result, 'the end of the share', COMMAND_MS)).stdout, `${line}\n`, 'nothing but the line on stdout');
    const away = await within(stranger.startBare('open', line).result, 'a guest of nothing', COMMAND_MS);
    assert.equal(away.code, 1);
    assert.match(away.stderr, /its machine is not there now; is relayd running on it\?/);

    const restarted = owner.startBare('share', String(port), '--relay', address);
    assert.equal(await untilLine(restarted, /^relayd:/), line);
    assert.ok((await echoed(connectTo(t, local), data)).equals(data), 'the guest did not notice');
    opened.kill('SIGHUP');
    assert.equal((await within(opened.result, 'the end with the terminal', COMMAND_MS)).code, 0);
    const same = guest.startBare('open', line, '--listen', '127.0.0.1:0');
    const elsewhere = await untilLine(same, /^127\.0\.0\.1:\d+$/);
    assert.equal((await echoed(connectTo(t, elsewhere), Buffer.from('again'))).toString(), 'again');
    const other = owner.startBare('share', String(port), '--relay', address, '--name', 'other');
    assert.equal((await within(other.result, 'a share beside itself', COMMAND_MS)).code, 1);
  });

  it('work at a relay for members only, on the machine that has the key of its realm, until the line is taken back', async (t) => {
    const { machine, line: invitation, port } = await startServer(t);
    const [relay = ''] = decodeInvitation(invitation).relays;
    const share = machine.start('share', String(port), '--relay', relay);
    const line = await untilLine(share, /^relayd:/);
    assert.equal(decodeInvitation(line).realm, 'home');
    const guest = await Machine.make(t);
    const local = await untilLine(guest.startBare('open', line), /^127\.0\.0\.1:\d+$/);
    const open = connectTo(t, local);
    assert.equal((await echoed(open, Buffer.from('hello'))).toString(), 'hello');
    const cut = untilClosed(open);
    assert.equal((await machine.command('realm', 'revoke', checkLine(line, Date.now()).facts.id)).code, 0);
    await within(cut, 'the guest is cut off', COMMAND_MS);
    const outsider = await Machine.make(t);
    const refused = await within(outsider.startBare('share', String(port), '--relay', relay).result, 'a share of a stranger', COMMAND_MS);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /no relay took this machine in: .* members only: this relay serves members of the realm home/);
  });
});
