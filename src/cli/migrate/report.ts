import type { Note, Plan } from './plan.ts';

export interface Migration {
  readonly plan: Plan;
  readonly from: { readonly config: string; readonly identity: string | undefined };
  readonly to: { readonly config: string; readonly identity: string };
  readonly identity: { readonly peerId: string; readonly type: string } | undefined;
  readonly written: boolean;
}

export function migrationText(migration: Migration): string {
  const { plan, from, to, identity, written } = migration;
  const peer = identity === undefined ? 'a new one, made at the first start: give --identity FILE to keep the old one' : `${identity.peerId} (${identity.type}), as before`;
  return [
    `config    ${from.config} -> ${to.config}`,
    `identity  ${from.identity ?? 'none given'} -> ${to.identity}`,
    `peer id   ${peer}`,
    ...section('Taken over:', plan.settings.filter((setting) => setting.from !== '').map((setting) => ({ what: setting.from, why: `${setting.key}: ${shown(setting.value)}` }))),
    ...section('Taken over, with a difference:', plan.changed),
    ...section('Not taken over:', plan.left),
    '',
    written ? `Written. Start it: relayd run --config ${to.config}` : 'Nothing is written yet: the same command with --yes writes the files.',
  ].join('\n');
}

export function migrationJson({ plan, from, to, identity, written }: Migration): string {
  return JSON.stringify({ ...identity, from, to, settings: plan.settings, changed: plan.changed, left: plan.left, written });
}

function section(title: string, notes: readonly Note[]): string[] {
  return notes.length === 0 ? [] : ['', title, ...notes.map(({ what, why }) => `  ${what}: ${why}`)];
}

/** A list of every network but one is long. */
const MAX_SHOWN = 120;

function shown(value: unknown): string {
  const text = Array.isArray(value) ? value.join(', ') : String(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
