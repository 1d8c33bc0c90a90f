import type { ConfigRow } from '../../lib/contracts.ts';
import { get } from './api.ts';
import type { List } from './api.ts';
import { configValue } from './format.ts';

type Field = 'key' | 'value' | 'origin' | 'applies';

/** The configuration is short: all of it comes, and is sorted and filtered here. */
export async function configSource(query: URLSearchParams, signal: AbortSignal): Promise<List<ConfigRow>> {
  const all = await get<ConfigRow[]>('config', signal);
  const words = (query.get('filter') ?? '').toLowerCase().split(/\s+/).filter((word) => word !== '');
  const found = all.filter((row) => words.every((word) => `${row.key}\n${textOf(row, 'value')}\n${row.origin}`.toLowerCase().includes(word)));
  const sort = query.get('sort') ?? '';
  const sign = sort.startsWith('-') ? -1 : 1;
  const field = sort.replace(/^-/, '') as Field;
  const ordered = sort === '' ? found : found.toSorted((a, b) => sign * textOf(a, field).localeCompare(textOf(b, field)));
  const offset = Number(query.get('offset'));
  return { rows: ordered.slice(offset, offset + Number(query.get('limit'))), total: all.length, matched: found.length };
}

function textOf(row: ConfigRow, field: Field): string {
  return field === 'value' ? configValue(row.value) : row[field];
}
