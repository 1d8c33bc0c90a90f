import type { Key, Section } from './key.ts';
import { nodeAt } from './key.ts';
import { anyOf } from './parsed.ts';
import { SCHEMA } from './schema.ts';

/** What somebody may have meant who wrote a key that does not exist. */

/** `did you mean …?`, or the keys that are possible where `path` leaves what there is. */
export function expectedInstead(path: readonly string[]): string {
  const known = path.findIndex((_, depth) => nodeAt(SCHEMA, path.slice(0, depth + 1)) === undefined);
  const [wrong, rest] = [path.slice(0, known + 1), path.slice(known + 1)];
  const meant = meantBy(wrong);
  if (meant !== undefined) {
    const whole = [...meant, ...rest];
    return `did you mean ${(nodeAt(SCHEMA, whole) === undefined ? meant : whole).join('.')}?`;
  }
  const parent = nodeAt(SCHEMA, wrong.slice(0, -1));
  return `one of ${anyOf(parent?.kind === 'section' ? Object.keys(parent.fields) : [])}`;
}

/** The limit of one relay that `path` would be the cluster's: `coordination.limits.circuits.duration` is there as `relay.limits.circuits.duration`. */
export function perRelayKey(path: readonly string[]): string | undefined {
  const [section, limits = '', ...rest] = path;
  const local = ['relay', limits, ...rest];
  return section === 'coordination' && rest.length > 0 && nodeAt(SCHEMA, local) !== undefined ? local.join('.') : undefined;
}

/** The path of the likeliest key: what is named by its file or a typing error beside it first, then the same name elsewhere, the nearest first. */
export function meantBy(path: readonly string[]): readonly string[] | undefined {
  const wrong = path.at(-1) ?? '';
  const parent = path.slice(0, -1);
  const node = nodeAt(SCHEMA, parent);
  const siblings = node?.kind === 'section' ? Object.keys(node.fields) : [];
  // A secret itself stands in no file of the configuration: `password` is `passwordFile` there.
  const sibling = siblings.find((name) => same(name, `${wrong}File`)) ?? nearest(wrong, siblings);
  if (sibling !== undefined) {
    return [...parent, sibling];
  }
  const named = PLACES.filter((place) => same(place.at(-1), wrong));
  const places = named.length > 0 ? named : PLACES.filter((place) => nearest(wrong, [place.at(-1) ?? '']) !== undefined);
  return places.toSorted((a, b) => shared(b, parent) - shared(a, parent) || a.length - b.length)[0];
}

/** The word that `wrong` is most likely a slip of; undefined when none is near. */
export function nearest(wrong: string, words: readonly string[]): string | undefined {
  const lower = wrong.toLowerCase().replaceAll(/[_-]/g, '');
  const ranked = words.map((word) => ({ word, distance: distance(lower, word.toLowerCase()) })).toSorted((a, b) => a.distance - b.distance)[0];
  return ranked !== undefined && ranked.distance <= Math.floor(Math.max(lower.length, 3) / 3) ? ranked.word : undefined;
}

function same(a: string | undefined, b: string): boolean {
  return a?.toLowerCase() === b.toLowerCase();
}

/** How many levels two paths have in common. */
function shared(a: readonly string[], b: readonly string[]): number {
  const end = a.findIndex((part, index) => part !== b[index]);
  return end === -1 ? a.length : end;
}

/** Every section and key, in the order of the schema. */
const PLACES: readonly (readonly string[])[] = placesOf(SCHEMA, []);

function placesOf(node: Section, above: readonly string[]): (readonly string[])[] {
  return Object.entries(node.fields).flatMap(([name, child]: [string, Key<unknown> | Section]) => {
    const path = [...above, name];
    return child.kind === 'section' ? [path, ...placesOf(child, path)] : [path];
  });
}

/** Edit distance in which exchanging two neighbours counts once (optimal string alignment). */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 4) {
    return Infinity;
  }
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (beforeLast[j - 2] ?? Infinity) + 1 : Infinity;
      row.push(Math.min(change, swapped, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
