import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { SEAL_BYTES, SingleSecret } from './single-secret.ts';
import type { SecretPurpose } from './single-secret.ts';

/**
 * What makes a relay one of the cluster. It speaks with its first secret, and accepts what was made with any that it has: so relays that take a new one over,
 * one after the other, understand each other all the while.
 */
export class ClusterSecret {
  readonly #cluster: string;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  #spoken: SingleSecret;
  #accepted: readonly SingleSecret[];
  /** What one relay says is sealed with one secret: the one that was right last is the likeliest to be right again. */
  #likely: SingleSecret;

  /** @param hexes 64 hex digits each, at least one; the first is the one to speak with */
  constructor(hexes: readonly string[], cluster: string, log: Logger) {
    this.#log = log;
    this.#cluster = cluster;
    this.#accepted = this.#made(hexes);
    this.#spoken = this.#likely = firstOf(this.#accepted);
  }

  /** A short name of each secret, the spoken one's first, that tells nothing about it. */
  get ids(): readonly string[] {
    return this.#accepted.map(({ id }) => id);
  }

  accepts(id: string): boolean {
    return this.#accepted.some((secret) => secret.id === id);
  }

  /** From now on these, as in the constructor. @returns whether they are others, or in another order */
  replace(hexes: readonly string[]): boolean {
    if (hexes.length === this.#accepted.length && hexes.every((hex, i) => this.#accepted[i]?.is(hex) === true)) return false;
    this.#accepted = this.#made(hexes);
    this.#spoken = this.#likely = firstOf(this.#accepted);
    this.#listeners.forEach((listener) => this.#tell(listener));
    return true;
  }

  /** Hears each change. The result ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** HMAC-SHA-256 with the spoken secret. */
  mac(purpose: SecretPurpose, data: Uint8Array): Uint8Array {
    return this.#spoken.mac(purpose, data);
  }

  /** The {@link ids id} of the secret that `mac` was made with; `undefined`: of none that is accepted. */
  maker(purpose: SecretPurpose, data: Uint8Array, mac: Uint8Array): string | undefined {
    return this.#accepted.find((secret) => secret.isMac(purpose, data, mac))?.id;
  }

  /** AES-256-GCM with the spoken secret. */
  seal(purpose: SecretPurpose, plain: Uint8Array): Uint8Array {
    return this.#spoken.seal(purpose, plain);
  }

  /** @throws RelaydError MALFORMED_MESSAGE when it was not sealed for this purpose with a secret that is accepted */
  open(purpose: SecretPurpose, sealed: Uint8Array): Uint8Array {
    if (sealed.byteLength < SEAL_BYTES) {
      throw new RelaydError('MALFORMED_MESSAGE', 'too short to be sealed with the cluster\'s secret');
    }
    let cause: unknown;
    for (const secret of new Set([this.#likely, ...this.#accepted])) {
      try {
        const plain = secret.open(purpose, sealed);
        this.#likely = secret;
        return plain;
      } catch (error) {
        cause = error;
      }
    }
    throw new RelaydError('MALFORMED_MESSAGE', 'it is not sealed with this cluster\'s secret', { cause });
  }

  /** The new secrets are in force, whatever one of those that hear of it throws: the others are to hear of it too. */
  #tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#log.error({ error: errorMessage(error) }, 'a change of the cluster\'s secret was not followed everywhere: please report it');
    }
  }

  #made(hexes: readonly string[]): SingleSecret[] {
    return hexes.map((hex) => new SingleSecret(hex, this.#cluster));
  }
}

function firstOf(secrets: readonly SingleSecret[]): SingleSecret {
  const [first] = secrets;
  if (first === undefined) throw new RelaydError('INTERNAL', 'a cluster has at least one secret');
  return first;
}
