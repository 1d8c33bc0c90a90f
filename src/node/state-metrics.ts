import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { RelaydConfig } from '../config/domain.ts';
import type { NodeState } from '../lib/contracts.ts';
import { VERSION } from './version.ts';

const STATES: readonly NodeState[] = ['starting', 'ready', 'draining'];

export interface StateSources {
  config: Pick<RelaydConfig, 'profile' | 'role'>;
  state(): NodeState;
  /** Of the last readiness check; nothing before the first. */
  problems(): readonly string[] | undefined;
  /** Unix milliseconds at which a drain gives up on what is left; nothing while there is none. */
  drainEndsAt(): number | undefined;
}

/** What the node is and how it is, as series. */
export function addStateMetrics(registry: Registry, sources: StateSources): void {
  const registers = [registry];
  const { profile, role } = sources.config;
  new Gauge({ name: 'relayd_info', help: 'Always 1; the labels say what runs', labelNames: ['version', 'profile', 'role'], registers }).set({ version: VERSION, profile, role }, 1);
  new Gauge({
    name: 'relayd_state',
    help: '1 for the state that the node is in, 0 for the others',
    labelNames: ['state'],
    registers,
    collect() {
      STATES.forEach((state) => this.set({ state }, Number(state === sources.state())));
    },
  });
  new Gauge({
    name: 'relayd_ready',
    help: '1 when the last readiness check found nothing wrong; missing before the first check',
    registers,
    collect() {
      const problems = sources.problems();
      if (problems === undefined) this.remove();
      else this.set(Number(problems.length === 0));
    },
  });
  new Gauge({
    name: 'relayd_drain_deadline_seconds',
    help: 'When a drain cuts what is left, as Unix time; 0 while there is none',
    registers,
    collect() {
      this.set((sources.drainEndsAt() ?? 0) / 1000);
    },
  });
}
