import type { PrivateKey } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import { sealStatement } from '../lib/directory/statement.ts';
import type { RelayStatement } from '../lib/directory/statement.ts';
import type { UserClass } from './classes.ts';
import type { OwnFacts } from './own-facts.ts';

export interface OwnStatementOptions {
  clock: Clock;
  privateKey: PrivateKey;
  version: string;
  facts: Omit<OwnFacts, 'measure'>;
}

type Content = Omit<RelayStatement, 'sequence' | 'validMs' | 'drainEndsInMs'>;

interface Sealed {
  readonly key: string;
  readonly at: number;
  readonly envelope: Promise<Uint8Array>;
}

/** A relay that has said nothing for this long may be another one by now; clients ask again before it is over. */
const VALID_MS = 15 * 60_000;

/** A statement that says what is so is given again for this long: signing costs more than sending. */
const REUSE_MS = 60_000;

/** The same for one that says how long a drain still takes. */
const REUSE_DRAINING_MS = 1_000;

/** This relay's statement about itself: one for each class of askers, because each has pools of its own. */
export class OwnStatement {
  readonly #o: OwnStatementOptions;
  readonly #sealed = new Map<UserClass, Sealed>();
  #sequence = 0;

  constructor(options: OwnStatementOptions) {
    this.#o = options;
  }

  /** The signed statement for an asker of `asker`'s class. */
  now(asker: UserClass): Promise<Uint8Array> {
    const { clock } = this.#o;
    const content = this.#content(asker);
    const key = JSON.stringify(content);
    const last = this.#sealed.get(asker);
    if (last?.key === key && clock.now() - last.at < (content.draining ? REUSE_DRAINING_MS : REUSE_MS)) {
      return last.envelope;
    }
    const sealed = { key, at: clock.now(), envelope: this.#seal(content) };
    this.#sealed.set(asker, sealed);
    return sealed.envelope;
  }

  /** All of it but what changes with time alone, as text to compare. */
  contentKey(asker: UserClass): string {
    return JSON.stringify(this.#content(asker));
  }

  #content(asker: UserClass): Content {
    const { facts, version } = this.#o;
    return {
      version,
      region: facts.region,
      draining: facts.drainEndsAt !== undefined,
      classes: facts.classes,
      load: facts.load(asker),
      alternatives: [...facts.alternatives],
    };
  }

  async #seal(content: Content): Promise<Uint8Array> {
    const { clock, privateKey, facts } = this.#o;
    this.#sequence = Math.max(this.#sequence + 1, clock.wall());
    const endsAt = facts.drainEndsAt;
    const drainEndsInMs = endsAt === undefined ? undefined : Math.max(0, Math.ceil(endsAt - clock.now()));
    return sealStatement({ ...content, sequence: this.#sequence, validMs: VALID_MS, drainEndsInMs }, privateKey);
  }
}
