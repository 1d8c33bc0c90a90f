/** What is traced of a request. No peer id and no address: a trace leaves the machine. */
export type TracedRequest = 'reserve' | 'connect' | 'forward';

/** A part of the work on a request. */
export type Stage = 'admission' | 'voucher' | 'STOP' | 'forward';

/** One request, from its arrival to its answer. Every method is cheap and never throws; exactly one of the last three is called. */
export interface RequestSpan {
  /** Ends the stage before it. A span begins in `admission`. */
  stage(stage: Stage): void;
  ok(): void;
  /**
   * @param status the wire status, by its name
   * @param limit a name of docs/reference/refusals.md
   */
  refused(status: string, limit: string): void;
  failed(): void;
}

export interface RequestTracer {
  /** @param limitClass public or member */
  request(request: TracedRequest, limitClass: string): RequestSpan;
}
