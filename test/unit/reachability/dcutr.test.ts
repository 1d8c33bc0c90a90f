import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { writeFrame } from '../../../src/lib/circuit/frames.ts';
import { settled, until, within } from '../../support/waiting.ts';
import { PunchRig, SEEN_AT, answer, begin, newPeer } from './dcutr-support.ts';
import type { FakeLink } from './dcutr-support.ts';

const THEIRS = '/ip4/45.0.3.2/tcp/40001';
const DIRECT = 'relayd_hole_punch_total{outcome="direct",transport="tcp"}';

/** A circuit whose peer answers every exchange. */
function answered(rig: PunchRig, addrs = [THEIRS]): FakeLink {
  const circuit = rig.circuit();
  circuit.onStream = (stream) => void answer(stream, addrs).catch(() => {});
  rig.identified(circuit);
  return circuit;
}

/** Half of a round trip that took no time is over when the clock is looked at. */
function punched(rig: PunchRig, count: number): Promise<void> {
  return until(() => {
    rig.clock.advance(0);
    return rig.punches.length === count;
  }, `${count} attempts`);
}

describe('the target of a circuit', () => {
  it('punches a hole with the caller, as the server of the connection', async () => {
    const rig = await PunchRig.create();
    const circuit = answered(rig);
    assert.deepEqual(rig.punching.upgradeOf(circuit.connection), { state: 'trying' });
    await punched(rig, 1);
    assert.deepEqual([rig.punches[0]?.role, rig.punches[0]?.addrs], ['server', [THEIRS]]);
    assert.equal(circuit.status, 'open');
    const direct = rig.direct();
    rig.punches[0]?.result.resolve(direct.connection);
    await until(async () => (await rig.metric(DIRECT)) === 1, 'it is counted');
    assert.deepEqual(rig.punching.upgradeOf(circuit.connection), { state: 'direct' });
    assert.deepEqual(rig.punching.upgradeOf(direct.connection), { state: 'direct' });
    assert.equal(rig.closedHoles, 1);
  });

  it('tells where it is seen, and nothing that others may not be told', async () => {
    const rig = await PunchRig.create();
    const circuit = rig.circuit();
    rig.identified(circuit);
    await until(() => circuit.opened.length === 1, 'a stream');
    assert.deepEqual(await answer(circuit.opened[0] as never, [THEIRS]), [SEEN_AT]);
    const shy = await PunchRig.create();
    shy.seenAt = '/ip4/127.0.0.1/tcp/4001';
    const quiet = answered(shy);
    await until(() => shy.punching.upgradeOf(quiet.connection).state === 'failed', 'it gives up');
    assert.equal(quiet.opened.length, 0);
    assert.equal(await shy.metric('relayd_hole_punch_total{outcome="no address",transport="none"}'), 1);
  });

  it('tries three times in all, each with an exchange of its own, then leaves the circuit as it is', async () => {
    const rig = await PunchRig.create();
    const circuit = answered(rig);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await punched(rig, attempt);
      rig.punches[attempt - 1]?.result.reject(new Error('nobody there'));
    }
    await until(() => rig.punching.upgradeOf(circuit.connection).state === 'failed', 'it gives up');
    assert.match(rig.punching.upgradeOf(circuit.connection).reason ?? '', /nobody there/);
    await settled();
    assert.deepEqual([rig.punches.length, circuit.opened.length, circuit.status], [3, 3, 'open']);
    assert.equal(await rig.metric('relayd_hole_punch_total{outcome="failed",transport="none"}'), 1);
    assert.equal(await rig.metric('relayd_hole_punch_attempts_total{role="initiator"}'), 3);
  });

  it('gives an attempt five seconds', async () => {
    const rig = await PunchRig.create();
    answered(rig);
    await punched(rig, 1);
    rig.clock.advance(5_000);
    assert.equal(rig.punches[0]?.signal.aborted, true);
    await punched(rig, 2);
  });

  it('dials nothing that the address policy forbids, no name, no circuit, and not more than eight', async () => {
    const rig = await PunchRig.create();
    const many = Array.from({ length: 20 }, (_, i) => `/ip4/45.0.3.2/tcp/${i + 1}`);
    answered(rig, ['/ip4/127.0.0.1/tcp/1', '/ip4/10.0.0.1/tcp/1', '/dns4/example.org/tcp/1', `${THEIRS}/p2p/${rig.relay.toString()}/p2p-circuit`, many[0] as string, ...many]);
    await punched(rig, 1);
    assert.deepEqual(rig.punches[0]?.addrs, many.slice(0, 8));
  });

  it('first dials what the caller says of itself, where that is allowed', async () => {
    const rig = await PunchRig.create();
    const circuit = rig.circuit();
    rig.identified(circuit, ['/ip4/10.0.0.1/tcp/1', THEIRS]);
    await until(() => rig.dials.length === 1, 'a dial');
    assert.equal(rig.dials[0]?.addr, `${THEIRS}/p2p/${rig.peer.toString()}`);
    rig.dials[0]?.result.resolve(rig.direct().connection);
    await until(async () => (await rig.metric('relayd_hole_punch_total{outcome="reversed",transport="tcp"}')) === 1, 'it is counted');
    assert.equal(circuit.opened.length, 0);
    assert.equal(rig.punching.upgradeOf(circuit.connection).state, 'direct');
  });

  it('asks a peer that does not speak it again, a moment later, three times in all', async () => {
    const rig = await PunchRig.create();
    const circuit = rig.circuit();
    circuit.failure = Object.assign(new Error('no'), { name: 'UnsupportedProtocolError' });
    rig.identified(circuit);
    await until(() => {
      rig.clock.advance(100);
      return rig.punching.upgradeOf(circuit.connection).state === 'failed';
    }, 'it gives up');
    assert.equal(await rig.metric('relayd_hole_punch_attempts_total{role="initiator"}'), 3);
    assert.equal(await rig.metric('relayd_hole_punch_total{outcome="unsupported",transport="none"}'), 1);
  });

  it('does not try with one peer again and again', async () => {
    const rig = await PunchRig.create();
    for (let i = 0; i < 4; i++) {
      const circuit = rig.circuit();
      circuit.failure = new Error('gone');
      rig.identified(circuit);
      await until(() => rig.punching.upgradeOf(circuit.connection).state === 'failed', 'it gives up');
      circuit.status = 'closed';
    }
    const another = rig.circuit();
    assert.deepEqual(rig.punching.upgradeOf(another.connection), { state: 'failed', reason: 'it has been tried too often' });
    assert.equal(rig.circuit('inbound', await newPeer()).opened.length, 0);
    assert.equal(await rig.metric('relayd_hole_punch_total{outcome="refused",transport="none"}'), 1);
    rig.clock.advance(15_000);
    assert.equal(rig.punching.upgradeOf(rig.circuit().connection).state, 'trying');
  });

  it('is content with a direct connection that is there', async () => {
    const rig = await PunchRig.create();
    rig.direct();
    const circuit = answered(rig);
    await settled();
    assert.deepEqual([rig.punching.upgradeOf(circuit.connection).state, circuit.opened.length], ['direct', 0]);
  });
});

