import type { ApiSpan, Context, OpenTelemetry, Tracer } from './packages.ts';
import type { RequestSpan, Stage } from './request-tracer.ts';

/** A request that is not in the sample. */
export const UNSAMPLED: RequestSpan = { stage: () => {}, ok: () => {}, refused: () => {}, failed: () => {} };

/** The span of a request, with one below it for each stage. */
export class OtlpSpan implements RequestSpan {
  readonly #api: OpenTelemetry['api'];
  readonly #tracer: Tracer;
  readonly #root: ApiSpan;
  readonly #context: Context;
  #stage: ApiSpan;

  constructor(api: OpenTelemetry['api'], tracer: Tracer, root: ApiSpan) {
    this.#api = api;
    this.#tracer = tracer;
    this.#root = root;
    this.#context = api.trace.setSpan(api.ROOT_CONTEXT, root);
    this.#stage = this.#begin('admission');
  }

  stage(stage: Stage): void {
    this.#stage.end();
    this.#stage = this.#begin(stage);
  }

  ok(): void {
    this.#end('OK');
  }

  refused(status: string, limit: string): void {
    this.#root.setAttribute('relayd.limit', limit);
    this.#end(status);
  }

  failed(): void {
    this.#root.setStatus({ code: this.#api.SpanStatusCode.ERROR });
    this.#end('none');
  }

  /** STOP is a request of ours to the target, and `forward` one to another relay. */
  #begin(stage: Stage): ApiSpan {
    const { SpanKind } = this.#api;
    return this.#tracer.startSpan(stage, { kind: stage === 'STOP' || stage === 'forward' ? SpanKind.CLIENT : SpanKind.INTERNAL }, this.#context);
  }

  #end(status: string): void {
    this.#stage.end();
    this.#root.setAttribute('relayd.status', status);
    this.#root.end();
  }
}
