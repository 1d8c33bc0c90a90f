// bench: microseconds of CPU for one noise record, by libsodium and by OpenSSL, by its length: which of them src/transport/native takes, and from where on
import { OpensslAead, SodiumAead, TAG_BYTES } from '../../src/transport/native/noise-aead.ts';
import type { Aead } from '../../src/transport/native/noise-aead.ts';
import { sodiumRecords } from '../../src/transport/native/sodium.ts';
import { printTable, writeJson } from './support/report.ts';

const LENGTHS = [64, 1024, 4096, 8192, 12_288, 16_384, 32_768, 65_519];
/** Of each measurement: long enough for the clock of the process. */
const BYTES = 300_000_000;
const MAX_RECORDS = 200_000;
const WARM_UP_RECORDS = 500;

const key = Buffer.alloc(32, 7);
const nonce = Buffer.alloc(12);

function sealUs(aead: Aead, length: number): number {
  const block = Buffer.alloc(length + TAG_BYTES);
  return cpuUs(length, () => aead.seal(block, 0, length, nonce));
}

/** Opening in place spoils the record, so it is put back each time: a copy that stays in the cache. */
function openUs(aead: Aead, length: number): number {
  const block = Buffer.alloc(length + TAG_BYTES);
  aead.seal(block, 0, length, nonce);
  const sealed = Buffer.from(block);
  return cpuUs(length, () => {
    block.set(sealed);
    aead.open(block, 0, block.length, nonce, () => {});
  });
}

function cpuUs(length: number, work: () => void): number {
  const records = Math.min(MAX_RECORDS, Math.ceil(BYTES / (length + 2_000)));
  for (let i = 0; i < WARM_UP_RECORDS; i++) work();
  const before = process.cpuUsage();
  for (let i = 0; i < records; i++) work();
  const { user, system } = process.cpuUsage(before);
  return Math.round((100 * (user + system)) / records) / 100;
}

function figures(): Record<string, number> {
  const kinds: [string, Aead][] = [['openssl', new OpensslAead(key)]];
  if (sodiumRecords !== undefined) kinds.unshift(['libsodium', new SodiumAead(sodiumRecords, key)]);
  const rows = LENGTHS.flatMap((length) => kinds.flatMap(([kind, aead]): [string, number][] => [[`${length} ${kind} sealUs`, sealUs(aead, length)], [`${length} ${kind} openUs`, openUs(aead, length)]]));
  return Object.fromEntries(rows);
}

const measured = figures();
printTable(measured);
writeJson('aead', measured);
