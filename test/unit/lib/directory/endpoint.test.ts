import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { writeFrame } from '../../../../src/lib/circuit/frames.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { LINGER_MS } from '../../../../src/lib/close-stream.ts';
import { MAX_DIRECTORY_FRAME_BYTES, encodeMessage } from '../../../../src/lib/directory/protocol.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { directoryPair } from '../../../support/directory-pair.ts';
import type { DirectoryPair } from '../../../support/directory-pair.ts';
import { settled, until, within } from '../../../support/waiting.ts';
import { describeOverMuxers } from '../../../support/yamux-pair.ts';

const STATEMENT = Uint8Array.of(1, 2, 3);
const CIRCUIT = multiaddr('/ip4/192.0.2.7/tcp/1/p2p/12D3KooWGzBgc1JXDpn8TjMtDLDq4fE9t5V7ZyLM8FBkvHrNSmVX/p2p-circuit');

const code = (wanted: string) => (error: unknown): boolean => error instanceof RelaydError && error.code === wanted;
const never = new AbortController().signal;

describeOverMuxers('the directory endpoint', () => {
  let clock: ManualClock;
  let pair: DirectoryPair;

  beforeEach(async () => {
    clock = new ManualClock();
    pair = await directoryPair(clock);
  });

  const allClosed = (): Promise<void> => until(() => pair.arrived.length > 0 && pair.arrived.every(({ status }) => status !== 'open'), 'the streams to be over');

  it('answers a request with what the provider gives, to the connection that asks', async () => {
    const askers: Connection[] = [];
    pair.far.serve(async (connection) => {
      askers.push(connection);
      return STATEMENT;
    });
    assert.deepEqual(await pair.near.fetch(pair.connection, never), STATEMENT);
    assert.equal(askers.length, 1);
    await allClosed();
    assert.equal(clock.pending, 0);
  });

  it('resets a request that it has no statement for', async () => {
    await assert.rejects(pair.near.fetch(pair.connection, never), code('UNEXPECTED_END'));
    pair.far.serve(() => undefined);
    await assert.rejects(pair.near.fetch(pair.connection, never), code('UNEXPECTED_END'));
    assert.equal(clock.pending, 0);
  });

  it('hands over what is brought, and tells the bringer when it has been taken', async () => {
    const taken: { statement: Uint8Array; ready: () => void }[] = [];
    pair.far.receive((_connection, statement, ready) => taken.push({ statement, ready }));
    let over = false;
    const push = pair.near.push(pair.connection, STATEMENT, never).then(() => (over = true));
    await until(() => taken.length === 1, 'the statement');
    assert.deepEqual(taken[0]?.statement, STATEMENT);
    await settled();
    // However long it takes: a drain ends when those who were told are ready.
    clock.advance(60_000);
    await settled();
    assert.equal(over, false);
    taken[0]?.ready();
    await within(push, 'the push to be over');
    await allClosed();
    assert.equal(clock.pending, 0);
  });

  it('takes what is brought where nobody listens', async () => {
    await within(pair.near.push(pair.connection, STATEMENT, never), 'the push to be over');
  });

  it('says that a statement is sent before the far side is ready', async () => {
    let ready = (): void => {};
    pair.far.receive((_connection, _statement, done) => (ready = done));
    const sent = await within(pair.near.send(pair.connection, STATEMENT, never), 'the statement to be sent');
    await settled();
    ready();
    await within(sent.closed, 'the far side to close');
  });

  it('stops waiting for the far side when it is told to, or when the stream is reset', async () => {
    pair.far.receive(() => {});
    const stop = new AbortController();
    const sent = await pair.near.send(pair.connection, STATEMENT, stop.signal);
    stop.abort(new RelaydError('TIMEOUT', 'the drain is over'));
    await assert.rejects(sent.closed);
    await allClosed();
    const other = await pair.near.send(pair.connection, STATEMENT, never);
    await until(() => pair.arrived.length === 2, 'the stream');
    pair.arrived[1]?.abort(new Error('no'));
    await assert.rejects(other.closed);
  });

  it('gives up on a far side that says nothing', async () => {
    pair.far.serve(() => new Promise(() => {}));
    const fetched = pair.near.fetch(pair.connection, never);
    await settled();
    clock.advance(5_000);
    await assert.rejects(fetched, code('TIMEOUT'));
    await allClosed();
  });

  it('gives up on a stream that says nothing', async () => {
    await pair.open();
    await settled();
    clock.advance(5_000);
    await allClosed();
    assert.equal(clock.pending, 0);
  });

  it('resets what is no message, and one that is too long before it is there', async () => {
    const garbage = await pair.open();
    writeFrame(garbage, Uint8Array.of(0xff, 0xff));
    const long = await pair.open();
    long.send(Uint8Array.of(0x81, 0x20)); // the length 4097, and nothing behind it
    await allClosed();
    assert.equal(garbage.status, 'reset');
    assert.equal(long.status, 'reset');
    assert.equal(MAX_DIRECTORY_FRAME_BYTES, 4096);
  });

  it('resets an answer that is no statement', async () => {
    const asked = await directoryPair(clock, { near: { newStream: pair.open } });
    // The far side's handler is not the endpoint's: it answers with a request.
    await pair.far.stop();
    const fetched = asked.near.fetch(asked.connection, never);
    await until(() => pair.arrived.length === 1, 'the stream');
    writeFrame(pair.arrived[0] as never, encodeMessage({ type: 'get' }));
    await assert.rejects(fetched, code('MALFORMED_MESSAGE'));
  });

  it('neither asks, tells nor answers over a relayed connection', async () => {
    for (const near of [{ limits: { bytes: 1n } }, { remoteAddr: CIRCUIT }]) {
      const relayed = await directoryPair(clock, { near });
      await assert.rejects(relayed.near.fetch(relayed.connection, never), code('BAD_REQUEST'));
      await assert.rejects(relayed.near.push(relayed.connection, STATEMENT, never), code('BAD_REQUEST'));
      assert.equal(relayed.arrived.length, 0);
    }
    const answering = await directoryPair(clock, { far: { remoteAddr: CIRCUIT } });
    answering.far.serve(async () => STATEMENT);
    await assert.rejects(answering.near.fetch(answering.connection, never));
  });

  it('lets go of everything when it stops, and works again after a start', async () => {
    pair.far.receive(() => {});
    const sent = await pair.near.send(pair.connection, STATEMENT, never);
    await until(() => pair.arrived.length === 1, 'the stream');
    await settled();
    await pair.far.stop();
    await assert.rejects(sent.closed);
    await pair.near.stop();
    await assert.rejects(pair.near.fetch(pair.connection, never), code('CLOSED'));
    await pair.near.start();
    await pair.far.start();
    pair.far.serve(async () => STATEMENT);
    assert.deepEqual(await pair.near.fetch(pair.connection, never), STATEMENT);
  });

  it('ends a half that the far side leaves open after its answer', async () => {
    pair.far.serve(async () => STATEMENT);
    const stream = await pair.open();
    writeFrame(stream, encodeMessage({ type: 'get' }));
    await settled();
    clock.advance(LINGER_MS);
    await allClosed();
  });
});
