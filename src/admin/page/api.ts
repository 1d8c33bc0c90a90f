import { token } from './token.ts';

const TIMEOUT_MS = 10_000;

/** An answer that is not what was asked for; 401 means that the token is missing or wrong. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Relative to the page: it may be served elsewhere by a proxy. @throws ApiError */
export async function request(path: string, init: RequestInit): Promise<Response> {
  const headers: Record<string, string> = token() === '' ? {} : { authorization: `Bearer ${token()}` };
  const response = await fetch(`api/v1/${path}`, { ...init, headers, cache: 'no-store' });
  if (!response.ok) {
    const { error } = (await response.json().catch(() => ({}))) as { error?: { message?: string } };
    throw new ApiError(response.status, error?.message ?? `HTTP ${response.status}`);
  }
  return response;
}

/** @throws ApiError, DOMException (no answer in time, or the asker gave up), TypeError (no connection) */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, { signal: limited(signal) });
  return (await response.json()) as T;
}

export interface List<R> {
  rows: R[];
  /** How many there are. */
  total: number;
  /** How many the filter lets through. */
  matched: number;
}

export async function getList<R>(path: string, signal?: AbortSignal): Promise<List<R>> {
  const response = await request(path, { signal: limited(signal) });
  const count = (header: string): number => Number(response.headers.get(header) ?? 0);
  return { rows: (await response.json()) as R[], total: count('x-total-count'), matched: count('x-match-count') };
}

export async function post<T>(path: string): Promise<T> {
  const response = await request(path, { method: 'POST', signal: limited() });
  return (await response.json()) as T;
}

function limited(signal?: AbortSignal): AbortSignal {
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  return signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
}
