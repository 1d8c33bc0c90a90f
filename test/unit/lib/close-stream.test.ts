import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { LINGER_MS, closeStream } from '../../../src/lib/close-stream.ts';
import { ByteReader } from '../../support/byte-reader.ts';
import { patternBytes } from '../../support/bytes.ts';
import { settled, until } from '../../support/waiting.ts';
import { yamuxPair } from '../../support/yamux-pair.ts';

describe('closeStream', () => {
  it('ends our half, and leaves no timer when the other side ends its own', async () => {
    const clock = new ManualClock();
    const [near, far] = await yamuxPair().open();
    const reader = new ByteReader(far);
    near.send(patternBytes(100));
    closeStream(near, clock);
    assert.equal(await reader.end(), 'end');
    assert.equal(reader.length, 100);
    assert.equal(clock.pending, 1);
    await far.close();
    await until(() => near.status === 'closed', 'the stream to be closed');
    assert.equal(clock.pending, 0);
    assert.deepEqual(reader.ends, ['end']);
  });

  it('resets the stream when the other side does not', async () => {
    const clock = new ManualClock();
    const [near, far] = await yamuxPair().open();
    const reader = new ByteReader(far);
    closeStream(near, clock);
    await reader.end();
    clock.advance(LINGER_MS);
    assert.equal(await reader.closed(), 'reset');
    assert.equal(near.status, 'aborted');
  });

  it('still reads what comes, or throws it away, as it is told', async () => {
    for (const discard of [false, true]) {
      const [near, far] = await yamuxPair().open();
      const reader = new ByteReader(near);
      closeStream(near, new ManualClock(), { discard });
      await settled();
      far.send(patternBytes(100));
      await settled();
      assert.equal(reader.length, discard ? 0 : 100);
    }
  });

  it('does nothing to a stream that is gone', async () => {
    const clock = new ManualClock();
    const [near] = await yamuxPair().open();
    near.abort(new Error('gone'));
    closeStream(near, clock);
    assert.equal(clock.pending, 0);
  });
});
