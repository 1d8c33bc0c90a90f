import type { PeerId, PrivateKey } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { isCircuit } from '../addresses.ts';
import { RelaydError } from '../errors.ts';
import { peerText } from '../logger.ts';
import { MessageWriter, bytesOf, malformed, numberOf, readFields, saturatedNumberOf, textOf } from '../protobuf.ts';
import type { Field } from '../protobuf.ts';
import { openEnvelope, sealEnvelope } from '../signed-envelope.ts';
import { MAX_DIRECTORY_FRAME_BYTES } from './protocol.ts';

/** What a relay says about itself, for a short time. */
export interface RelayStatement {
  /** Grows with every statement of a relay: who has a newer one drops this. Begins at the wall clock, so that it goes on above after a restart. */
  sequence: number;
  /** How long it holds from when it is received, in milliseconds: a duration, because clocks differ. */
  validMs: number;
  version: string;
  /** The operator's word for where the relay is. */
  region: string | undefined;
  /** It will stop: who holds a reservation should move. */
  draining: boolean;
  /** Of a drain: milliseconds until the relay closes what is left. */
  drainEndsInMs: number | undefined;
  /** The limits of each class of users that can be in use here. */
  classes: ClassStatement[];
  load: LoadStatement;
  /** Other relays: full addresses. */
  alternatives: Multiaddr[];
}

/** `Infinity` is unlimited, and left out on the wire. */
export interface ClassStatement {
  name: 'public' | 'member';
  reservationsMax: number;
  reservationTtlMs: number;
  circuitDurationMs: number;
  circuitBytesPerDirection: number;
}

/** Shares of what the class of whoever asks may use, 0 to 1, in whole hundredths and coarse. */
export interface LoadStatement {
  reservations: number;
  circuits: number;
  /** `undefined` where no total is set. */
  bandwidth: number | undefined;
  eventLoopDelayMs: number;
}

/** A client tries a few; more would be a way to send a herd somewhere. */
export const MAX_ALTERNATIVES = 8;

/** An address in binary form: a DNS name of 253 bytes with a port is longer than anybody uses. */
const MAX_ALTERNATIVE_BYTES = 256;

/** A statement that says that it holds for longer is believed for this long. */
export const MAX_VALID_MS = 24 * 3_600_000;

/** Of our own; a payload type may be any bytes (RFC 0002, "Signed Envelopes"). */
const STATEMENT = { domain: 'relayd-statement', payloadType: new TextEncoder().encode('/relayd/statement') };

const CLASS_NAMES: readonly string[] = ['public', 'member'] satisfies ClassStatement['name'][];

/** The statement in a signed envelope (libp2p specification RFC 0002). */
export function sealStatement(statement: RelayStatement, relayKey: PrivateKey): Promise<Uint8Array> {
  return sealEnvelope(STATEMENT, encodeStatement(statement), relayKey);
}

/**
 * @param relay who must have signed it
 * @throws RelaydError STATEMENT_INVALID when the envelope is not one or `relay` did not sign it, MALFORMED_MESSAGE when what it holds is no statement
 */
export async function openStatement(envelope: Uint8Array, relay: PeerId): Promise<RelayStatement> {
  if (envelope.byteLength > MAX_DIRECTORY_FRAME_BYTES) {
    throw malformed(`a statement of ${envelope.byteLength} bytes; at most ${MAX_DIRECTORY_FRAME_BYTES} are read`);
  }
  const payload = await openEnvelope(STATEMENT, envelope, relay).catch((cause: unknown) => {
    throw new RelaydError('STATEMENT_INVALID', 'the relay\'s statement is not valid', { cause });
  });
  return decodeStatement(payload);
}

function encodeStatement(statement: RelayStatement): Uint8Array {
  const writer = new MessageWriter()
    .varint(1, statement.sequence)
    .varint(2, statement.validMs)
    .text(3, statement.version)
    .text(4, statement.region)
    .varint(5, statement.draining ? 1 : undefined)
    .varint(6, statement.drainEndsInMs);
  statement.classes.forEach((limits) => writer.bytes(7, encodeClass(limits)));
  writer.bytes(8, encodeLoad(statement.load));
  statement.alternatives.slice(0, MAX_ALTERNATIVES).forEach((addr) => writer.bytes(9, addr.bytes));
  return writer.finish();
}

function encodeClass(limits: ClassStatement): Uint8Array {
  return new MessageWriter()
    .text(1, limits.name)
    .varint(2, finite(limits.reservationsMax))
    .varint(3, finite(limits.reservationTtlMs))
    .varint(4, finite(limits.circuitDurationMs))
    .varint(5, finite(limits.circuitBytesPerDirection))
    .finish();
}

