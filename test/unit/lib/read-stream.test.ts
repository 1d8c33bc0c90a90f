import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { streamPair } from '@libp2p/utils';
import { RelaydError } from '../../../src/lib/errors.ts';
import { readExactly, readUntil } from '../../../src/lib/read-stream.ts';
import { patternBytes } from '../../support/bytes.ts';
import { settled, within } from '../../support/waiting.ts';

const soon = (): AbortSignal => AbortSignal.timeout(5_000);
const ended = (error: unknown): boolean => error instanceof RelaydError && error.code === 'UNEXPECTED_END';

describe('readExactly', () => {
  it('reads so many bytes, however they come, and leaves the rest', async () => {
    const [from, to] = await streamPair({ delay: 0 });
    const sent = patternBytes(100);
    [sent.subarray(0, 1), sent.subarray(1, 50), sent.subarray(50)].forEach((piece) => from.send(piece));
    assert.deepEqual(await readExactly(to, 30, soon()), sent.subarray(0, 30));
    assert.deepEqual(await readExactly(to, 69, soon()), sent.subarray(30, 99));
    assert.deepEqual(await readExactly(to, 1, soon()), sent.subarray(99));
  });

  it('says so when the stream ends first, at once, even where the end came before', async () => {
    for (const early of [false, true]) {
      const [from, to] = await streamPair({ delay: 0 });
      from.send(patternBytes(10));
      const reading = early ? undefined : assert.rejects(readExactly(to, 11, soon()), ended);
      await from.close();
      await settled();
      await within(reading ?? assert.rejects(readExactly(to, 11, soon()), ended), 'an error', 1_000);
    }
  });
});

describe('readUntil', () => {
  it('throws what its reader throws, and leaves no listener', async () => {
    const [from, to] = await streamPair({ delay: 0 });
    const failure = new Error('not this');
    const reading = assert.rejects(
      readUntil(to, soon(), () => {
        throw failure;
      }),
      failure,
    );
    from.send(patternBytes(1));
    await reading;
    assert.equal((to as typeof to & { listenerCount(type: string): number }).listenerCount('message'), 0);
  });

  it('keeps the order: what is put back comes before what arrives later', async () => {
    const [from, to] = await streamPair({ delay: 0 });
    from.send(Uint8Array.of(1, 2, 3));
    assert.deepEqual(await readExactly(to, 1, soon()), Uint8Array.of(1));
    from.send(Uint8Array.of(4, 5));
    await settled();
    assert.deepEqual(await readExactly(to, 4, soon()), Uint8Array.of(2, 3, 4, 5));
  });
});
