import { createHash } from 'node:crypto';

interface Seeded {
  readonly relay: string;
  readonly seed: number;
}

/** A digest of a view that fits a number exactly. */
const DIGEST_BYTES = 6;

/**
 * Who owns which key among the relays that are alive: the one whose score for it is highest (rendezvous hashing), so that only the keys of a relay
 * that comes or goes change hands. Every relay computes the same from the same view.
 */
export class Owners {
  readonly relays: readonly string[];
  /** Equal for equal sets of relays. */
  readonly digest: number;
  readonly #seeded: readonly Seeded[];

  constructor(relays: readonly string[]) {
    this.relays = [...new Set(relays)].sort();
    this.digest = createHash('sha256').update(this.relays.join('\n')).digest().readUIntBE(0, DIGEST_BYTES);
    this.#seeded = this.relays.map((relay) => ({ relay, seed: hash(relay) }));
  }

  has(relay: string): boolean {
    return this.relays.includes(relay);
  }

  /** `undefined` where nobody is alive. */
  of(key: string): string | undefined {
    const keyHash = hash(key);
    let best: Seeded | undefined;
    let most = -1;
    for (const seeded of this.#seeded) {
      const score = mix(keyHash ^ seeded.seed);
      if (score > most) {
        most = score;
        best = seeded;
      }
    }
    return best?.relay;
  }
}

/** FNV-1a over UTF-16 units: quick, and the same everywhere. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return mix(value);
}

/** Spreads every bit over all 32 (the finish of MurmurHash3). */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
