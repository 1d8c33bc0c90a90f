import type { PeerId, PrivateKey } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { isCircuit } from '../lib/addresses.ts';
import { RelaydError } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import { MessageWriter, bytesOf, malformed, numberOf, readFields, saturatedNumberOf, textOf } from '../lib/protobuf.ts';
import type { Field } from '../lib/protobuf.ts';
import { MAX_CLUSTER_SECRETS } from '../lib/secret-files.ts';
import { openEnvelope, sealEnvelope } from '../lib/signed-envelope.ts';
import { MAX_EPOCH } from './epoch.ts';
import type { ClusterSecret } from './secret.ts';

/** What a relay says of itself to the others of its cluster. */
export interface RelayRecord extends RelayFacts {
  /** Of the run that says it, and the number of what it has said in that run: what is not above the last is not believed. */
  readonly epoch: number;
  readonly sequence: number;
}

export interface RelayFacts {
  readonly state: RelayState;
  /** For clients, full ones. */
  readonly addrs: readonly string[];
  /** For the cluster's other relays alone, private ones too. */
  readonly linkAddrs: readonly string[];
  readonly region: string | undefined;
  readonly version: string;
  readonly classes: Readonly<Record<RecordClass, ClassCounts>>;
  readonly bytesRelayed: number;
  /** The fullest of what it has, 0 to 1. */
  readonly load: number;
  /** Of the limits over the cluster and the realm: relays that agree have the same. */
  readonly digest: string;
  /** The ids of the cluster's secrets that it has, the one that it speaks with first. */
  readonly secrets: readonly string[];
}

export type RelayState = (typeof STATES)[number];
type RecordClass = (typeof CLASSES)[number];

/** `Infinity` is unlimited, and left out on the wire. */
export interface ClassCounts {
  readonly reservations: { readonly count: number; readonly max: number };
  readonly circuits: { readonly count: number; readonly max: number };
}

/** Their places in the list are what is on the wire. */
const STATES = ['ready', 'unready', 'draining'] as const;
const CLASSES = ['public', 'member'] as const;

/** A record with every address that it may have is half of it. */
export const MAX_RECORD_BYTES = 16 * 1024;

/** More listeners than a machine has; of each kind. */
const MAX_ADDRS = 16;
/** A DNS name of 253 bytes is longer than anybody uses. */
const MAX_ADDR_CHARS = 256;

/** Of our own; a payload type may be any bytes (libp2p specification RFC 0002). */
const RECORD = { domain: 'relayd-cluster-record', payloadType: new TextEncoder().encode('/relayd/cluster-record') };

/** Signed by the relay, so that no other can speak for it, then sealed with the cluster's secret: it says where the relay's private addresses are. */
export async function sealRecord(record: RelayRecord, key: PrivateKey, secret: ClusterSecret): Promise<Uint8Array> {
  return secret.seal('record', await sealEnvelope(RECORD, encodeRecord(record), key));
}

/**
 * @param relay who must have signed it
 * @throws RelaydError MALFORMED_MESSAGE when it is not sealed with the cluster's secret or what it holds is no record, STATEMENT_INVALID when `relay`
 * has not signed it
 */
export async function openRecord(sealed: Uint8Array, relay: PeerId, secret: ClusterSecret): Promise<RelayRecord> {
  if (sealed.byteLength > MAX_RECORD_BYTES) {
    throw malformed(`a record of ${sealed.byteLength} bytes; at most ${MAX_RECORD_BYTES} are read`);
  }
  const envelope = secret.open('record', sealed);
  const payload = await openEnvelope(RECORD, envelope, relay).catch((cause: unknown) => {
    throw new RelaydError('STATEMENT_INVALID', 'the relay has not signed this record', { cause });
  });
  return decodeRecord(payload, relay.toString());
}

