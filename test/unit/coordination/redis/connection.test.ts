import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadClient } from '../../../../src/coordination/redis/connection.ts';

const ACCESS = { tls: undefined, username: undefined, password: undefined, database: 0 };

describe('connections to Redis', () => {
  it('are all of one class, for making one with all of its commands would keep a relay from its other work whenever it asks the next sentinel', async () => {
    const makeClient = await loadClient();
    const classOf = (port: number, password?: string): unknown => Object.getPrototypeOf(makeClient({ host: '127.0.0.1', port }, { ...ACCESS, password })).constructor;
    assert.equal(classOf(26379), classOf(26380));
    assert.equal(classOf(26379), classOf(6379, 'hunter2'));
  });
});
