import { malformed } from '../../lib/protobuf.ts';
import type { SharedRevocations } from '../backend.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import type { Delta } from './delta.ts';
import { WIRE_VERSION, readCell, readDelta, readList, readMark, readRun, readVersion, writeCell, writeDelta, writeList, writeMark, writeRun } from './messages.ts';
import type { ListMark, Run, UsageCell } from './messages.ts';

/** A hash is shorter, and a later version may take a longer one. */
const MAX_HASH_BYTES = 64;

/** What a relay knows, in short. */
export interface Digest {
  readonly shards: readonly ShardMark[];
  readonly lists: readonly ListMark[];
  /** Of the usage of all runs that are not in `shards`. */
  readonly pastUsage: Uint8Array;
}

export interface ShardMark extends Run {
  /** All changes up to this one are known. */
  readonly complete: number;
  /** Since the relay was heard of. */
  readonly ageMs: number;
  readonly hasLeft: boolean;
}

export interface ShardQuestion extends Run {
  readonly from: number;
  /** The reservations are read from the first on, into an empty list. */
  readonly isWhole: boolean;
}

export interface CellsQuestion extends Run {
  readonly skip: number;
}

export type Question =
  | { readonly kind: 'digest'; readonly digest: Digest }
  | { readonly kind: 'shard'; readonly shard: ShardQuestion }
  | { readonly kind: 'list'; readonly authority: string }
  | { readonly kind: 'runs' }
  | { readonly kind: 'cells'; readonly cells: CellsQuestion };

/** A part of a shard. */
export interface ShardPage {
  readonly delta: Delta;
  /** Ends up to and with this change may be missing from it. */
  readonly horizon: number;
  readonly isWhole: boolean;
  readonly hasMore: boolean;
}

export interface RunHash extends Run {
  readonly hash: Uint8Array;
}

export interface CellsPage {
  readonly cells: readonly UsageCell[];
  readonly hasMore: boolean;
}

const KINDS = ['digest', 'shard', 'list', 'runs', 'cells'] as const;

export function encodeQuestion(question: Question): Uint8Array {
  const writer = new ByteWriter().number(WIRE_VERSION).number(KINDS.indexOf(question.kind));
  switch (question.kind) {
    case 'digest':
      writeDigest(writer, question.digest);
      break;
    case 'shard':
      writeRun(writer, question.shard);
      writer.number(question.shard.from).number(Number(question.shard.isWhole));
      break;
    case 'list':
      writeMark(writer, { authority: question.authority, sequence: 0 });
      break;
    case 'cells':
      writeRun(writer, question.cells);
      writer.number(question.cells.skip);
      break;
    case 'runs':
  }
  return writer.finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeQuestion(bytes: Uint8Array): Question {
  return reading(bytes, (reader): Question => {
    const kind = KINDS[reader.number()];
    switch (kind) {
      case 'digest':
        return { kind, digest: readDigest(reader) };
      case 'shard':
        return { kind, shard: { ...readRun(reader), from: reader.number(), isWhole: reader.number() === 1 } };
      case 'list':
        return { kind, authority: readMark(reader).authority };
      case 'runs':
        return { kind };
      case 'cells':
        return { kind, cells: { ...readRun(reader), skip: reader.number() } };
      case undefined:
      default:
        throw malformed('it asks for something that is not known');
    }
  });
}

export function encodeDigest(digest: Digest): Uint8Array {
  const writer = new ByteWriter().number(WIRE_VERSION);
  writeDigest(writer, digest);
  return writer.finish();
}

export function decodeDigest(bytes: Uint8Array): Digest {
  return reading(bytes, readDigest);
}

/** @param page `undefined`: the run is not known */
export function encodePage(page: ShardPage | undefined): Uint8Array {
  const writer = new ByteWriter().number(WIRE_VERSION);
  return writer
    .list(page === undefined ? [] : [page], ({ delta, horizon, isWhole, hasMore }) => {
      writeDelta(writer, delta);
      writer.number(horizon).number(Number(isWhole)).number(Number(hasMore));
    })
    .finish();
}

export function decodePage(bytes: Uint8Array): ShardPage | undefined {
  return reading(bytes, (reader) => reader.list(() => ({ delta: readDelta(reader), horizon: reader.number(), isWhole: reader.number() === 1, hasMore: reader.number() === 1 })))[0];
}

export function encodeLists(lists: readonly SharedRevocations[]): Uint8Array {
  const writer = new ByteWriter().number(WIRE_VERSION);
  return writer.list(lists, (list) => writeList(writer, list)).finish();
}

export function decodeLists(bytes: Uint8Array): SharedRevocations[] {
  return reading(bytes, (reader) => reader.list(() => readList(reader)));
}

export function encodeRuns(runs: readonly RunHash[]): Uint8Array {
  const writer = new ByteWriter().number(WIRE_VERSION);
  return writer
    .list(runs, (run) => {
      writeRun(writer, run);
      writer.bytes(run.hash);
    })
    .finish();
}

export function decodeRuns(bytes: Uint8Array): RunHash[] {
  return reading(bytes, (reader) => reader.list(() => ({ ...readRun(reader), hash: reader.bytes(MAX_HASH_BYTES) })));
}

export function encodeCells({ cells, hasMore }: CellsPage): Uint8Array {
  const writer = new ByteWriter().number(WIRE_VERSION).number(Number(hasMore));
  return writer.list(cells, (cell) => writeCell(writer, cell)).finish();
}

export function decodeCells(bytes: Uint8Array): CellsPage {
  return reading(bytes, (reader) => ({ hasMore: reader.number() === 1, cells: reader.list(() => readCell(reader)) }));
}

function writeDigest(writer: ByteWriter, { shards, lists, pastUsage }: Digest): void {
  writer.list(shards, (shard) => {
    writeRun(writer, shard);
    writer.number(shard.complete).number(shard.ageMs).number(Number(shard.hasLeft));
  });
  writer.list(lists, (mark) => writeMark(writer, mark));
  writer.bytes(pastUsage);
}

function readDigest(reader: ByteReader): Digest {
  return {
    shards: reader.list(() => ({ ...readRun(reader), complete: reader.number(), ageMs: reader.number(), hasLeft: reader.number() === 1 })),
    lists: reader.list(() => readMark(reader)),
    pastUsage: reader.bytes(MAX_HASH_BYTES),
  };
}

function reading<T>(bytes: Uint8Array, read: (reader: ByteReader) => T): T {
  const reader = new ByteReader(bytes);
  readVersion(reader);
  const message = read(reader);
  reader.end();
  return message;
}
