import assert from 'node:assert/strict';
import { Status } from '../../src/lib/circuit/protocol.ts';
import { REFUSALS } from '../../src/relay/refusal.ts';
import type { RefusalName } from '../../src/relay/refusal.ts';
import type { RelayUnderTest } from './relay-under-test.ts';
import type { Answer } from './wire-peer.ts';

export interface ExpectedRefusal {
  request: 'reserve' | 'connect';
  status: number;
  limit: RefusalName;
  current?: number;
  maximum?: number;
  /** The peer is told when to come again, in this many seconds at most. */
  retryWithinSeconds?: number;
  class?: 'public' | 'member';
  /** How often this limit has refused so far, this time included. */
  times?: number;
}

/** The peer was told by status and by the extension field which limit refused it, and the relay counted that. */
export async function assertRefused(relay: RelayUnderTest, answer: Answer, expected: ExpectedRefusal): Promise<void> {
  const { request, status, limit, retryWithinSeconds, times = 1 } = expected;
  const { refusal } = answer;
  assert.deepEqual([answer.type, answer.status, refusal?.limit], ['STATUS', status, limit]);
  if (expected.current !== undefined) assert.equal(refusal?.current, expected.current, 'current');
  if (expected.maximum !== undefined) assert.equal(refusal?.maximum, expected.maximum, 'maximum');
  const retry = refusal?.retryAfterSeconds;
  if (retryWithinSeconds !== undefined) assert.ok(retry !== undefined && retry >= 1 && retry <= retryWithinSeconds, `retry after ${retry} s`);
  const metrics = await relay.metrics();
  const prefix = request === 'reserve' ? 'reservation' : 'connection';
  assert.equal(metrics.get(`relayd_relay_refusals_total{request="${request}",limit="${limit}",class="${expected.class ?? 'public'}"}`), times);
  assert.ok((metrics.get(`libp2p_relaysvc_${prefix}_rejections_total{reason="${REFUSALS[limit].reason}"}`) ?? 0) >= times);
  assert.ok((metrics.get(`libp2p_relaysvc_${prefix}_request_response_status_total{status="rejected"}`) ?? 0) >= times);
}

export function assertOk(answer: Answer): void {
  assert.deepEqual([answer.status, answer.refusal?.limit], [Status.OK, undefined]);
}
