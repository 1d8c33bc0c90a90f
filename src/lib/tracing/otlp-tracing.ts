import type { Clock } from '../clock.ts';
import { withDeadline } from '../deadline.ts';
import { errorMessage } from '../errors.ts';
import type { Part } from '../lifecycle.ts';
import type { Logger } from '../logger.ts';
import { WatchedExporter } from './exporter.ts';
import type { OpenTelemetry, Tracer } from './packages.ts';
import { OtlpSpan, UNSAMPLED } from './otlp-span.ts';
import type { RequestSpan, RequestTracer, TracedRequest } from './request-tracer.ts';

/** What waits to be sent, at most: some 2 MiB. More is dropped; requests never wait. */
const QUEUE_SPANS = 2_048;
/** In one request to the collector, at most. */
const BATCH_SPANS = 512;
const SEND_EVERY_MS = 5_000;
/** A collector that takes longer has lost the batch. */
const SEND_TIMEOUT_MS = 5_000;
/** A stop waits for what is left this long, and not for a collector that is away. */
const FLUSH_MS = 2_000;
const NO_SIGNALS: AbortSignal[] = [];

export interface OtlpTracingOptions {
  /** Where a collector takes OTLP over HTTP; without a path that of the protocol, /v1/traces. */
  endpoint: string;
  /** 0 to 1. */
  sampleRatio: number;
  /** Of the node, in every trace. */
  facts: { version: string; profile: string; role: string };
  packages: OpenTelemetry;
  clock: Clock;
  log: Logger;
}

/**
 * Sends a trace of a share of all requests to an OpenTelemetry collector. What the collector does not take is lost, and said in the log once in a
 * while; relaying goes on as if nothing were.
 */
export class OtlpTracing implements Part, RequestTracer {
  readonly name = 'tracing';
  readonly #o: OtlpTracingOptions;
  readonly #provider: InstanceType<OpenTelemetry['sdk']['TracerProvider']>;
  readonly #tracer: Tracer;

  constructor(options: OtlpTracingOptions) {
    const { packages, endpoint, sampleRatio, facts, clock, log } = options;
    const { sdk, otlp, resources } = packages;
    this.#o = options;
    const exporter = new WatchedExporter(new otlp.OTLPTraceExporter({ url: tracesUrl(endpoint), timeoutMillis: SEND_TIMEOUT_MS }), clock, log);
    this.#provider = new sdk.TracerProvider({
      sampler: new sdk.TraceIdRatioBasedSampler(sampleRatio),
      resource: resources.resourceFromAttributes({ 'service.name': 'relayd', 'service.version': facts.version, 'relayd.profile': facts.profile, 'relayd.role': facts.role }),
      spanProcessors: [new sdk.BatchSpanProcessor({ exporter, maxQueueSize: QUEUE_SPANS, maxExportBatchSize: BATCH_SPANS, scheduledDelayMillis: SEND_EVERY_MS, exportTimeoutMillis: SEND_TIMEOUT_MS })],
    });
    this.#tracer = this.#provider.getTracer('relayd', facts.version);
  }

  start(): void {
    this.#o.log.info({ endpoint: tracesUrl(this.#o.endpoint), sampleRatio: this.#o.sampleRatio }, 'requests are traced');
  }

  async stop(): Promise<void> {
    const { clock, log } = this.#o;
    await withDeadline(FLUSH_MS, clock, NO_SIGNALS, () => this.#provider.shutdown()).catch((error: unknown) => log.debug({ error: errorMessage(error) }, 'the last traces are lost'));
  }

  request(request: TracedRequest, limitClass: string): RequestSpan {
    const { api } = this.#o.packages;
    const root = this.#tracer.startSpan(request.toUpperCase(), { kind: api.SpanKind.SERVER, attributes: { 'relayd.class': limitClass } }, api.ROOT_CONTEXT);
    return root.isRecording() ? new OtlpSpan(api, this.#tracer, root) : UNSAMPLED;
  }
}

function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.pathname === '/') url.pathname = '/v1/traces';
  return url.href;
}
