import type { Connection, Stream } from '@libp2p/interface';
import { generateKey } from '@libp2p/pnet';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { patternBytes, sha256 } from '../../support/bytes.ts';
import { within } from '../../support/waiting.ts';

/** What hosts say to each other in the tests of their transports. */

export const ECHO = '/test/echo';
const ECHO_BYTES = 4_000_000;

export async function echo(stream: Stream): Promise<void> {
  for await (const data of stream) {
    if (!stream.send(data)) await stream.onDrain();
  }
  await stream.close();
}

export async function hashOf(stream: Stream): Promise<string> {
  const hash = createHash('sha256');
  for await (const data of stream) hash.update(data.subarray());
  return hash.digest('hex');
}

/** Sends `bytes` bytes that differ by `seed`, and has them back. */
export async function echoed(connection: Connection, seed: number, bytes = ECHO_BYTES): Promise<void> {
  const stream = await connection.newStream(ECHO);
  const sent = patternBytes(bytes, seed);
  const answer = hashOf(stream);
  for (let at = 0; at < sent.length; at += 100_000) {
    if (!stream.send(sent.subarray(at, at + 100_000))) await stream.onDrain();
  }
  await stream.close();
  assert.equal(await within(answer, 'the echo', 30_000), sha256(sent));
}

export function newSwarmKey(): Uint8Array {
  const key = new Uint8Array(95);
  generateKey(key);
  return key;
}
