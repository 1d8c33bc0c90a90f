import { parseDocument } from 'yaml';
import { decode, emptyReading, joinReadings, readTree } from './layer.ts';
import type { Reading, Source } from './layer.ts';
import { nodeAt } from './key.ts';
import type { Key } from './key.ts';
import { shown } from './parsed.ts';
import { KEYS, SCHEMA } from './schema.ts';
import { meantBy, nearest } from './suggest.ts';

/** The layers that are text: flags and environment variables. Neither has lines; an error names the flag or the variable. */

export interface FlagValues {
  profile?: string | undefined;
  role?: string | undefined;
  /** `key.path=value` each; of several for one key the last counts. */
  set?: readonly string[] | undefined;
}

export function readFlags(flags: FlagValues, folder: string): Reading {
  const named = (['profile', 'role'] as const).filter((name) => flags[name] !== undefined).map((name) => readText(flags[name] ?? '', textSource('flags', `--${name}`, folder), [name]));
  const readings = (flags.set ?? []).map((assignment) => readSet(assignment, textSource('flags', '--set', folder)));
  return joinReadings([...named, ...readings.toReversed()]);
}

function readSet(assignment: string, source: Source): Reading {
  const equals = assignment.indexOf('=');
  if (equals < 1) {
    return emptyReading([{ source: '--set', key: '', problem: `${shown(assignment)} has no ${equals === 0 ? 'key' : '='}`, expected: 'key.path=value, such as log.level=debug' }]);
  }
  return readText(assignment.slice(equals + 1), source, assignment.slice(0, equals).trim().split('.'));
}

const PREFIX = 'RELAYD_';

/** The variable that names the config file: no key of the configuration. */
export const CONFIG_VARIABLE = 'RELAYD_CONFIG';

/**
 * Kubernetes sets such variables in every container beside a service whose name begins with "relayd", and
 * Docker's links do the same. They are nobody's mistake, and no key of ours has such a name.
 */
const INJECTED = /^RELAYD_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)$/;

/** An empty variable counts as not set: compose files pass those on. */
export function readEnvironment(env: NodeJS.ProcessEnv, folder: string): Reading {
  const names = Object.keys(env).filter((name) => name.startsWith(PREFIX) && name !== CONFIG_VARIABLE && !INJECTED.test(name) && env[name] !== '');
  return joinReadings(names.toSorted().map((name) => readVariable(name, env[name] ?? '', folder)));
}

function readVariable(name: string, value: string, folder: string): Reading {
  const source = textSource('environment', `environment ${name}`, folder);
  const path = keyOfVariable(name);
  return path === undefined ? emptyReading([{ source: `environment ${name}`, key: '', problem: 'names no key', expected: variableInstead(name) }]) : readText(value, source, path);
}

/** `RELAYD_RELAY__LIMITS__RESERVATIONS__MAX` of `relay.limits.reservations.max`. */
export function variableName(path: readonly string[]): string {
  return `${PREFIX}${path.map((part) => part.toUpperCase()).join('__')}`;
}

function keyOfVariable(name: string): string[] | undefined {
  const found: string[] = [];
  for (const part of name.slice(PREFIX.length).split('__')) {
    const node = nodeAt(SCHEMA, found);
    const match = node?.kind === 'section' ? Object.keys(node.fields).find((field) => field.toLowerCase() === part.toLowerCase()) : undefined;
    if (match === undefined) {
      return undefined;
    }
    found.push(match);
  }
  return found;
}

function variableInstead(name: string): string {
  const flat = name.slice(PREFIX.length).replaceAll('_', '').toLowerCase();
  const exact = KEYS.find((placed) => placed.path.join('').toLowerCase() === flat);
  const near = nearest(flat, KEYS.map((placed) => placed.path.join('').toLowerCase()));
  const close = KEYS.find((placed) => placed.path.join('').toLowerCase() === near);
  const path = exact?.path ?? close?.path ?? meantBy(name.slice(PREFIX.length).toLowerCase().split('__'));
  return path === undefined ? `a variable such as ${variableName(['log', 'level'])}, with __ between levels` : `did you mean ${variableName(path)}?`;
}

function textSource(kind: 'flags' | 'environment', label: string, folder: string): Source {
  return { kind, folder, place: () => ({ source: label }), origin: () => label };
}

/**
 * Text is YAML: `[a, b]`, `true`, `{open: false}`. Where the key does not take what YAML makes of it, the text itself
 * is tried (YAML reads `[::1]:80` as a list, `2024` as a number), and for a list its parts between commas.
 */
function readText(text: string, source: Source, path: readonly string[]): Reading {
  const node = nodeAt(SCHEMA, path);
  const parsed = parseText(text);
  if (node?.kind !== 'key') {
    const broken = node !== undefined && parsed === undefined;
    return broken ? emptyReading([{ ...source.place(path, 'value'), key: path.join('.'), problem: `${shown(text)} is not valid YAML`, expected: 'a map, such as {level: debug}' }]) : unknownOr(parsed?.value, source, path);
  }
  const candidates = candidatesOf(text, parsed, node);
  const right = candidates.find((candidate) => decode(node, candidate).ok);
  return readTree(right === undefined ? candidates[0] : right, source, path);
}

/** Inside a list there are no keys to set: the whole list is given. */
function unknownOr(value: unknown, source: Source, path: readonly string[]): Reading {
  const list = path.map((_, index) => path.slice(0, index)).find((above) => nodeAt(SCHEMA, above)?.kind === 'key');
  if (list === undefined) {
    return readTree(value, source, path);
  }
  return emptyReading([{ ...source.place(path, 'key'), key: path.join('.'), problem: `${list.join('.')} has no keys below it`, expected: `the whole value, as in ${list.join('.')}=…` }]);
}

function candidatesOf(text: string, parsed: { value: unknown } | undefined, key: Key<unknown>): unknown[] {
  const isOneText = key.type.isList && (parsed === undefined || typeof parsed.value !== 'object');
  const parts = isOneText ? [text.split(',').map((part) => part.trim()).filter((part) => part !== '')] : [];
  return [...parts, ...(parsed === undefined ? [] : [parsed.value]), ...(key.type.isList ? [] : [text])];
}

function parseText(text: string): { value: unknown } | undefined {
  try {
    const doc = parseDocument(text, { prettyErrors: false, logLevel: 'silent' });
    return doc.errors.length > 0 ? undefined : { value: doc.toJS() ?? null };
  } catch {
    return undefined;
  }
}
