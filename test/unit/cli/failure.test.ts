import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFailure, PlainFailure } from '../../../src/cli/failure.ts';
import { RelaydError } from '../../../src/lib/errors.ts';

test('an error of ours is one line with its code, and ends with the code of the table', () => {
  const error = new RelaydError('ADDRESS_IN_USE', 'admin.listen: another process\n  listens there');
  assert.deepEqual(describeFailure(error), { text: 'relayd: admin.listen: another process listens there (ADDRESS_IN_USE)', exitCode: 1 });
  assert.equal(describeFailure(new RelaydError('DAEMON_UNREACHABLE', 'x')).exitCode, 69);
  assert.match(describeFailure(new RelaydError('UNAUTHORIZED', 'x')).text, /--token-file/);
});

test('any other error is a line without a stack', () => {
  assert.deepEqual(describeFailure(new TypeError('bug', { cause: new Error('why') })), { text: 'relayd: bug: why', exitCode: 1 });
});

test('what a peer or a file put into an error does not steer the terminal', () => {
  assert.equal(describeFailure(new RelaydError('DIAL_FAILED', 'no \u001b[2J\u009b\u202ehost')).text, 'relayd: no ?[2J??host (DIAL_FAILED)');
  assert.equal(describeFailure(new Error('a\u0007b')).text, 'relayd: a?b');
});

test('config errors stay as they are', () => {
  assert.deepEqual(describeFailure(new PlainFailure(['f:1:2: a: b; c', 'f:2:2: d: e; f'], 78)), { text: 'f:1:2: a: b; c\nf:2:2: d: e; f', exitCode: 78 });
});
