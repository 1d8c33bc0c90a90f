import { readFileSync } from 'node:fs';

/** A Grafana dashboard, as far as tests look at it. */
export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly tags?: readonly string[];
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string; readonly query: unknown; readonly definition?: string }[] };
  readonly panels: readonly Panel[];
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly datasource?: { readonly uid: string } }[];
  /** Of a row that is folded. */
  readonly panels?: readonly Panel[];
}

export interface PanelQuery {
  readonly panel: string;
  readonly expr: string;
}

export function readDashboard(file: string): Dashboard {
  return JSON.parse(readFileSync(file, 'utf8')) as Dashboard;
}

/** Every query of every panel, with Grafana's variables filled in as a person who chooses everything would. */
export function queriesOf({ panels }: Pick<Dashboard, 'panels'>): PanelQuery[] {
  return panels.flatMap((panel) => [
    ...(panel.targets ?? []).map(({ expr }) => ({ panel: panel.title, expr: filledIn(expr) })),
    ...queriesOf({ panels: panel.panels ?? [] }),
  ]);
}

/** Short times: the tests' Prometheus looks twice a second. */
const VALUES: Readonly<Record<string, string>> = { $__rate_interval: '10s', $__range: '1m', $instance: '.*', $job: 'relayd' };

function filledIn(expr: string): string {
  return Object.entries(VALUES).reduce((text, [name, value]) => text.replaceAll(name, value), expr).trim();
}
