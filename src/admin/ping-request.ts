import { RelaydError } from '../lib/errors.ts';

export interface PingRequest {
  /** A peer id, or a full multiaddr that ends in one. */
  peer: string;
  count: number;
  fresh: boolean;
}

const MAX_PEER_CHARS = 1024;
const MAX_COUNT = 100;

/** @throws RelaydError BAD_REQUEST that names the field */
export function parsePing(body: unknown): PingRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw bad('body', 'a JSON object {"peer": "…", "count": 1, "fresh": false} is needed');
  }
  const { peer, count = 1, fresh = false, ...others } = body as Record<string, unknown>;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) {
    throw bad(unknown.slice(0, 40), 'is not known; there are peer, count and fresh');
  }
  if (typeof peer !== 'string' || peer === '' || peer.length > MAX_PEER_CHARS) {
    throw bad('peer', 'needs a peer id, or a full address that ends in /p2p/…');
  }
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 1 || count > MAX_COUNT) {
    throw bad('count', `needs a whole number from 1 to ${MAX_COUNT}`);
  }
  if (typeof fresh !== 'boolean') {
    throw bad('fresh', 'needs true or false');
  }
  return { peer, count, fresh };
}

function bad(field: string, problem: string): RelaydError {
  return new RelaydError('BAD_REQUEST', `${field}: ${problem}`, { data: { field } });
}
