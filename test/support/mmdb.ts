/**
 * A writer of MaxMind databases, as small as tests of the AS number limit need: one network, one record. Source:
 * MaxMind DB File Format Specification 2.0 (search tree of 24-bit records, data section, metadata).
 */

export interface MmdbEntry {
  /** The first bits of this address, in bytes: four for IPv4, sixteen for IPv6. */
  address: Uint8Array;
  bits: number;
  asn: number;
}

type Value = number | string | { uint32: number } | { uint64: number } | string[] | { [key: string]: Value };

const TYPE = { string: 2, uint16: 5, uint32: 6, map: 7, uint64: 9, array: 11 };
const METADATA_START = Buffer.concat([Buffer.of(0xab, 0xcd, 0xef), Buffer.from('MaxMind.com')]);
const RECORD_BITS = 24;

/** An AS database in which only the addresses of `entry` are known. */
export function mmdbOf(entry: MmdbEntry): Buffer {
  const data = encode({ autonomous_system_number: { uint32: entry.asn }, autonomous_system_organization: 'Test' });
  const metadata = encode({
    node_count: { uint32: entry.bits },
    record_size: RECORD_BITS,
    ip_version: entry.address.byteLength === 4 ? 4 : 6,
    database_type: 'GeoLite2-ASN',
    languages: ['en'],
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: { uint64: 1_700_000_000 },
    description: { en: 'for tests' },
  });
  return Buffer.concat([searchTree(entry), Buffer.alloc(16), data, METADATA_START, metadata]);
}

/** One node a bit: the bit of the address leads on, in the end to the record; the other bit leads nowhere. */
function searchTree({ address, bits }: MmdbEntry): Buffer {
  const nowhere = bits;
  const record = bits + 16;
  const tree = Buffer.alloc((bits * 2 * RECORD_BITS) / 8);
  for (let node = 0; node < bits; node++) {
    const bit = ((address[node >> 3] ?? 0) >> (7 - (node & 7))) & 1;
    const onward = node === bits - 1 ? record : node + 1;
    tree.writeUIntBE(bit === 0 ? onward : nowhere, node * 6, 3);
    tree.writeUIntBE(bit === 0 ? nowhere : onward, node * 6 + 3, 3);
  }
  return tree;
}

function encode(value: Value): Buffer {
  if (typeof value === 'string') return Buffer.concat([control(TYPE.string, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === 'number') return unsigned(TYPE.uint16, value);
  if (Array.isArray(value)) return Buffer.concat([control(TYPE.array, value.length), ...value.map(encode)]);
  if ('uint32' in value) return unsigned(TYPE.uint32, value['uint32'] as number);
  if ('uint64' in value) return unsigned(TYPE.uint64, value['uint64'] as number);
  const entries = Object.entries(value);
  return Buffer.concat([control(TYPE.map, entries.length), ...entries.flatMap(([key, inner]) => [encode(key), encode(inner)])]);
}

function unsigned(type: number, value: number): Buffer {
  const bytes = Buffer.from(value.toString(16).padStart(2, '0').replace(/^(?=(?:..)*.$)/, '0'), 'hex');
  return Buffer.concat([control(type, bytes.byteLength), bytes]);
}

/** The control byte: type and size. Types from 8 on are written in a byte of their own, sizes from 29 to 284 in one more. */
function control(type: number, size: number): Buffer {
  const inFirst = Math.min(size, 29);
  const further = size < 29 ? [] : [size - 29];
  return type < 8 ? Buffer.of((type << 5) | inFirst, ...further) : Buffer.of(inFirst, type - 7, ...further);
}