function encodeLoad(load: LoadStatement): Uint8Array {
  const percent = (share: number): number => Math.round(share * 100);
  return new MessageWriter()
    .varint(1, percent(load.reservations))
    .varint(2, percent(load.circuits))
    .varint(3, load.bandwidth === undefined ? undefined : percent(load.bandwidth))
    .varint(4, Math.round(load.eventLoopDelayMs))
    .finish();
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

function decodeStatement(payload: Uint8Array): RelayStatement {
  const statement: RelayStatement = {
    sequence: 0,
    validMs: 0,
    version: '',
    region: undefined,
    draining: false,
    drainEndsInMs: undefined,
    classes: [],
    load: { reservations: 0, circuits: 0, bandwidth: undefined, eventLoopDelayMs: 0 },
    alternatives: [],
  };
  for (const field of readFields(payload)) {
    readStatementField(statement, field);
  }
  if (statement.sequence === 0 || statement.validMs === 0) {
    throw malformed('a statement without a sequence number or a lifetime');
  }
  return statement;
}

function readStatementField(statement: RelayStatement, field: Field): void {
  if (field.number === 1) statement.sequence = numberOf(field);
  else if (field.number === 2) statement.validMs = Math.min(saturatedNumberOf(field), MAX_VALID_MS);
  else if (field.number === 3) statement.version = peerText(textOf(field));
  else if (field.number === 4) statement.region = peerText(textOf(field));
  else if (field.number === 5) statement.draining = numberOf(field) !== 0;
  else if (field.number === 6) statement.drainEndsInMs = saturatedNumberOf(field);
  else if (field.number === 7) keepClass(statement.classes, bytesOf(field));
  else if (field.number === 8) statement.load = decodeLoad(bytesOf(field));
  else if (field.number === 9) keepAlternative(statement.alternatives, bytesOf(field));
}

/** A class of a later version is skipped; of two of one name the first counts. */
function keepClass(classes: ClassStatement[], buffer: Uint8Array): void {
  const limits = { name: '', reservationsMax: Infinity, reservationTtlMs: Infinity, circuitDurationMs: Infinity, circuitBytesPerDirection: Infinity };
  for (const field of readFields(buffer)) {
    if (field.number === 1) limits.name = textOf(field);
    else if (field.number === 2) limits.reservationsMax = saturatedNumberOf(field);
    else if (field.number === 3) limits.reservationTtlMs = saturatedNumberOf(field);
    else if (field.number === 4) limits.circuitDurationMs = saturatedNumberOf(field);
    else if (field.number === 5) limits.circuitBytesPerDirection = saturatedNumberOf(field);
  }
  if (CLASS_NAMES.includes(limits.name) && !classes.some(({ name }) => name === limits.name)) {
    classes.push(limits as ClassStatement);
  }
}

function decodeLoad(buffer: Uint8Array): LoadStatement {
  const load: LoadStatement = { reservations: 0, circuits: 0, bandwidth: undefined, eventLoopDelayMs: 0 };
  for (const field of readFields(buffer)) {
    if (field.number === 1) load.reservations = shareOf(field);
    else if (field.number === 2) load.circuits = shareOf(field);
    else if (field.number === 3) load.bandwidth = shareOf(field);
    else if (field.number === 4) load.eventLoopDelayMs = saturatedNumberOf(field);
  }
  return load;
}

function shareOf(field: Field): number {
  return Math.min(saturatedNumberOf(field), 100) / 100;
}

/** What is no full address of a relay, as far as this version can tell, is skipped: the rest is of use all the same. */
function keepAlternative(alternatives: Multiaddr[], bytes: Uint8Array): void {
  if (alternatives.length >= MAX_ALTERNATIVES || bytes.byteLength > MAX_ALTERNATIVE_BYTES) {
    return;
  }
  const addr = parseAddr(bytes);
  if (addr !== undefined && isAlternative(addr)) {
    alternatives.push(addr);
  }
}

/** Whether `addr` can be named as another relay: it ends in a peer id, and leads there directly. */
export function isAlternative(addr: Multiaddr): boolean {
  return !isCircuit(addr) && addr.getComponents().at(-1)?.name === 'p2p' && addr.bytes.byteLength <= MAX_ALTERNATIVE_BYTES;
}

function parseAddr(bytes: Uint8Array): Multiaddr | undefined {
  try {
    const addr = multiaddr(bytes);
    // Components are parsed when they are asked for.
    addr.getComponents();
    return addr;
  } catch {
    return undefined;
  }
}
