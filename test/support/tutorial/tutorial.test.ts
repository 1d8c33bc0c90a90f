import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noNamespaces } from '../netns/why-not.ts';
import { missingLine } from './output.ts';
import { parseTutorial } from './parse.ts';
import { Play } from './play.ts';

const MACHINES = '<!-- machines: a 45.0.9.2; b private -->\n';

function fenced(info: string, text: string): string {
  return `\`\`\`${info}\n${text}\`\`\`\n`;
}

describe('a tutorial as a program', () => {
  it('is its blocks and hidden commands, in order', () => {
    const { machines, steps } = parseTutorial(`${MACHINES}# Title\n${fenced('sh on=a', 'one\n')}<!-- sh on=b\ntwo\n-->\n${fenced('text', 'seen\n')}<!-- stop on=a -->\n${fenced('yaml on=b file=c.yaml', 'x: 1\n')}`);
    assert.deepEqual(machines, [{ name: 'a', address: '45.0.9.2' }, { name: 'b', address: undefined }]);
    assert.deepEqual(steps.map(({ kind }) => kind), ['run', 'run', 'output', 'stop', 'file']);
    assert.deepEqual(steps.map((step) => ('script' in step ? step.script : '')), ['one\n', 'two\n', '', '', '']);
  });

  it('has no block that nobody would run', () => {
    for (const block of [fenced('sh', 'x\n'), fenced('sh on=c', 'x\n'), fenced('', 'x\n'), fenced('yaml on=a', 'x\n')]) {
      assert.throws(() => parseTutorial(MACHINES + block), /line 2: .*nobody would run it/s);
    }
  });

  it('finds the output that it shows, in order, whatever the columns and colours', () => {
    const printed = '\u001B[1mPEER   STATE\u001B[0m\r\n12D3   reserved   1 ms\r\nthe end\r\n';
    assert.equal(missingLine('PEER STATE\n…reserved…\nthe end', printed), undefined);
    assert.equal(missingLine('the end\n…reserved…', printed), '…reserved…');
    assert.equal(missingLine('reserved', printed), 'reserved');
  });

  it('runs what it says, and fails where that is not so', { skip: noNamespaces() }, async () => {
    const play = await Play.open(parseTutorial(MACHINES));
    try {
      const run = async (text: string): Promise<void> => {
        for (const step of parseTutorial(MACHINES + text).steps) await play.step(step);
      };
      await run(fenced('sh on=a capture=WORD', 'echo hidden\n') + fenced('yaml on=b file=sub/f', 'is WORD\n') + fenced('sh on=b', 'cat sub/f\n') + fenced('text', 'is hidden\n'));
      await run(fenced('sh on=a until=up', 'echo up; echo later; sleep 60\n') + fenced('text', 'later\n') + '<!-- stop on=a -->\n');
      await run(fenced('sh on=a again', 'echo x >>f; cat f | wc -l\n') + fenced('text', '3\n'));
      await run(fenced('sh on=a fails', 'false\n'));
      await assert.rejects(run(fenced('sh on=a', 'echo so; false\n')), /ended with 1.*so/s);
      await assert.rejects(run(fenced('sh on=a fails', 'true\n')), /ended with 0/);
      await assert.rejects(run(fenced('sh on=a until=never', 'echo gone\n')), /ended with 0.*gone/s);
      await assert.rejects(run(fenced('sh on=b', 'ping -c 1 -W 1 45.0.2.77\n')), /ended with|not found/);
    } finally {
      await play.close();
    }
  });
});
