import { isDeepStrictEqual } from 'node:util';
import type { ConfigRow } from '../lib/contracts.ts';
import type { Effective, EffectiveConfig } from './merge.ts';
import { encode } from './written.ts';

/**
 * Every key as it is in force: `read` is what was read last, of which a reload applies only the keys that can change live; the others
 * keep the value of `started`.
 */
export function configRows(started: EffectiveConfig, read: EffectiveConfig = started): ConfigRow[] {
  return [...started.values()].map((own) => {
    const next = read.get(own.placed.name) ?? own;
    const { live } = own.placed.key;
    const waits = !live && !isDeepStrictEqual(own.value, next.value);
    return { ...rowOf(live ? next : own), ...(waits ? { afterRestart: shownValue(next) } : {}) };
  });
}

function rowOf(effective: Effective): ConfigRow {
  const { placed, origin } = effective;
  return { key: placed.name, value: shownValue(effective), origin, applies: placed.key.live ? 'live' : 'restart' };
}

function shownValue(effective: Effective): unknown {
  return withoutPasswords(encode(effective));
}

/** Secrets are in files, and values name the files; only a URL can carry one in itself. */
function withoutPasswords(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.replace(/(?<=^[a-z][a-z\d+.-]*:\/\/)[^/@?#]+@/i, '***@');
  }
  return Array.isArray(value) ? value.map(withoutPasswords) : value;
}
