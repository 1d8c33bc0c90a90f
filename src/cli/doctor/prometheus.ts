import type { PrometheusFacts } from '../../doctor/index.ts';
import { errorMessage } from '../../lib/errors.ts';

const TIMEOUT_MS = 5_000;

/** Every relay has it, go's too. */
const RELAYS_QUERY = 'count(libp2p_relaysvc_status)';

const SEEN_QUERY = 'min(relayd_cluster_relays)';

interface Rules {
  data: { groups: { rules: { name: string; type: string }[] }[] };
}

interface Vector {
  data: { result: { value: [number, string] }[] };
}

/** Never throws: what goes wrong is said in `error`. */
export async function askPrometheus(url: string): Promise<PrometheusFacts> {
  try {
    const rules = await ask(`${url}/api/v1/rules?type=alert`);
    const relays = await ask(`${url}/api/v1/query?query=${encodeURIComponent(RELAYS_QUERY)}`);
    const seen = await ask(`${url}/api/v1/query?query=${encodeURIComponent(SEEN_QUERY)}`);
    return {
      url,
      error: undefined,
      alerts: (rules.body as Rules).data.groups.flatMap((group) => group.rules.map(({ name }) => name)),
      relays: valueOf(relays.body) ?? 0,
      fewestSeen: valueOf(seen.body),
      clockAheadMs: rules.clockAheadMs,
    };
  } catch (error) {
    return { url, error: errorMessage(error), alerts: [], relays: 0, fewestSeen: undefined, clockAheadMs: undefined };
  }
}

/** Of a query that has one result or none. */
function valueOf(body: unknown): number | undefined {
  const value = (body as Vector).data.result[0]?.value[1];
  return value === undefined ? undefined : Number(value);
}

async function ask(url: string): Promise<{ body: unknown; clockAheadMs: number | undefined }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const date = Date.parse(response.headers.get('date') ?? '');
  const clockAheadMs = Number.isNaN(date) ? undefined : date - Date.now();
  if (!response.ok) {
    throw new Error(`HTTP ${response.status}: is this Prometheus?`);
  }
  return { body: await response.json(), clockAheadMs };
}
