import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { list } from '../../../src/admin/list.ts';
import type { TunnelRow } from '../../../src/lib/contracts.ts';

const row = (name: string, open: number, lastError: string | null = null): TunnelRow => ({ kind: 'expose', name, local: '127.0.0.1:22', peers: ['P1', 'P2'], open, opened: 0, refused: 0, failed: 0, lastError });
const ROWS = [row('ssh', 10), row('Web', 9, 'timeout'), row('db', 100), row('web-2', 9)];

function ask(query: string): { names: string[]; total: string | undefined; matched: string | undefined } {
  const reply = list({ path: '', query: new URLSearchParams(query), body: undefined, accept: '', signal: new AbortController().signal }, 'tunnels', ROWS);
  const names = (JSON.parse(reply.body) as TunnelRow[]).map(({ name }) => name);
  return { names, total: reply.headers['x-total-count'], matched: reply.headers['x-match-count'] };
}

describe('a list of the admin API', () => {
  it('has every row in its own order when nothing is asked', () => {
    assert.deepEqual(ask(''), { names: ['ssh', 'Web', 'db', 'web-2'], total: '4', matched: '4' });
  });

  it('gives one page', () => {
    assert.deepEqual(ask('limit=2&offset=1').names, ['Web', 'db']);
    assert.deepEqual(ask('limit=2&offset=9').names, []);
    assert.deepEqual(ask('limit=0').names, []);
  });

  it('sorts numbers as numbers and words as words, either way', () => {
    assert.deepEqual(ask('sort=open').names, ['Web', 'web-2', 'ssh', 'db']);
    assert.deepEqual(ask('sort=-open').names, ['db', 'ssh', 'Web', 'web-2']);
    assert.deepEqual(ask('sort=name').names, ['db', 'ssh', 'Web', 'web-2']);
  });

  it('puts what is not there last, either way', () => {
    assert.deepEqual(ask('sort=lastError').names[0], 'Web');
    assert.deepEqual(ask('sort=-lastError').names[0], 'Web');
  });

  it('filters by every word, in any column, before it cuts', () => {
    assert.deepEqual(ask('filter=WEB'), { names: ['Web', 'web-2'], total: '4', matched: '2' });
    assert.deepEqual(ask('filter=web timeout&limit=5').names, ['Web']);
    assert.deepEqual(ask('filter=p2').names.length, 4);
    assert.deepEqual(ask('filter=nothing-like-it'), { names: [], total: '4', matched: '0' });
  });

  it('says what is wrong with a question', () => {
    for (const [query, message] of [['limit=-1', /^limit: "-1"/], ['offset=x', /^offset: "x"/], ['sort=constructor', /^sort: "constructor" is none of kind, name/], [`filter=${'x'.repeat(201)}`, /^filter: more than 200/]] as const) {
      assert.throws(() => ask(query), { code: 'BAD_REQUEST', message }, query);
    }
  });
});
