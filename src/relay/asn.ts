import { open } from 'maxmind';
import type { AsnResponse, Reader } from 'maxmind';
import type { Multiaddr } from '@multiformats/multiaddr';
import { RelaydError } from '../lib/errors.ts';
import { ipOf } from '../lib/addresses.ts';

/** The autonomous system of an address, from the operator's own database; `undefined` when there is none. */
export type AsnLookup = (addr: Multiaddr) => number | undefined;

/** @throws RelaydError FILE_UNREADABLE when the file is missing or not such a database */
export async function openAsnDatabase(file: string | undefined): Promise<AsnLookup> {
  if (file === undefined) {
    return () => undefined;
  }
  const reader = await openReader(file);
  return (addr) => {
    const address = ipOf(addr);
    // In a tree of IPv4 networks the reader would follow the first bits of an IPv6 address to a stranger's AS.
    if (address === undefined || (address.kind() === 'ipv6' && reader.metadata.ipVersion === 4)) {
      return undefined;
    }
    return reader.get(address.toString())?.autonomous_system_number;
  };
}

async function openReader(file: string): Promise<Reader<AsnResponse>> {
  try {
    return await open<AsnResponse>(file);
  } catch (cause) {
    throw new RelaydError('FILE_UNREADABLE', `relay.asnFile: ${file} cannot be read as a MaxMind database of AS numbers`, { cause });
  }
}
