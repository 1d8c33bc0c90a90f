import { isRelay, running } from './facts.ts';
import type { Facts } from './facts.ts';
import { ALERTS, CLUSTER_ALERTS } from './alerts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** Whether somebody would notice. */

/** Prometheus scrapes every 15 s to a minute; five minutes is where its own queries give a series up. */
const STALE_SECONDS = 300;

const RULES = 'configs/prometheus';

export function checkScraped(facts: Facts): Item | undefined {
  const status = running(facts)?.status;
  if (status === undefined || !isRelay(facts)) {
    return undefined;
  }
  const ago = status.metrics?.lastScrapeSecondsAgo ?? null;
  const advice = `let Prometheus scrape /metrics of the admin server (${RULES}/prometheus.yaml is an example)`;
  if (ago === null) {
    const isEarly = status.uptimeSeconds < STALE_SECONDS;
    return warning('metrics-scraped', `nothing has collected /metrics since the start, ${status.uptimeSeconds} s ago`, isEarly ? `look again when it has run for five minutes; if there is still nothing, ${advice}` : advice);
  }
  return ago > STALE_SECONDS ? warning('metrics-scraped', `/metrics was last collected ${ago} s ago`, `look why the collection stopped; ${advice}`) : ok('metrics-scraped', `collected ${ago} s ago`);
}

/** Whoever runs a client at home is his own monitoring. */
export function checkAlerts(facts: Facts): Item | undefined {
  const { prometheus } = facts;
  if (prometheus === undefined) {
    return !isRelay(facts) ? undefined : warning('alert-rules', 'not known: no Prometheus was named', `relayd doctor --prometheus URL asks it for the rules of ${RULES}/alert-rules.yaml; with another monitoring acknowledge it (doctor.acknowledge)`);
  }
  const { url, error, alerts } = prometheus;
  if (error !== undefined) {
    return failed('alert-rules', `${url} cannot be asked: ${error}`, 'give the address of Prometheus itself, such as http://127.0.0.1:9090');
  }
  const needed = facts.config.coordination.backend === 'none' ? ALERTS : [...ALERTS, ...CLUSTER_ALERTS];
  const missing = needed.filter((name) => !alerts.includes(name));
  if (missing.length === 0) {
    return ok('alert-rules', `${url} has all ${needed.length}`);
  }
  const advice = `name ${RULES}/alert-rules.yaml under rule_files in the configuration of Prometheus, and reload it`;
  return missing.length === needed.length
    ? failed('alert-rules', `${url} has none of the ${needed.length} alert rules for relays`, advice)
    : warning('alert-rules', `${url} has not ${missing.join(', ')}`, advice);
}
