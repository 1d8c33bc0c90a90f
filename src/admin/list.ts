import type { CandidateRow, CircuitRow, PeerRow, ReservationRow, TunnelRow } from '../lib/contracts.ts';
import { RelaydError } from '../lib/errors.ts';
import { json } from './http.ts';
import type { Call, Reply } from './http.ts';

interface Rows {
  reservations: ReservationRow;
  circuits: CircuitRow;
  peers: PeerRow;
  relays: CandidateRow;
  tunnels: TunnelRow;
}

export type ListName = keyof Rows;

/** By what each list can be sorted, and in what is looked for a filter's words. */
const COLUMNS: { readonly [N in ListName]: readonly (keyof Rows[N] & string)[] } = {
  reservations: ['peer', 'class', 'addr', 'openedAt', 'expiresAt', 'renewals', 'circuits'],
  circuits: ['id', 'class', 'source', 'target', 'openedAt', 'bytesToTarget', 'bytesToSource', 'bufferedBytes', 'idleMs'],
  peers: ['peer', 'addr', 'direction', 'path', 'via', 'upgrade', 'openedAt', 'streams', 'agent', 'reserved'],
  relays: ['peer', 'addr', 'state', 'source', 'rttMs', 'expiresAt', 'failures', 'availability', 'region', 'load', 'score', 'reason'],
  tunnels: ['kind', 'name', 'local', 'peers', 'open', 'opened', 'refused', 'failed', 'lastError'],
};

const MAX_FILTER_CHARS = 200;

/**
 * The rows as a JSON array: those that hold every word of `?filter=`, in the order of `?sort=COLUMN` (`-COLUMN`: downwards), from
 * `?offset=N` on, at most `?limit=N`. Headers say how many rows there are, and how many the filter has let through.
 *
 * @throws RelaydError BAD_REQUEST
 */
export function list<N extends ListName>({ query }: Call, name: N, rows: readonly Rows[N][]): Reply {
  const columns: readonly (keyof Rows[N] & string)[] = COLUMNS[name];
  const found = filtered(rows, columns, query.get('filter') ?? '');
  const ordered = sorted(found, columns, query.get('sort') ?? '');
  const from = wholeNumber(query, 'offset') ?? 0;
  const shown = ordered.slice(from, from + (wholeNumber(query, 'limit') ?? ordered.length));
  return json(200, shown, { 'x-total-count': String(rows.length), 'x-match-count': String(found.length) });
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text !== null && !/^\d{1,9}$/.test(text)) {
    throw new RelaydError('BAD_REQUEST', `${name}: ${JSON.stringify(text.slice(0, 40))} is not a whole number`);
  }
  return text === null ? undefined : Number(text);
}

function filtered<R extends object>(rows: readonly R[], columns: readonly (keyof R)[], filter: string): readonly R[] {
  if (filter.length > MAX_FILTER_CHARS) {
    throw new RelaydError('BAD_REQUEST', `filter: more than ${MAX_FILTER_CHARS} characters`);
  }
  const words = filter.toLowerCase().split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) {
    return rows;
  }
  return rows.filter((row) => {
    const text = columns.map((column) => String(row[column] ?? '')).join('\n').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

function sorted<R extends object>(rows: readonly R[], columns: readonly (keyof R & string)[], sort: string): readonly R[] {
  if (sort === '') {
    return rows;
  }
  const column = columns.find((known) => known === sort.replace(/^-/, ''));
  if (column === undefined) {
    throw new RelaydError('BAD_REQUEST', `sort: ${JSON.stringify(sort.slice(0, 40))} is none of ${columns.join(', ')}; a minus before it turns the order around`);
  }
  const sign = sort.startsWith('-') ? -1 : 1;
  const keyed = rows.map((row) => ({ row, key: sortable(row[column]) }));
  return keyed.sort((a, b) => byKey(a.key, b.key, sign)).map(({ row }) => row);
}

type SortKey = number | string | undefined;

/** What is not there comes last, whichever way the rest is. */
function byKey(left: SortKey, right: SortKey, sign: 1 | -1): number {
  if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined);
  if (left === right) return 0;
  return left < right ? -sign : sign;
}

function sortable(value: unknown): SortKey {
  if (value === null || value === undefined || value === '') return undefined;
  return typeof value === 'number' ? value : String(value).toLowerCase();
}
