import { peerIdFromString } from '@libp2p/peer-id';
import { RelaydError } from '../lib/errors.ts';

/**
 * A peer id in the one form that connections use, so that two spellings of one id are equal.
 *
 * @throws RelaydError CONFIG_INVALID
 */
export function canonicalPeer(text: string): string {
  try {
    return peerIdFromString(text).toString();
  } catch (cause) {
    throw new RelaydError('CONFIG_INVALID', `"${text}" is not a peer id`, { cause });
  }
}
