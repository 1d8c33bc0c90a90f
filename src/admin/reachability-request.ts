import { multiaddr } from '@multiformats/multiaddr';
import { RelaydError } from '../lib/errors.ts';

/** Each is a connection, and a minute of a server's patience. */
const MAX_ASKED = 16;
const MAX_ADDR_CHARS = 1024;

/** The full addresses of the peers to ask. @throws RelaydError BAD_REQUEST that says what is wrong */
export function parseAsk(body: unknown): string[] {
  const { ask } = (body ?? {}) as { ask?: unknown };
  if (!Array.isArray(ask) || ask.length === 0 || ask.length > MAX_ASKED) {
    throw new RelaydError('BAD_REQUEST', `ask: needs a list of 1 to ${MAX_ASKED} full addresses that end in /p2p/…`, { data: { field: 'ask' } });
  }
  const wrong: unknown = ask.find((addr) => !isFullAddress(addr));
  if (wrong !== undefined) {
    throw new RelaydError('BAD_REQUEST', `ask: ${JSON.stringify(wrong).slice(0, 80)} is not a full address that ends in /p2p/…`, { data: { field: 'ask' } });
  }
  return ask as string[];
}

function isFullAddress(addr: unknown): addr is string {
  if (typeof addr !== 'string' || addr.length > MAX_ADDR_CHARS) {
    return false;
  }
  try {
    const parts = multiaddr(addr).getComponents();
    return parts.at(-1)?.name === 'p2p' && parts.length > 1;
  } catch {
    return false;
  }
}
