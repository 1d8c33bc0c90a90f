import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { describe, it } from 'node:test';
import { assetReply, pageAssets } from '../../../src/admin/assets.ts';
import { statusPageReply } from '../../../src/admin/status-page.ts';

const { body, headers } = await statusPageReply(200);
const { files, folder } = await pageAssets();
const own = [...files].filter(([name]) => name.endsWith('.ts'));

describe('the status page', () => {
  it('may load its own files and ask its own daemon, and nothing else', () => {
    const policy = headers['content-security-policy'] ?? '';
    assert.match(policy, /^default-src 'none'; /);
    assert.doesNotMatch(policy, /unsafe|https?:|data:|\*/);
    assert.equal(headers['x-frame-options'], 'DENY');
  });

  it('has nothing inline and names no other host', () => {
    assert.doesNotMatch(body, /https?:\/\//);
    assert.doesNotMatch(body, / on[a-z]+=| style=|<style|<script(?![^>]* src=)/);
  });

  it('names only files that are served', async () => {
    const named = [...body.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, path]) => path ?? '');
    assert.ok(named.length >= 5);
    for (const path of named) assert.equal((await assetReply(`/${path}`)).status, 200, path);
  });
});

describe('the files of the status page', () => {
  it('import only each other', () => {
    for (const [name, { text }] of own) {
      for (const [, path = ''] of text.matchAll(/^import .* from '([^']+)'/gm)) {
        assert.ok(files.has(posix.normalize(path)), `${name} imports ${path}, which is not served`);
      }
    }
  });

  it('are all needed', () => {
    const imported = new Set(own.flatMap(([, { text }]) => [...text.matchAll(/^import .* from '\.\/([^']+)'/gm)].map(([, name]) => name)));
    assert.deepEqual(own.map(([name]) => name).filter((name) => name !== 'main.ts' && !imported.has(name)), []);
  });

  it('make text of what the API says, never HTML', () => {
    for (const [name, { text }] of own) assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function/, name);
  });

  it('stay in the browser for good, under a path that changes with them', async () => {
    const reply = await assetReply(`/${folder}main.ts`);
    assert.match(folder, /^assets\/[0-9a-f]{16}\/$/);
    assert.match(reply.headers['cache-control'] ?? '', /immutable/);
    assert.match(reply.headers['content-type'] ?? '', /^text\/javascript/);
  });

  it('are a fixed list, and the only ones', async () => {
    for (const path of [`/${folder}`, `/${folder}nothing.ts`, `/${folder}../server.ts`, `/${folder}%2e%2e/server.ts`, '/assets/main.ts', '/assets/0000000000000000/main.ts', `/${folder}constructor`]) {
      await assert.rejects(assetReply(path), { code: 'NOT_FOUND' }, path);
    }
  });
});
