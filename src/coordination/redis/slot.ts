import type { HostPort } from '../../config/domain.ts';
import { errorMessage } from '../../lib/errors.ts';

/** A Redis Cluster keeps a key in one of its slots, each of which is at one node, or on its way from one to another. */

const SLOTS = 16_384;
const CRC16_POLYNOMIAL = 0x1021;

/** CRC-16/XMODEM of the hash tag, as the specification of Redis Cluster has it. */
export function slotOf(hashTag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(hashTag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ CRC16_POLYNOMIAL) & 0xffff;
    }
  }
  return crc % SLOTS;
}

/** Somebody has made a key that is named as the hash tag alone, so the script is let in, and finds that others of its keys have gone already. */
const NOT_LOCAL = /attempted to access a non local key/;

/**
 * What an error says of the slot of this cluster's keys; nothing was done then. `moving`: some of its keys may be at another node already, and no script would
 * see all of them. `moved`: another node has it.
 */
export function slotNews(error: unknown): 'moving' | 'moved' | undefined {
  const text = errorMessage(error);
  if (/^(ASK|TRYAGAIN) /.test(text) || NOT_LOCAL.test(text)) return 'moving';
  return text.startsWith('MOVED ') ? 'moved' : undefined;
}

/** Where `MOVED slot host:port` says that the slot is. `undefined` where it names no host, as a node may that knows none of its own. */
export function ownerNamedIn(error: unknown): HostPort | undefined {
  const [, host, port] = /^MOVED \d+ (.+):(\d{1,5})$/.exec(errorMessage(error)) ?? [];
  return host === undefined ? undefined : { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}
