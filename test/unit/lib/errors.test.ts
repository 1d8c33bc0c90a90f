import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ERROR_CODES, RelaydError, errorMessage, toError } from '../../../src/lib/errors.ts';

describe('RelaydError', () => {
  it('has a code, its exit code and HTTP status, its data and its cause', () => {
    const cause = new Error('why');
    const error = new RelaydError('TIMEOUT', 'too late', { cause, data: { ms: 5 } });
    assert.deepEqual([error.code, error.exitCode, error.httpStatus, error.data, error.cause, error.name], ['TIMEOUT', 1, 504, { ms: 5 }, cause, 'RelaydError']);
    assert.equal('cause' in new RelaydError('TIMEOUT', 'x'), false);
  });

  it('has exit codes that interface.md names, and HTTP statuses that are errors', () => {
    for (const [code, { exit, http }] of Object.entries(ERROR_CODES)) {
      assert.ok([1, 64, 69, 78].includes(exit), code);
      assert.ok(http >= 400 && http < 600, code);
    }
  });
});

describe('errorMessage', () => {
  it('tells what was thrown, with the causes behind it', () => {
    assert.equal(errorMessage(new Error('a', { cause: new Error('b', { cause: 'c' }) })), 'a: b: c');
    assert.equal(errorMessage('text'), 'text');
    assert.equal(errorMessage(new TypeError('')), 'TypeError');
    assert.equal(errorMessage(undefined), 'undefined');
  });
});

describe('toError', () => {
  it('leaves an error as it is and makes one of anything else', () => {
    const error = new Error('x');
    assert.equal(toError(error), error);
    assert.equal(toError('x').message, 'x');
  });
});