describe('the caller', () => {
  it('answers, and dials as the client as soon as it is told to', async () => {
    const rig = await PunchRig.create();
    const circuit = rig.circuit('outbound');
    const { stream, handled } = await rig.incoming(circuit);
    assert.deepEqual(await begin(stream, [THEIRS, '/ip4/127.0.0.1/tcp/9']), [SEEN_AT]);
    await punched(rig, 1);
    assert.deepEqual([rig.punches[0]?.role, rig.punches[0]?.addrs], ['client', [THEIRS]]);
    const direct = rig.direct();
    rig.punches[0]?.result.resolve(direct.connection);
    await within(handled, 'it is done');
    assert.deepEqual([rig.punching.upgradeOf(circuit.connection).state, rig.closedHoles], ['direct', 1]);
    assert.equal(await rig.metric('relayd_hole_punch_attempts_total{role="responder"}'), 1);
  });

  it('does not begin by itself', async () => {
    const rig = await PunchRig.create();
    const circuit = rig.circuit('outbound');
    rig.identified(circuit, [THEIRS]);
    await settled();
    assert.deepEqual([circuit.opened.length, rig.dials.length], [0, 0]);
  });

  it('resets a message over 4 KiB, and a stream that nobody should have opened', async () => {
    const rig = await PunchRig.create();
    const large = await rig.incoming(rig.circuit('outbound'));
    writeFrame(large.stream, new Uint8Array(4097));
    await within(large.handled, 'it is done');
    await until(() => large.stream.status === 'reset', 'the reset arrives');
    for (const link of [rig.circuit('inbound'), rig.direct()]) {
      const { stream } = await rig.incoming(link);
      await until(() => stream.status === 'reset', 'the reset arrives');
    }
    assert.equal(rig.punches.length, 0);
  });

  it('is not sent dialling without end', async () => {
    const rig = await PunchRig.create();
    const circuit = rig.circuit('outbound');
    for (let i = 0; i < 12; i++) {
      const { stream, handled } = await rig.incoming(circuit);
      await begin(stream, [THEIRS]);
      await punched(rig, i + 1);
      rig.punches[i]?.result.reject(new Error('nobody there'));
      await handled;
    }
    const { stream } = await rig.incoming(circuit);
    await until(() => stream.status === 'reset', 'the reset arrives');
    assert.equal(rig.punches.length, 12);
  });

  it('has itself seen over a transport that the relay is not connected by, and closes that connection later', async () => {
    const rig = await PunchRig.create();
    rig.relayAddrs = ['/ip4/45.0.1.2/tcp/4001', '/ip4/45.0.1.2/udp/4001/quic-v1'];
    rig.circuit('outbound');
    await until(() => rig.dials.length === 1, 'a dial of the relay');
    assert.equal(rig.dials[0]?.addr, `/ip4/45.0.1.2/tcp/4001/p2p/${rig.relay.toString()}`);
    const [link, other] = [rig.direct('/ip4/45.0.1.2/tcp/4001', rig.relay), rig.direct('/ip4/45.0.1.2/udp/4001/quic-v1', rig.relay)];
    rig.dials[0]?.result.resolve(link.connection);
    await settled();
    rig.clock.advance(39_999);
    await settled();
    assert.equal(link.status, 'open');
    other.status = 'closed';
    rig.clock.advance(1);
    await settled();
    assert.equal(link.status, 'open', 'it is the only one to the relay');
    other.status = 'open';
    rig.clock.advance(40_000);
    await until(() => link.status === 'closed', 'it is closed');
  });
});