export function encodeRecord(record: RelayRecord): Uint8Array {
  const writer = new MessageWriter()
    .varint(1, record.epoch)
    .varint(2, record.sequence)
    .varint(3, STATES.indexOf(record.state) + 1)
    .text(4, record.region)
    .text(5, record.version)
    .varint(6, record.bytesRelayed)
    .varint(7, Math.round(record.load * 100))
    .text(8, record.digest);
  record.addrs.slice(0, MAX_ADDRS).forEach((addr) => writer.text(9, addr));
  record.linkAddrs.slice(0, MAX_ADDRS).forEach((addr) => writer.text(10, addr));
  CLASSES.forEach((name, i) => writer.bytes(11 + i, encodeClass(record.classes[name])));
  record.secrets.forEach((id) => writer.text(13, id));
  return writer.finish();
}

function encodeClass({ reservations, circuits }: ClassCounts): Uint8Array {
  return new MessageWriter().varint(1, reservations.count).varint(2, finite(reservations.max)).varint(3, circuits.count).varint(4, finite(circuits.max)).finish();
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

type Draft = { -readonly [K in keyof RelayRecord]: RelayRecord[K] } & { addrs: string[]; linkAddrs: string[]; secrets: string[]; classes: Record<RecordClass, ClassCounts> };

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeRecord(payload: Uint8Array, relay: string): RelayRecord {
  const none: ClassCounts = { reservations: { count: 0, max: 0 }, circuits: { count: 0, max: 0 } };
  const record: Draft = { epoch: 0, sequence: 0, state: 'unready', addrs: [], linkAddrs: [], region: undefined, version: '', classes: { public: none, member: none }, bytesRelayed: 0, load: 0, digest: '', secrets: [] };
  for (const field of readFields(payload)) {
    readField(record, field, relay);
  }
  if (record.epoch === 0 || record.sequence === 0) {
    throw malformed('a record without an epoch or a sequence number');
  }
  if (record.epoch > MAX_EPOCH) {
    throw malformed(`a record of the run ${record.epoch}, which no clock has made`);
  }
  return record;
}

function readField(record: Draft, field: Field, relay: string): void {
  if (field.number === 1) record.epoch = numberOf(field);
  else if (field.number === 2) record.sequence = numberOf(field);
  // A state of a later version: it is not for us to send anybody there.
  else if (field.number === 3) record.state = STATES[numberOf(field) - 1] ?? 'unready';
  else if (field.number === 4) record.region = peerText(textOf(field));
  else if (field.number === 5) record.version = peerText(textOf(field));
  else if (field.number === 6) record.bytesRelayed = saturatedNumberOf(field);
  else if (field.number === 7) record.load = Math.min(saturatedNumberOf(field), 100) / 100;
  else if (field.number === 8) record.digest = peerText(textOf(field));
  else if (field.number === 9) keepAddr(record.addrs, textOf(field), relay);
  else if (field.number === 10) keepAddr(record.linkAddrs, textOf(field), relay);
  else if (field.number === 11) record.classes.public = decodeClass(bytesOf(field));
  else if (field.number === 12) record.classes.member = decodeClass(bytesOf(field));
  else if (field.number === 13 && record.secrets.length < MAX_CLUSTER_SECRETS) record.secrets.push(peerText(textOf(field)));
}

function decodeClass(buffer: Uint8Array): ClassCounts {
  const counts = { reservations: { count: 0, max: Infinity }, circuits: { count: 0, max: Infinity } };
  for (const field of readFields(buffer)) {
    if (field.number === 1) counts.reservations.count = saturatedNumberOf(field);
    else if (field.number === 2) counts.reservations.max = saturatedNumberOf(field);
    else if (field.number === 3) counts.circuits.count = saturatedNumberOf(field);
    else if (field.number === 4) counts.circuits.max = saturatedNumberOf(field);
  }
  return counts;
}

/** What leads directly to `relay`, as far as this version can tell, is kept. */
function keepAddr(addrs: string[], text: string, relay: string): void {
  if (addrs.length < MAX_ADDRS && text.length <= MAX_ADDR_CHARS && leadsTo(text, relay)) addrs.push(text);
}

function leadsTo(text: string, relay: string): boolean {
  try {
    const addr = multiaddr(text);
    return !isCircuit(addr) && addr.getComponents().at(-1)?.name === 'p2p' && addr.getComponents().at(-1)?.value === relay;
  } catch {
    return false;
  }
}
