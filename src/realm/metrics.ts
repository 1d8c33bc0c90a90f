import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { TOKEN_PROBLEMS } from '../lib/membership/verifier.ts';
import type { TokenProblem } from '../lib/membership/verifier.ts';
import { CLAIM_OUTCOMES } from './bearers.ts';
import type { ClaimOutcome } from './bearers.ts';

export interface RevocationGauges {
  count(): number;
  sequence(): number;
}

/** The series of realms: docs/reference/metrics.md. */
export class RealmMetrics {
  readonly #tokens: Counter<'outcome'>;
  readonly #claims: Counter<'outcome'>;

  constructor(registry: Registry, revocations: RevocationGauges) {
    const registers = [registry];
    this.#tokens = new Counter({ name: 'relayd_realm_tokens_total', help: 'Membership tokens looked at, by what came of it', labelNames: ['outcome'], registers });
    (['ok', ...TOKEN_PROBLEMS] as const).forEach((outcome) => this.#tokens.inc({ outcome: labelOf(outcome) }, 0));
    this.#claims = new Counter({ name: 'relayd_realm_bearer_claims_total', help: 'Peers that use a bearer token, by what came of it', labelNames: ['outcome'], registers });
    CLAIM_OUTCOMES.forEach((outcome) => this.#claims.inc({ outcome }, 0));
    gauge('relayd_realm_revocations', 'Tokens and peers that the revocation list in force names', () => revocations.count(), registry);
    gauge('relayd_realm_revocation_sequence', 'Sequence of the revocation list in force', () => revocations.sequence(), registry);
  }

  looked(outcome: 'ok' | TokenProblem): void {
    this.#tokens.inc({ outcome: labelOf(outcome) });
  }

  readonly claims = (outcome: ClaimOutcome, count: number): void => this.#claims.inc({ outcome }, count);
}

function labelOf(outcome: string): string {
  return outcome.replaceAll(' ', '_');
}

function gauge(name: string, help: string, read: () => number, registry: Registry): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}
