import type { ConfigRow } from '../../lib/contracts.ts';
import { get } from './api.ts';
import type { List } from './api.ts';
import { configValue } from './format.ts';
import { pageOf } from './whole-list.ts';

const FIELDS = {
  key: ({ key }: ConfigRow) => key,
  value: ({ value }: ConfigRow) => configValue(value),
  origin: ({ origin }: ConfigRow) => origin,
  applies: ({ applies }: ConfigRow) => applies,
};

export async function configSource(query: URLSearchParams, signal: AbortSignal): Promise<List<ConfigRow>> {
  return pageOf(await get<ConfigRow[]>('config', signal), query, FIELDS, (row) => `${row.key}\n${configValue(row.value)}\n${row.origin}`);
}
