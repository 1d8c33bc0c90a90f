import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { streamPair } from '@libp2p/utils';
import { giveCredit, holdCredit } from '../../../src/lib/flow.ts';
import { ByteReader } from '../../support/byte-reader.ts';
import { patternBytes } from '../../support/bytes.ts';
import { settled } from '../../support/waiting.ts';
import { yamuxPair } from '../../support/yamux-pair.ts';

const WINDOW = 256 * 1024;

describe('window credit', () => {
  it('held stops a sender after one window, given lets it go on', async () => {
    const [from, to] = await yamuxPair().open();
    const reader = new ByteReader(to);
    holdCredit(to);
    const sent = patternBytes(3 * WINDOW);
    from.send(sent);
    await reader.has(WINDOW);
    await settled();
    assert.equal(reader.length, WINDOW, 'what the sender had, and no byte more');
    giveCredit(to);
    await reader.has(3 * WINDOW);
    assert.deepEqual(reader.bytes, sent);
  });

  it('may be held and given in any order, twice or after the end', async () => {
    const [from, to] = await yamuxPair().open();
    const reader = new ByteReader(to);
    for (const call of [giveCredit, holdCredit, holdCredit, giveCredit, giveCredit]) call(to);
    from.send(patternBytes(2 * WINDOW));
    await reader.has(2 * WINDOW);
    to.abort(new Error('over'));
    holdCredit(to);
    giveCredit(to);
  });

  it('of a stream that has no such calls is left alone', async () => {
    const [, to] = await streamPair();
    const bare = new Proxy(to, { get: (target, name) => (name === 'sendPause' ? undefined : Reflect.get(target, name) as unknown) });
    holdCredit(bare);
    giveCredit(bare);
  });
});
