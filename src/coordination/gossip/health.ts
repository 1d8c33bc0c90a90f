import type { Clock } from '../../lib/clock.ts';
import type { Links } from '../links.ts';
import type { Others } from './others.ts';

/** Two dials and a handshake: by then one of the relays that the configuration names is linked, where all is well. */
const NAMED_GRACE_MS = 5_000;

interface HealthOptions {
  readonly others: Others;
  readonly links: Pick<Links, 'configured' | 'members'>;
  readonly clock: Clock;
  readonly onChange: (problem: string | undefined) => void;
}

/** Whether this relay can be relied on to know the cluster. */
export class Health {
  readonly #o: HealthOptions;
  #problem: string | undefined;
  #startedAt = Infinity;

  constructor(options: HealthOptions) {
    this.#o = options;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** From now on relays have the time to answer. */
  start(): void {
    this.#startedAt = this.#o.clock.now();
  }

  check(): void {
    const { others, onChange } = this.#o;
    const problem = (others.live().length === 0 ? this.#alone() : undefined) ?? others.doubt;
    if (problem === this.#problem) return;
    this.#problem = problem;
    onChange(problem);
  }

  /** Why no other relay is alive; `undefined` where none is expected. */
  #alone(): string | undefined {
    const { others, links, clock } = this.#o;
    const known = others.knownCount();
    if (known > 0) return `none of the ${known} relays known answers`;
    const named = links.configured();
    if (named.length === 0 || links.members().length > 0 || clock.now() < this.#startedAt + NAMED_GRACE_MS) return undefined;
    const refused = named.filter(({ isRefused }) => isRefused).length;
    return refused === 0
      ? `none of the ${named.length} relays of coordination.relays answers`
      : `none of the ${named.length} relays of coordination.relays is linked: ${refused} of them refused, for coordination.cluster or the content of coordination.secretFile differs`;
  }
}
