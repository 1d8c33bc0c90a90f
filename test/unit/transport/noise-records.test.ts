import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { blocksInUse } from '../../../src/lib/block-pool.ts';
import { MAX_NONCE, NoiseOpener, NoiseSealer, Nonce } from '../../../src/transport/native/noise-records.ts';
import { patternBytes } from '../../support/bytes.ts';
import { cut, joinBytes } from './frames.ts';
import { blocksHeld, linkRig, turns } from './link-rig.ts';

const KEY = patternBytes(32, 77);
const TAG = 16;
const MAX_PAYLOAD = 65_519;

function seal(sealer: NoiseSealer, payload: Uint8Array): Buffer {
  const block = Buffer.alloc(2 + payload.length + TAG + 8, 0xcc);
  block.set(payload, 2);
  sealer.seal(block, 2, 2 + payload.length);
  assert.ok(block.subarray(-8).every((byte) => byte === 0xcc), 'nothing behind the tag is written');
  return block.subarray(0, -8);
}

/** Opens pieces that are memory of others again after each call. */
function open(opener: NoiseOpener, pieces: readonly Uint8Array[]): Buffer[] {
  const payloads: Buffer[] = [];
  for (const piece of pieces) {
    const chunk = Buffer.concat([Buffer.alloc(3), piece, Buffer.alloc(2)]);
    opener.open(chunk, 3, 3 + piece.length, (bytes, start, end) => payloads.push(Buffer.from(bytes.subarray(start, end))));
    chunk.fill(0xee);
  }
  return payloads;
}

const edge = [0, 1, 2, 15, 16, 17, 511, 4096, 12 * 1024 - 17, 12 * 1024 - 16, 12 * 1024 - 1, 12 * 1024, 12 * 1024 + 1, 65_518, MAX_PAYLOAD];

describe('noise records', () => {
  for (const length of edge) {
    it(`of ${length} bytes come back, whole, byte by byte and behind each other`, () => {
      const payload = patternBytes(length, 5);
      const sealer = new NoiseSealer(KEY);
      const records = [seal(sealer, payload), seal(sealer, payload), seal(sealer, payload)] as const;
      assert.equal(records[0].readUInt16BE(0), length + TAG);
      assert.equal(records[0].equals(records[1]), false, 'no nonce twice');
      const bytes = joinBytes(records);
      for (const lengths of [[bytes.length], length < 5000 ? [1] : [1, 1, 1, 7001], [bytes.length - 1, 1], [length + TAG + 1]]) {
        const opener = new NoiseOpener(KEY);
        const got = open(opener, cut(bytes, lengths));
        assert.deepEqual(got.map((each) => each.equals(payload)), [true, true, true]);
        assert.equal(opener.waitingBytes, 0);
      }
    });
  }

  it('come back whatever their lengths and the division of the bytes', async () => {
    const held = await blocksHeld();
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: MAX_PAYLOAD })), { minLength: 1, maxLength: 6 }),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 100, max: 70_000 })), { minLength: 1, maxLength: 6 }),
        (lengths, cuts) => {
          const sealer = new NoiseSealer(KEY);
          const payloads = lengths.map((length, i) => patternBytes(length, i + 1));
          const bytes = joinBytes(payloads.map((payload) => seal(sealer, payload)));
          const got = open(new NoiseOpener(KEY), cut(bytes, cuts));
          assert.ok(Buffer.concat(got).equals(Buffer.concat(payloads)));
          assert.equal(got.length, payloads.length);
        },
      ),
      { numRuns: 60 },
    );
    assert.equal(blocksInUse(), held);
  });

  const broken: [string, (records: Buffer[]) => Uint8Array[]][] = [
    ['with a bit of the payload changed', ([a, b]) => [flip(a, 5), b as Buffer]],
    ['with a bit of the tag changed', ([a, b]) => [flip(a, -1), b as Buffer]],
    ['with a byte missing', ([a, b]) => [(a as Buffer).subarray(0, -1), b as Buffer]],
    ['with a length that is too small', ([a, b]) => [flip(a, 1), b as Buffer]],
    ['out of order', ([a, b]) => [b as Buffer, a as Buffer]],
    ['sent twice', ([a]) => [a as Buffer, a as Buffer]],
    ['left out', ([, b]) => [b as Buffer]],
    ['shorter than a tag', ([a]) => [Uint8Array.of(0, 15), (a as Buffer).subarray(2, 17)]],
    ['of no length', ([a]) => [Uint8Array.of(0, 0), a as Buffer]],
  ];
  for (const [name, breakIt] of broken) {
    for (const size of [100, 20_000]) {
      it(`${name} end the link, and the error has no secrets: ${size} bytes`, async () => {
        const held = await blocksHeld();
        const secret = Buffer.from('plaintext that nobody may see. '.repeat(700)).subarray(0, size);
        const sealer = new NoiseSealer(KEY);
        const records = [seal(sealer, secret), seal(sealer, secret)];
        for (const lengths of [[1_000_000], [13]]) {
          const { link, ground, connection } = linkRig('inbound', { opener: new NoiseOpener(KEY), sealer: new NoiseSealer(KEY) });
          cut(joinBytes(breakIt(records)), lengths).forEach((piece) => ground.arrive(piece));
          assert.equal(link.status, 'aborted');
          const error = connection.resetWith as Error;
          const said = `${error.stack} ${String((error.cause as Error | undefined)?.stack)} ${JSON.stringify(error)} ${JSON.stringify(error.cause)}`;
          for (const leak of ['plaintext', Buffer.from(KEY).toString('hex').slice(0, 12), Buffer.from(KEY).toString('base64').slice(0, 12)]) {
            assert.equal(said.includes(leak), false);
          }
          ground.arrive(records[0] as Buffer);
          assert.equal(link.readBufferLength <= size, true, 'nothing is delivered after the error');
        }
        assert.equal(await blocksHeld(), held);
      });
    }
  }

  it('that are not finished when the link ends leave nothing', async () => {
    const held = await blocksHeld();
    const record = seal(new NoiseSealer(KEY), patternBytes(1000));
    for (const end of ['abort', 'onTransportClosed', 'onRemoteReset'] as const) {
      const { link, ground, connection } = linkRig('inbound', { opener: new NoiseOpener(KEY) });
      ground.arrive(record.subarray(0, 500));
      assert.equal(await blocksHeld(), held + 1);
      connection[end](new Error('over'));
      assert.notEqual(link.status, 'open');
      ground.arrive(record.subarray(500));
      assert.equal(await blocksHeld(), held);
    }
  });

  it('behind one that a reader ends the link over are not read, and hold nothing', async () => {
    const held = await blocksHeld();
    const sealer = new NoiseSealer(KEY);
    const records = joinBytes([1, 2, 3].map((i) => seal(sealer, Uint8Array.of(i))));
    const { link, ground } = linkRig('inbound', { opener: new NoiseOpener(KEY) });
    const got: number[] = [];
    link.addEventListener('message', (event) => {
      got.push(...event.data.subarray());
      link.abort(new Error('enough'));
    });
    ground.arrive(records.subarray(0, 10));
    ground.arrive(records.subarray(10, -3));
    assert.deepEqual(got, [1]);
    assert.equal(await blocksHeld(), held);
  });
});

