import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { pageScript } from '../../../src/admin/page-script.ts';
import { statusPageReply } from '../../../src/admin/status-page.ts';

const { body, headers } = statusPageReply(200);
const policy = headers['content-security-policy'] ?? '';

function inner(tag: string): string {
  const found = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(body)?.[1];
  assert.ok(found !== undefined);
  return found;
}

test('the policy allows its own script and style by their digests, and nothing else', () => {
  const digest = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  assert.ok(policy.includes(`script-src ${digest(inner('script'))};`));
  assert.ok(policy.includes(`style-src ${digest(inner('style'))};`));
  assert.match(policy, /^default-src 'none';/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
});

test('the page asks nothing of anyone but the daemon, and runs nothing inline', () => {
  assert.doesNotMatch(body, /https?:\/\//);
  assert.doesNotMatch(body, /<link (?![^>]*href="data:,")|<script [^>]*src|<img|<iframe/);
  assert.doesNotMatch(body.replace(inner('script'), ''), / on[a-z]+=| style=/);
});

test('what the API says can only become text', () => {
  assert.doesNotMatch(inner('script'), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setAttribute/);
  assert.equal(body.match(/<\/script>/g)?.length, 1);
});

test('the script is a program of its own: it needs nothing but a browser', async () => {
  const page = new FakePage({ role: 'relay', state: 'ready', peerId: '<b>P</b>', uptimeSeconds: 60, addrs: [], relay: { reservations: { count: 1, max: null }, circuits: { count: 0, max: 5 }, bytesRelayed: 0 } });
  runInNewContext(`(${pageScript.toString()})()`, page.globals);
  await page.shown.promise;
  assert.deepEqual(page.asked, ['api/v1/status', 'api/v1/reservations?limit=200', 'api/v1/circuits?limit=200']);
  assert.equal(page.element('state').textContent, 'ready');
  const text = page.element('main').allText();
  assert.match(text, /<b>P<\/b>/);
  assert.match(text, /1 reservation \(no limit\), 0 of 5 circuits, 0 B relayed/);
});

/** As much of a document as the script uses. */
class FakeElement {
  textContent = '';
  className = '';
  title = '';
  hidden = false;
  dataset: Record<string, string> = {};
  children: FakeElement[] = [];
  onReplaced: () => void = () => {};

  append(...children: FakeElement[]): void {
    this.children.push(...children);
  }

  replaceChildren(...children: FakeElement[]): void {
    this.children = children;
    this.onReplaced();
  }

  addEventListener(): void {}

  allText(): string {
    return [this.textContent, ...this.children.map((child) => child.allText())].join('\n');
  }
}

class FakePage {
  readonly asked: string[] = [];
  readonly shown = Promise.withResolvers<void>();
  readonly #elements = new Map<string, FakeElement>();
  readonly globals: Record<string, unknown>;

  constructor(status: unknown) {
    this.element('main').onReplaced = () => setImmediate(() => this.shown.resolve());
    const document = { getElementById: (id: string) => this.element(id), createElement: () => new FakeElement(), addEventListener: () => {}, hidden: false, title: '' };
    const fetch = (path: string): Promise<unknown> => {
      this.asked.push(path);
      const value = path === 'api/v1/status' ? status : [];
      return Promise.resolve({ ok: true, status: 200, json: () => Promise.resolve(value), headers: new Map([['x-total-count', '0']]) });
    };
    this.globals = {
      document, fetch, URL, AbortSignal, location: { href: 'http://127.0.0.1:9641/' }, history: {}, getSelection: () => '',
      sessionStorage: { getItem: () => null, setItem: () => {} }, setInterval: () => 0,
    };
  }

  element(id: string): FakeElement {
    const found = this.#elements.get(id) ?? new FakeElement();
    this.#elements.set(id, found);
    return found;
  }
}
