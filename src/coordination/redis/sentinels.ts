import type { HostPort } from '../../config/domain.ts';
import type { Clock } from '../../lib/clock.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { errorMessage } from '../../lib/errors.ts';
import { peerText } from '../../lib/logger.ts';
import { Connection } from './connection.ts';
import { placeOf } from './problems.ts';
import type { Settings } from './settings.ts';

/** What asking all sentinels may take: one that is frozen keeps nobody waiting longer. */
const SENTINEL_TIMEOUT_MS = 700;

interface Vote {
  readonly server: HostPort;
  readonly votes: number;
}

/** Asks all of them: what more than half say, or else what most of those say that answer in time. */
export async function askSentinels(settings: Settings, clock: Clock, signal: AbortSignal): Promise<Vote> {
  const { sentinels, sentinelPrimary } = settings;
  const all = new Map<string, Vote>();
  const failures: string[] = [];
  await new Promise<void>((decided) => {
    const asking = sentinels.map(async (sentinel) => {
      try {
        const server = await withDeadline(SENTINEL_TIMEOUT_MS, clock, [signal], (limit) => askSentinel(sentinel, settings, clock, limit));
        const votes = (all.get(placeOf(server))?.votes ?? 0) + 1;
        all.set(placeOf(server), { server, votes });
        if (votes > sentinels.length / 2) decided();
      } catch (error) {
        failures.push(`${placeOf(sentinel)}: ${sentinelProblem(error)}`);
      }
    });
    void Promise.all(asking).then(() => decided());
  });
  const best = [...all.values()].sort((a, b) => b.votes - a.votes)[0];
  if (best === undefined) {
    throw new Error(`no Redis Sentinel says where the primary '${sentinelPrimary}' is (${failures.join('; ')}): check coordination.redis.sentinels and sentinelPrimary`);
  }
  return best;
}

async function askSentinel(sentinel: HostPort, settings: Settings, clock: Clock, signal: AbortSignal): Promise<HostPort> {
  const connection = await openSentinel(sentinel, settings, clock, signal);
  const onAbort = (): void => connection.close(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const answer = (await connection.command(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', settings.sentinelPrimary])) as [Buffer, Buffer] | null;
    if (answer === null) {
      throw new Error('it knows no primary of that name');
    }
    return { host: answer[0].toString(), port: Number(answer[1].toString()) };
  } finally {
    signal.removeEventListener('abort', onAbort);
    connection.close(undefined);
  }
}

/** Most sentinels have no users of their own; one that has gets the store's, unless there is a password for sentinels. */
async function openSentinel(sentinel: HostPort, { access, sentinelAccess }: Settings, clock: Clock, signal: AbortSignal): Promise<Connection> {
  try {
    return await Connection.open(sentinel, sentinelAccess ?? { ...access, username: undefined, password: undefined, database: 0 }, clock, signal);
  } catch (error) {
    if (sentinelAccess !== undefined || access.password === undefined || !errorMessage(error).startsWith('NOAUTH')) {
      throw error;
    }
    return Connection.open(sentinel, { ...access, database: 0 }, clock, signal);
  }
}

const RIGHT = 'coordination.redis.sentinelUsername and sentinelPasswordFile';

/** Sentinels often have a password of their own, and with it other keys of the configuration. */
function sentinelProblem(error: unknown): string {
  const text = peerText(errorMessage(error));
  if (text.startsWith('WRONGPASS')) return `it refuses user and password: ${RIGHT} must be those of its own, where they are not the store's`;
  if (text.startsWith('NOAUTH')) return `it asks for a password: ${RIGHT} must be set`;
  return text.startsWith('NOPERM') ? `its user may not ask for the primary: it needs +sentinel|get-master-addr-by-name (${text})` : text;
}
