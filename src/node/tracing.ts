import type { RelaydConfig } from '../config/domain.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { OtlpTracing } from '../lib/tracing/otlp-tracing.ts';
import { loadOpenTelemetry } from '../lib/tracing/packages.ts';
import { VERSION } from './version.ts';

/**
 * Traces of what a relay is asked, where the configuration says where to.
 *
 * @throws RelaydError NOT_BUILT when the optional packages cannot be loaded
 */
export async function tracingFor({ tracing, profile, role }: RelaydConfig, clock: Clock, log: Logger): Promise<OtlpTracing | undefined> {
  const { endpoint, sampleRatio } = tracing;
  if (endpoint === undefined || role === 'client') {
    return undefined;
  }
  return new OtlpTracing({ endpoint, sampleRatio, facts: { version: VERSION, profile, role }, packages: await loadOpenTelemetry(), clock, log });
}
