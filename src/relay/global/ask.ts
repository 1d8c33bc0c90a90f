import type { Stream } from '@libp2p/interface';
import type { ClusterClaims, ClusterPermit, ClusterVerdict, RelayCluster } from '../../lib/cluster/relay-cluster.ts';
import { abortable, deadline } from '../../lib/deadline.ts';
import { RelaydError } from '../../lib/errors.ts';
import type { RelayContext } from '../context.ts';
import { Refused } from '../refusal.ts';

/**
 * The cluster decides in a fraction of a second, by this relay's own part where the store does not answer: this only bounds what a fault in that would
 * cost.
 */
const ADMIT_DEADLINE_MS = 5_000;

type Asker = Pick<RelayContext, 'clock' | 'stopped'>;

/**
 * Takes what a request needs over the cluster. Nothing is held when this throws, whenever the answer comes.
 *
 * @param stream the request's: who gives up waiting gets nothing
 * @throws Refused `cluster.…`; RelaydError CLOSED, TIMEOUT
 */
export async function askCluster(cluster: RelayCluster, { clock, stopped }: Asker, claims: ClusterClaims, stream: Stream): Promise<ClusterPermit> {
  const gone = new AbortController();
  const onClose = (): void => gone.abort(new RelaydError('CLOSED', 'the peer has given up'));
  stream.addEventListener('close', onClose);
  const limit = deadline(ADMIT_DEADLINE_MS, clock, gone.signal, stopped);
  try {
    if (stream.status !== 'open') onClose();
    return permitOf(await verdictOf(cluster, claims, limit.signal));
  } finally {
    limit.clear();
    stream.removeEventListener('close', onClose);
  }
}

async function verdictOf(cluster: RelayCluster, claims: ClusterClaims, signal: AbortSignal): Promise<ClusterVerdict> {
  signal.throwIfAborted();
  const asked = cluster.admit(claims, signal);
  try {
    return await abortable(asked, signal);
  } catch (error) {
    void giveBack(asked);
    throw error;
  }
}

/** What was granted too late is held by nobody. */
async function giveBack(asked: Promise<ClusterVerdict>): Promise<void> {
  try {
    const verdict = await asked;
    if (verdict.ok) verdict.permit.release();
  } catch {
    // Nothing was granted.
  }
}

function permitOf(verdict: ClusterVerdict): ClusterPermit {
  if (verdict.ok) {
    return verdict.permit;
  }
  const { limit, current, maximum, retryAfterMs } = verdict;
  throw new Refused(`cluster.${limit}`, { current, maximum, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}
