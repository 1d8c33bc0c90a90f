import type { Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readFrame, writeFrame } from '../../../src/lib/circuit/frames.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { answerExchange, beginExchange } from '../../../src/reachability/dcutr-exchange.ts';
import { decodeHolePunch, encodeHolePunch } from '../../../src/reachability/dcutr-message.ts';
import type { HolePunchMessage } from '../../../src/reachability/dcutr-message.ts';
import { settled } from '../../support/waiting.ts';
import { yamuxPair } from '../../support/yamux-pair.ts';

const OURS = [multiaddr('/ip4/1.2.3.4/tcp/5')];
const THEIRS = [multiaddr('/ip4/5.6.7.8/udp/9/quic-v1')];
const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const malformed = (error: unknown): boolean => error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE';

async function read(stream: Stream): Promise<HolePunchMessage> {
  return decodeHolePunch(await readFrame(stream, { signal: soon() }));
}

const write = (stream: Stream, type: HolePunchMessage['type'], addrs = THEIRS): void => writeFrame(stream, encodeHolePunch({ type, addrs }));

describe('the exchange, by the target of the circuit', () => {
  it('sends CONNECT, then SYNC, and is over half a round trip after that', async () => {
    const clock = new ManualClock();
    const [near, far] = await yamuxPair().open();
    let over = false;
    const exchange = beginExchange(near, OURS, clock, soon()).finally(() => (over = true));
    assert.deepEqual((await read(far)).addrs.map(String), OURS.map(String));
    clock.advance(80);
    write(far, 'CONNECT');
    assert.equal((await read(far)).type, 'SYNC');
    clock.advance(39);
    await settled();
    assert.equal(over, false);
    clock.advance(1);
    assert.deepEqual((await exchange).map(String), THEIRS.map(String));
  });

  it('fails on another answer, on one over 4 KiB, and on none', async () => {
    for (const answer of [(stream: Stream) => write(stream, 'SYNC'), (stream: Stream) => writeFrame(stream, new Uint8Array(4097))]) {
      const [near, far] = await yamuxPair().open();
      answer(far);
      await assert.rejects(beginExchange(near, OURS, new ManualClock(), soon()), malformed);
    }
    const [near, far] = await yamuxPair().open();
    await far.close();
    await assert.rejects(beginExchange(near, OURS, new ManualClock(), soon()), { code: 'UNEXPECTED_END' });
  });
});

describe('the exchange, by the caller', () => {
  it('answers CONNECT, and is over with SYNC', async () => {
    const [near, far] = await yamuxPair().open();
    let over = false;
    const exchange = answerExchange(far, OURS, soon()).finally(() => (over = true));
    write(near, 'CONNECT');
    assert.deepEqual((await read(near)).addrs.map(String), OURS.map(String));
    await settled();
    assert.equal(over, false);
    write(near, 'SYNC', []);
    assert.deepEqual((await exchange).map(String), THEIRS.map(String));
  });

  it('refuses a message over 4 KiB before it has come, and SYNC without CONNECT', async () => {
    const [near, far] = await yamuxPair().open();
    near.send(Uint8Array.of(0x81, 0x20)); // 4097, and nothing behind it.
    await assert.rejects(answerExchange(far, OURS, soon()), malformed);
    const [another, end] = await yamuxPair().open();
    write(another, 'SYNC');
    await assert.rejects(answerExchange(end, OURS, soon()), malformed);
  });
});
