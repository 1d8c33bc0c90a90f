/**
 * Questions and answers of etcd's JSON gateway: keys and values as base64, 64-bit numbers as texts, fields of value zero left out.
 * Source: etcd.io, "gRPC gateway", and the message definitions of etcd 3.4's rpc.proto.
 */
import type { KeyRange } from './keys.ts';

export interface Header {
  readonly clusterId: string;
  readonly revision: number;
}

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly modRevision: number;
  /** `0`: none. */
  readonly lease: string;
}

export interface RangeAnswer {
  readonly header: Header;
  readonly entries: Entry[];
}

export interface TxnAnswer {
  readonly header: Header;
  readonly succeeded: boolean;
  /** What each operation of the branch found; nothing for those that are no range. */
  readonly found: Entry[][];
}

export interface WatchMessage {
  readonly header: Header;
  readonly created: boolean;
  /** Why etcd has ended the watch. */
  readonly canceled: string | undefined;
  /** The revision from which on history is kept still, when what was asked for is not there any more. */
  readonly compactRevision: number | undefined;
  /** More of the same revision follows. */
  readonly isFragment: boolean;
  readonly events: WatchEvent[];
}

export interface WatchEvent {
  readonly isDelete: boolean;
  readonly entry: Entry;
}

type Json = Readonly<Record<string, unknown>>;

/** One operation of a transaction. */
export type Operation = Json;
/** One condition of a transaction. */
export type Condition = Json;

export const NO_LEASE = '0';

export function putOf(key: string, value: Uint8Array, lease: string): Operation {
  return { request_put: { key: base64(key), value: base64(value), lease } };
}

export function deleteOf(key: string): Operation {
  return { request_delete_range: { key: base64(key) } };
}

export function rangeOf(range: KeyRange | string): Operation {
  return { request_range: rangeRequest(range) };
}

export function rangeRequest(range: KeyRange | string): Json {
  return typeof range === 'string' ? { key: base64(range) } : { key: base64(range.from), range_end: base64(range.to) };
}

export function hasLease(key: string, lease: string): Condition {
  return { key: base64(key), target: 'LEASE', result: 'EQUAL', lease };
}

/** 0: the key is not there. */
export function isOfRevision(key: string, modRevision: number): Condition {
  return { key: base64(key), target: 'MOD', result: 'EQUAL', mod_revision: String(modRevision) };
}

/** Not fulfilled where the key is not there. */
export function isBelow(key: string, value: Uint8Array): Condition {
  return { key: base64(key), target: 'VALUE', result: 'LESS', value: base64(value) };
}

export function watchRequest(range: KeyRange, startRevision: number): Json {
  return { create_request: { key: base64(range.from), range_end: base64(range.to), start_revision: String(startRevision), fragment: true } };
}

export function readRange(answer: unknown): RangeAnswer {
  return { header: readHeader(answer), entries: list(field(answer, 'kvs')).map(readEntry) };
}

export function readTxn(answer: unknown): TxnAnswer {
  const found = list(field(answer, 'responses')).map((response) => list(field(field(response, 'response_range'), 'kvs')).map(readEntry));
  return { header: readHeader(answer), succeeded: field(answer, 'succeeded') === true, found };
}

export function readHeader(answer: unknown): Header {
  const header = field(answer, 'header');
  return { clusterId: text(field(header, 'cluster_id')), revision: Number(text(field(header, 'revision'))) };
}

/** The lease's id, and how long it lives from now on: 0 or less when it is no more. */
export function readLease(answer: unknown): { id: string; ttlSeconds: number } {
  return { id: text(field(answer, 'ID')), ttlSeconds: Number(text(field(answer, 'TTL'))) };
}

export function readWatch(answer: unknown): WatchMessage {
  const compactRevision = Number(text(field(answer, 'compact_revision')));
  return {
    header: readHeader(answer),
    created: field(answer, 'created') === true,
    canceled: field(answer, 'canceled') === true ? String(field(answer, 'cancel_reason') ?? 'it gives no reason') : undefined,
    compactRevision: compactRevision > 0 ? compactRevision : undefined,
    isFragment: field(answer, 'fragment') === true,
    events: list(field(answer, 'events')).map((event) => ({ isDelete: field(event, 'type') === 'DELETE', entry: readEntry(field(event, 'kv')) })),
  };
}

/** A field of an answer, if that is an object at all. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Json)[name] : undefined;
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function readEntry(entry: unknown): Entry {
  return {
    key: Buffer.from(text(field(entry, 'key')), 'base64').toString('utf8'),
    value: Buffer.from(text(field(entry, 'value'), ''), 'base64'),
    modRevision: Number(text(field(entry, 'mod_revision'))),
    lease: text(field(entry, 'lease')),
  };
}

/** A number as a text, or what stands for it when it was left out. */
function text(value: unknown, absent = '0'): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : absent;
}

function base64(value: string | Uint8Array): string {
  return Buffer.from(value).toString('base64');
}
