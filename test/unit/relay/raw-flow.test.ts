import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { Bandwidth } from '../../../src/relay/bandwidth.ts';
import { BufferLedger } from '../../../src/relay/buffer-ledger.ts';
import type { Flow } from '../../../src/relay/flow.ts';
import { RawFlow } from '../../../src/relay/raw-flow.ts';
import { patternBytes } from '../../support/bytes.ts';
import { flowRig } from '../../support/flow-rig.ts';
import { settled, until } from '../../support/waiting.ts';

const KiB = 1024;

/** What a flow of raw streams does otherwise than one of any streams; all that they have in common is in flow.test.ts. */
describe('RawFlow', () => {
  it('is what carries bytes between streams of the native data path', async () => {
    assert.ok((await flowRig()).flow instanceof RawFlow);
  });

  it('never lets the ledger hold more than its maximum: it is ended before it takes what does not fit', async () => {
    const MAXIMUM = 300 * KiB;
    let flow: Flow | undefined;
    let most = 0;
    const ledger: BufferLedger = new BufferLedger(MAXIMUM, () => {
      flow?.stop();
      most = Math.max(most, ledger.held);
    });
    const rig = await flowRig({ ledger });
    flow = rig.flow;
    ledger.change(200 * KiB);
    rig.receiver.pause();
    rig.flow.start();
    rig.sender.send(patternBytes(1024 * KiB));
    await until(() => rig.flow.over, 'the flow to be ended');
    await settled();
    assert.ok(most <= MAXIMUM && ledger.held === 200 * KiB, `${ledger.held} bytes are held, of others`);
  });

  it('holds a rate, delivers what the limit allows to the byte, and only then says that it is passed', async () => {
    const clock = new ManualClock();
    const shaper = new Bandwidth({ perCircuit: 10 * KiB, perPeer: Infinity, total: Infinity }, clock).shaperFor('source', 'target');
    const { sender, flow, told, tells, reader } = await flowRig({ clock, shaper, limitBytes: 20 * KiB });
    flow.start();
    sender.send(patternBytes(30 * KiB));
    await until(() => flow.buffered > 0, 'bytes to wait');
    await settled();
    assert.ok(reader.length < 20 * KiB && !told.includes('over limit'), 'the rate comes first');
    for (let i = 0; i < 20 && !told.includes('over limit'); i++) {
      clock.advance(250);
      await settled();
    }
    await tells('over limit');
    assert.deepEqual(await reader.has(20 * KiB), patternBytes(20 * KiB));
    assert.equal(flow.moved, 20 * KiB);
  });

  it('gives no credit for bytes that it did not carry: what was sent before it began is not its own', async () => {
    const { sender, to, flow, ledger, reader } = await flowRig();
    to.send(new Uint8Array(40));
    flow.start();
    sender.send(patternBytes(10));
    await reader.has(50);
    await until(() => flow.buffered === 0, 'nothing to be held');
    await settled();
    assert.deepEqual([flow.buffered, ledger.held, flow.moved], [0, 0, 10]);
  });
});