describe('the counter of noise records', () => {
  it('is 4 zero bytes and 64 bits, little-endian', () => {
    for (const [first, hex] of [[0, '0000000000000000'], [1, '0100000000000000'], [0xffff_ffff, 'ffffffff00000000'], [2 ** 32, '0000000001000000'], [MAX_NONCE - 1, 'feffffffffff1f00']] as const) {
      assert.equal(new Nonce(first).advance().toString('hex'), `00000000${hex}`);
    }
  });

  it('goes over 32 bits, and both sides agree', () => {
    const first = 0xffff_fffe;
    const sealer = new NoiseSealer(KEY, new Nonce(first));
    const records = [1, 2, 3, 4].map((i) => seal(sealer, Uint8Array.of(i)));
    assert.deepEqual(open(new NoiseOpener(KEY, new Nonce(first)), records).map((each) => each[0]), [1, 2, 3, 4]);
  });

  it('never repeats: at its end the writer throws, again and again', () => {
    const sealer = new NoiseSealer(KEY, new Nonce(MAX_NONCE - 2));
    const records = [seal(sealer, Uint8Array.of(1)), seal(sealer, Uint8Array.of(1))];
    assert.equal((records[0] as Buffer).equals(records[1] as Buffer), false);
    for (let i = 0; i < 3; i++) assert.throws(() => seal(sealer, Uint8Array.of(1)), /at its end/);
    const opener = new NoiseOpener(KEY, new Nonce(MAX_NONCE - 2));
    assert.equal(open(opener, records).length, 2);
    assert.throws(() => open(opener, [records[1] as Buffer]), /at its end/);
  });

  it('at its end ends the link in order: no exception reaches the event loop', async () => {
    const held = await blocksHeld();
    const { link, ground } = linkRig('outbound', { sealer: new NoiseSealer(KEY, new Nonce(MAX_NONCE - 1)) });
    link.send(patternBytes(500_000));
    await turns(20);
    assert.equal(link.status, 'aborted');
    assert.ok(ground.left.length <= 1);
    ground.finish();
    assert.equal(await blocksHeld(), held);
  });
});

function flip(record: Buffer | undefined, at: number): Buffer {
  const changed = Buffer.from(record as Buffer);
  const index = at < 0 ? changed.length + at : at;
  changed[index] = (changed[index] as number) ^ 4;
  return changed;
}
