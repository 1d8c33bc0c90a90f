import { errorMessage } from '../lib/errors.ts';
import type { Candidate } from './candidate.ts';
import type { ClientContext } from './context.ts';

/** The peer store's tag of a relay in use: whatever trims connections spares tagged peers. */
const RELAY_TAG = 'relayd-relay';
const RELAY_TAG_VALUE = 100;

export function tagRelay(candidate: Candidate, used: boolean, { components, log }: Pick<ClientContext, 'components' | 'log'>): void {
  const tags = { [RELAY_TAG]: used ? { value: RELAY_TAG_VALUE } : undefined };
  components.peerStore.merge(candidate.peer, { tags }).catch((error: unknown) => {
    log.debug({ relay: candidate.id, error: errorMessage(error) }, 'the peer store did not take a tag');
  });
}
