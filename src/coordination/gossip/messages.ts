import { MAX_KEY_BYTES } from '../../lib/cluster/relay-cluster.ts';
import { malformed } from '../../lib/protobuf.ts';
import type { SharedRevocations } from '../backend.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import type { Beat, Delta, RecordChange } from './delta.ts';

/** The version of everything that gossip says. A relay that reads another does not take part. */
export const WIRE_VERSION = 1;

/** A record names addresses and load: a few hundred bytes. */
export const MAX_RECORD_BYTES = 16 * 1024;

/** A peer id is 52 characters, the longest that libp2p makes is below this. */
const MAX_PEER_BYTES = 128;

/** `2026-11-21`. */
const MAX_WINDOW_BYTES = 10;

/** A public key as hex: 72 digits of Ed25519's, some 600 of RSA's. */
const MAX_AUTHORITY_BYTES = 2048;

/** A list is told whole in an answer, whose frame is bounded by links. */
export const MAX_LIST_BYTES = 512 * 1024;

/** The newest revocation list of an authority that a relay has. */
export interface ListMark {
  readonly authority: string;
  readonly sequence: number;
}

/** What is gossiped, before it is sealed. */
export interface GossipMessage {
  readonly delta: Delta;
  readonly marks: readonly ListMark[];
  /** Those short enough to be told at once. */
  readonly lists: readonly SharedRevocations[];
}

export function encodeGossip({ delta, marks, lists }: GossipMessage): Uint8Array {
  const writer = new ByteWriter().number(WIRE_VERSION);
  writeDelta(writer, delta);
  writer.list(marks, (mark) => writeMark(writer, mark));
  writer.list(lists, (list) => writeList(writer, list));
  return writer.finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeGossip(bytes: Uint8Array): GossipMessage {
  const reader = new ByteReader(bytes);
  readVersion(reader);
  const message = { delta: readDelta(reader), marks: reader.list(() => readMark(reader)), lists: reader.list(() => readList(reader)) };
  reader.end();
  return message;
}

export function readVersion(reader: ByteReader): void {
  const version = reader.number();
  if (version !== WIRE_VERSION) throw malformed(`it is of version ${version}, not ${WIRE_VERSION}`);
}

export function writeDelta(writer: ByteWriter, delta: Delta): void {
  const { from } = delta;
  writeRun(writer, delta);
  writer.number(from).number(delta.to - from);
  writer.list(delta.beat === undefined ? [] : [delta.beat], ({ sequence, ageMs }) => writer.number(sequence - from).number(ageMs));
  writer.list(delta.record === undefined ? [] : [delta.record], ({ sequence, bytes }) => writer.number(sequence - from).bytes(bytes));
  writer.number(delta.leftAt === undefined ? 0 : delta.leftAt - from);
  writer.list(delta.held, ({ peer, sequence, ttlMs, ageMs }) => writer.text(peer).number(sequence - from).number(ttlMs).number(ageMs));
  writer.list(delta.ended, ({ peer, sequence }) => writer.text(peer).number(sequence - from));
  writer.list(delta.usage, ({ key, window, sequence, bytes }) => writer.text(key).text(window).number(sequence - from).number(bytes));
}

export function readDelta(reader: ByteReader): Delta {
  const run = readRun(reader);
  const from = reader.number();
  const to = from + reader.number();
  const sequence = (): number => within(from + reader.number(), from, to);
  const [beat] = reader.list((): Beat => ({ sequence: sequence(), ageMs: reader.number() }));
  const [record] = reader.list((): RecordChange => ({ sequence: sequence(), bytes: new Uint8Array(reader.bytes(MAX_RECORD_BYTES)) }));
  const leftAt = reader.number();
  return {
    ...run,
    from,
    to,
    beat,
    record,
    leftAt: leftAt === 0 ? undefined : within(from + leftAt, from, to),
    held: reader.list(() => ({ peer: reader.text(MAX_PEER_BYTES), sequence: sequence(), ttlMs: reader.number(), ageMs: reader.number() })),
    ended: reader.list(() => ({ peer: reader.text(MAX_PEER_BYTES), sequence: sequence() })),
    usage: reader.list(() => ({ key: reader.text(MAX_KEY_BYTES), window: reader.text(MAX_WINDOW_BYTES), sequence: sequence(), bytes: reader.number() })),
  };
}

/** A run of a relay. */
export interface Run {
  readonly relay: string;
  readonly epoch: number;
}

export function writeRun(writer: ByteWriter, { relay, epoch }: Run): void {
  writer.text(relay).number(epoch);
}

export function readRun(reader: ByteReader): Run {
  return { relay: reader.text(MAX_PEER_BYTES), epoch: reader.number() };
}

export function writeMark(writer: ByteWriter, { authority, sequence }: ListMark): void {
  writer.text(authority).number(sequence);
}

export function readMark(reader: ByteReader): ListMark {
  return { authority: reader.text(MAX_AUTHORITY_BYTES), sequence: reader.number() };
}

export function writeList(writer: ByteWriter, list: SharedRevocations): void {
  writeMark(writer, list);
  writer.bytes(list.list);
}

/** @returns with bytes of its own, so that the message need not be kept for them */
export function readList(reader: ByteReader): SharedRevocations {
  return { ...readMark(reader), list: new Uint8Array(reader.bytes(MAX_LIST_BYTES)) };
}

/** One use of a quota, as another relay may tell it long after. */
export interface UsageCell {
  readonly key: string;
  readonly window: string;
  readonly bytes: number;
}

export function writeCell(writer: ByteWriter, { key, window, bytes }: UsageCell): void {
  writer.text(key).text(window).number(bytes);
}

export function readCell(reader: ByteReader): UsageCell {
  return { key: reader.text(MAX_KEY_BYTES), window: reader.text(MAX_WINDOW_BYTES), bytes: reader.number() };
}

function within(sequence: number, from: number, to: number): number {
  if (sequence <= from || sequence > to) throw malformed(`change ${sequence} is not one of ${from + 1} to ${to}`);
  return sequence;
}
