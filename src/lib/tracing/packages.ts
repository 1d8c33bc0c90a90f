import type { Context, Span as ApiSpan, Tracer } from '@opentelemetry/api';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { RelaydError } from '../errors.ts';

/** What is used of the optional packages. */
export interface OpenTelemetry {
  readonly api: typeof import('@opentelemetry/api');
  readonly sdk: typeof import('@opentelemetry/sdk-trace');
  readonly resources: typeof import('@opentelemetry/resources');
  readonly otlp: typeof import('@opentelemetry/exporter-trace-otlp-http');
}

export type { ApiSpan, Context, SpanExporter, Tracer };

/** Loads them: some 40 ms and 10 MiB, which nobody pays who does not trace. @throws RelaydError NOT_BUILT when they are not installed */
export async function loadOpenTelemetry(): Promise<OpenTelemetry> {
  try {
    const [api, sdk, resources, otlp] = await Promise.all([import('@opentelemetry/api'), import('@opentelemetry/sdk-trace'), import('@opentelemetry/resources'), import('@opentelemetry/exporter-trace-otlp-http')]);
    return { api, sdk, resources, otlp };
  } catch (cause) {
    throw new RelaydError('NOT_BUILT', 'tracing.endpoint needs the optional packages @opentelemetry/{api,sdk-trace,resources,exporter-trace-otlp-http}, which cannot be loaded here: install relayd with its optional packages, or leave out tracing.endpoint', { cause });
  }
}
