import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import { answerEarlySignals } from '../../../src/cli/early-signals.ts';

/** What happens to a process with these arguments when the signal comes. */
function answerTo(signal: string, argv: string[], later?: () => void): string {
  const signals = new EventEmitter();
  const answers: string[] = [];
  answerEarlySignals({ argv, signals, exitNow: (code) => answers.push(`exit ${code}`), dieOf: (name) => answers.push(`die of ${name}`) });
  if (later !== undefined) signals.on(signal, later);
  signals.emit(signal);
  return answers.join();
}

describe('signals before the program is loaded', () => {
  test('stop a daemon cleanly, wherever in the line its command stands', () => {
    for (const argv of [['run'], ['run', '--config', 'f'], ['--config', 'f', '--set', 'a=b', 'run'], ['--profile=tier2', 'run']]) {
      assert.deepEqual([answerTo('SIGTERM', argv), answerTo('SIGINT', argv), answerTo('SIGHUP', argv)], ['exit 0', 'exit 0', ''], argv.join(' '));
    }
  });

  test('end any other command as signals do', () => {
    for (const argv of [['status'], ['--config', 'run', 'status'], ['ping', 'run'], []]) {
      assert.deepEqual([answerTo('SIGTERM', argv), answerTo('SIGHUP', argv)], ['die of SIGTERM', 'die of SIGHUP'], argv.join(' '));
    }
  });

  test('are left to whoever listens later', () => {
    assert.equal(answerTo('SIGTERM', ['run'], () => {}), '');
    assert.equal(answerTo('SIGINT', ['status'], () => {}), '');
  });
});
