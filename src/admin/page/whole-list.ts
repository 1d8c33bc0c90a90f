import type { List } from './api.ts';

/** What a column of a short list says of a row, to sort by. */
type Field<R> = (row: R) => string | number;

/** A page of a list so short that all of it comes: sorted and filtered here. @param words what the filter looks into */
export function pageOf<R>(all: readonly R[], query: URLSearchParams, fields: Readonly<Record<string, Field<R>>>, words: (row: R) => string): List<R> {
  const wanted = (query.get('filter') ?? '').toLowerCase().split(/\s+/).filter((word) => word !== '');
  const found = all.filter((row) => wanted.every((word) => words(row).toLowerCase().includes(word)));
  const sort = query.get('sort') ?? '';
  const sign = sort.startsWith('-') ? -1 : 1;
  const field = fields[sort.replace(/^-/, '')];
  const ordered = field === undefined ? found : found.toSorted((a, b) => sign * compare(field(a), field(b)));
  const offset = Number(query.get('offset'));
  return { rows: ordered.slice(offset, offset + Number(query.get('limit'))), total: all.length, matched: found.length };
}

function compare(a: string | number, b: string | number): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
}