describe('a circuit that a direct connection has replaced', () => {
  it('is closed once nothing has used it for a while, and not before', async () => {
    const rig = await PunchRig.create();
    const circuit = rig.circuit('outbound');
    circuit.streams.push({} as never);
    rig.direct();
    await settled();
    for (let i = 0; i < 4; i++) {
      rig.clock.advance(5_000);
      await settled();
    }
    assert.equal(circuit.status, 'open');
    circuit.streams.length = 0;
    for (let i = 0; i < 2; i++) {
      assert.equal(circuit.status, 'open');
      rig.clock.advance(5_000);
      await settled();
    }
    assert.equal(circuit.status, 'closed');
  });

  it('stays when the direct connection goes', async () => {
    const rig = await PunchRig.create();
    const circuit = rig.circuit('outbound');
    const direct = rig.direct();
    await settled();
    direct.status = 'closed';
    for (let i = 0; i < 4; i++) {
      rig.clock.advance(5_000);
      await settled();
    }
    assert.equal(circuit.status, 'open');
  });
});

describe('hole punching', () => {
  it('ends what is under way when it is stopped, and can be started again', async () => {
    const rig = await PunchRig.create();
    answered(rig);
    await punched(rig, 1);
    await rig.punching.stop();
    assert.equal(rig.punches[0]?.signal.aborted, true);
    assert.equal(rig.handler, undefined);
    await settled();
    assert.equal(rig.punches.length, 1);
    await rig.punching.start();
    rig.links.forEach((link) => (link.status = 'closed'));
    answered(rig);
    await punched(rig, 2);
  });
});
