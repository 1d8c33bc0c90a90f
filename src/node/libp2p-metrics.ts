import type { Metrics } from '@libp2p/interface';
import { prometheusMetrics } from '@libp2p/prometheus-metrics';
import type { PrometheusMetricsComponents } from '@libp2p/prometheus-metrics';
import { register } from 'prom-client';
import type { Metric, Registry } from 'prom-client';

/**
 * libp2p's series, in `registry`. Its library keeps a list for the process, from which a second node, or the second start of one, would be given
 * the series of the first and have none of its own; it is made to forget them. With its list it clears the registry that all of a process
 * share, which may hold what is not ours: that is put back.
 */
export function libp2pMetrics(registry: Registry): (components: PrometheusMetricsComponents) => Metrics {
  return (components) => {
    const others = register.getMetricsAsArray() as unknown as Metric[];
    const metrics = prometheusMetrics({ registry, collectDefaultMetrics: false })(components);
    others.forEach((metric) => register.registerMetric(metric));
    return metrics;
  };
}
