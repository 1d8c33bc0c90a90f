import type { Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import type { Clock } from '../lib/clock.ts';
import { sleep } from '../lib/deadline.ts';
import { RelaydError } from '../lib/errors.ts';
import { decodeHolePunch, encodeHolePunch } from './dcutr-message.ts';
import type { HolePunchMessage } from './dcutr-message.ts';

export const DCUTR_PROTOCOL = '/libp2p/dcutr';

/**
 * The target of the circuit begins (specification: relay/DCUtR.md, steps 2 to 5): CONNECT there and back measures the
 * round trip, and after SYNC it waits for half of it, so that both sides dial at the same moment.
 *
 * @returns the peer's addresses, when it is time to dial them
 * @throws RelaydError MALFORMED_MESSAGE, UNEXPECTED_END; the signal's reason
 */
export async function beginExchange(stream: Stream, ours: readonly Multiaddr[], clock: Clock, signal: AbortSignal): Promise<readonly Multiaddr[]> {
  const sentAt = clock.now();
  send(stream, { type: 'CONNECT', addrs: ours });
  const { addrs } = await receive(stream, 'CONNECT', signal);
  const roundTripMs = clock.now() - sentAt;
  send(stream, { type: 'SYNC', addrs: [] });
  await sleep(roundTripMs / 2, clock, signal);
  signal.throwIfAborted();
  return addrs;
}

/**
 * The other side's part.
 *
 * @returns the peer's addresses, which are to be dialled at once
 * @throws as {@link beginExchange}
 */
export async function answerExchange(stream: Stream, ours: readonly Multiaddr[], signal: AbortSignal): Promise<readonly Multiaddr[]> {
  const { addrs } = await receive(stream, 'CONNECT', signal);
  send(stream, { type: 'CONNECT', addrs: ours });
  await receive(stream, 'SYNC', signal);
  return addrs;
}

function send(stream: Stream, message: HolePunchMessage): void {
  writeFrame(stream, encodeHolePunch(message));
}

async function receive(stream: Stream, type: HolePunchMessage['type'], signal: AbortSignal): Promise<HolePunchMessage> {
  const message = decodeHolePunch(await readFrame(stream, { signal }));
  if (message.type !== type) {
    throw new RelaydError('MALFORMED_MESSAGE', `${message.type} where ${type} was expected`);
  }
  return message;
}
