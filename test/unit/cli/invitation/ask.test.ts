import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { confirm } from '../../../../src/cli/invitation/ask.ts';
import { givenLine } from '../../../../src/cli/invitation/given-line.ts';
import { CliContext } from '../../../../src/cli/context.ts';

interface Terminal {
  context: CliContext;
  stdin: PassThrough & { isTTY: boolean };
  shown: () => string;
}

function terminal(isTTY = true): Terminal {
  let text = '';
  const stdin = Object.assign(new PassThrough(), { isTTY });
  const out = { write: (more: string): void => void (text += more) };
  return { stdin, shown: () => text, context: new CliContext({ stdout: out, stderr: out, stdin, env: {}, signals: new EventEmitter(), exitNow: () => {} }) };
}

describe('a question before something is changed', () => {
  it('takes y and yes, and nothing else, for a yes', async () => {
    for (const [answer, yes] of [['y', true], ['YES', true], [' Yes ', true], ['n', false], ['', false], ['yesterday', false]] as const) {
      const { context, stdin, shown } = terminal();
      stdin.write(`${answer}\n`);
      const outcome = confirm(context, false);
      await (yes ? outcome : assert.rejects(outcome, { exitCode: 1, message: 'relayd: nothing was changed' }));
      assert.equal(shown(), 'Go on? [y/N] ');
    }
  });

  it('is no where the terminal goes away', async () => {
    const { context, stdin } = terminal();
    stdin.end();
    await assert.rejects(confirm(context, false), { exitCode: 1 });
  });

  it('is not asked where the answer is given, and fails where nobody can answer', async () => {
    await confirm(terminal(false).context, true);
    await assert.rejects(confirm(terminal(false).context, false), { exitCode: 64, message: /nobody can be asked; give --yes/ });
  });
});

describe('a line that is given to a command', () => {
  it('is put together from the words that a paste broke it into', async () => {
    assert.equal(await givenLine(terminal().context, ['relayd:AB', 'CD']), 'relayd:ABCD');
  });

  it('comes from standard input for -, as far as a line may go', async () => {
    const { context, stdin } = terminal(false);
    stdin.write('relayd:AB\n');
    stdin.end('CD\n');
    assert.equal(await givenLine(context, ['-']), 'relayd:AB\nCD\n');
    const long = terminal(false);
    const text = givenLine(long.context, ['-']);
    long.stdin.write('A'.repeat(100_000));
    assert.ok((await text).length >= 16_384, 'it does not wait for the end');
  });
});
