import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Passage } from '../../../../src/coordination/redis/passage.ts';
import { SCRIPTS } from '../../../../src/coordination/redis/scripts.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { settled } from '../../../support/waiting.ts';

const ASK = 'ASK 12874 127.0.0.1:2';
const MOVED = 'MOVED 12874 127.0.0.1:2';
const HERE = '127.0.0.1:1';

/** A line whose answers the test gives, in the order in which a server would. */
class Way {
  readonly where = HERE;
  readonly sent: string[] = [];
  closedWith: unknown;
  readonly #answers: ((error?: string) => void)[] = [];

  readonly run = (_script: unknown, ...args: readonly unknown[]): Promise<unknown[]> => this.#send(String(args[0]));
  readonly look = async (): Promise<void> => void (await this.#send('look'));
  readonly close = (why?: unknown): void => void (this.closedWith = why);

  #send(what: string): Promise<unknown[]> {
    this.sent.push(what);
    return new Promise((resolve, reject) => this.#answers.push((error) => (error === undefined ? resolve([what]) : reject(new Error(error)))));
  }

  /** Of the oldest that waits for one: an error, or it was carried out. */
  async answer(...errors: (string | undefined)[]): Promise<void> {
    errors.forEach((error) => this.#answers.shift()!(error));
    await settled(1);
  }
}

describe('the way of commands to Redis', () => {
  function rig(): { clock: ManualClock; passage: Passage; way: Way; problems: string[]; done: string[]; ask: (...names: string[]) => void } {
    const clock = new ManualClock();
    const problems: string[] = [];
    const passage = new Passage(clock, (problem) => problems.push(problem));
    const way = new Way();
    passage.open(way, undefined);
    const done: string[] = [];
    const ask = (...names: string[]): void =>
      names.forEach((name) => {
        passage.run(SCRIPTS.mine, name).then(
          () => done.push(name),
          (error: Error) => done.push(`${name}: ${error.message}`),
        );
      });
    return { clock, passage, way, problems, done, ask };
  }

  it('keeps their order while a slot is moved, and takes them to where it comes to be', async () => {
    const { passage, way, problems, done, ask } = rig();
    ask('1', '2', '3');
    await way.answer(undefined, ASK, ASK);
    ask('4');
    assert.deepEqual([way.sent, done], [['1', '2', '3', 'look'], ['1']]);
    await way.answer(MOVED);
    assert.match(String(way.closedWith), /MOVED/);
    const next = new Way();
    passage.open(next, undefined);
    ask('5');
    assert.deepEqual(next.sent, ['2', '3', '4', '5']);
    await next.answer(undefined, undefined, undefined, undefined);
    assert.deepEqual([done, problems], [['1', '2', '3', '4', '5'], []]);
  });

  it('looks again and again, and lets them through when the slot stays', async () => {
    const { clock, way, done, ask } = rig();
    ask('1');
    await way.answer(ASK);
    await way.answer(ASK);
    clock.advance(2);
    await settled(1);
    await way.answer('TRYAGAIN Multiple keys');
    clock.advance(4);
    await settled(1);
    await way.answer(undefined);
    assert.deepEqual(way.sent, ['1', 'look', 'look', 'look', '1']);
    await way.answer(undefined);
    assert.deepEqual([done, way.closedWith], [['1'], undefined]);
  });

  it('gives a line up on which one has overtaken another, for then all must be told again', async () => {
    const { way, ask } = rig();
    ask('1', '2');
    await way.answer(ASK, undefined);
    assert.match(String(way.closedWith), /was not moved after all/);
  });

  it('keeps nobody waiting for more than a second, says why, and goes on looking', async () => {
    const { clock, passage, way, problems, done, ask } = rig();
    ask('1');
    await way.answer(ASK);
    clock.advance(1_000);
    await settled(1);
    ask('2');
    await settled(1);
    const text = `Redis at ${HERE} is moving the slot of this cluster's keys to another node, and goes on when that is done; redis-cli --cluster check says whether anybody is at it`;
    assert.deepEqual([problems, done], [[text], [`1: ${text}`, `2: ${text}`]]);
    const next = new Way();
    passage.open(next, new Error(ASK));
    ask('3');
    await next.answer(undefined);
    ask('4');
    assert.deepEqual(next.sent, ['look', '4'], 'a new line that is told the same looks too');
  });

  it('fails them at once when there is none, with what waits', async () => {
    const { passage, way, done, ask } = rig();
    ask('1');
    await way.answer(ASK);
    passage.close('it is gone');
    ask('2');
    await settled(1);
    assert.deepEqual(done, ['1: it is gone', '2: it is gone']);
  });
});
