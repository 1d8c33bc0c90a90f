import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { realmNews } from '../../../src/node/realm-news.ts';
import { makeKey } from '../realm/support.ts';

/** A realm whose list a test changes by hand. */
class RealmByHand {
  revocationSequence = 0;
  readonly #listeners = new Set<() => void>();

  revocationList(): Uint8Array | undefined {
    return this.revocationSequence === 0 ? undefined : new Uint8Array();
  }

  offerRevocationList(): 'refused' {
    return 'refused';
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    this.#listeners.forEach((listener) => listener());
  }
}

describe('what a cluster hears of a realm', () => {
  it('is a list that is newer, or of another authority, and not that a bearer has lost its place', () => {
    const realm = new RealmByHand();
    let authority = makeKey().text;
    const news = realmNews(realm, () => authority);
    let heard = 0;
    const unlisten = news.onChange(() => heard++);
    const after = (change: () => void): number => {
      change();
      realm.changed();
      return heard;
    };
    assert.equal(after(() => {}), 0);
    assert.equal(after(() => (realm.revocationSequence = 1)), 1);
    assert.equal(after(() => {}), 1);
    assert.equal(after(() => (authority = makeKey().text)), 2);
    unlisten();
    assert.equal(after(() => (realm.revocationSequence = 2)), 2);
  });
});
