import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as it came over the wire, with its attributes as one object. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 2: an error. */
  readonly statusCode: number;
}

interface WireAttribute {
  key: string;
  value: Record<string, unknown>;
}

type WireSpan = Omit<CollectedSpan, 'attributes' | 'statusCode'> & { attributes?: WireAttribute[]; status?: { code?: number } };

interface WireTraces {
  resourceSpans: { resource: { attributes: WireAttribute[] }; scopeSpans: { spans: WireSpan[] }[] }[];
}

/** An OpenTelemetry collector: takes OTLP over HTTP, as JSON, and keeps all that comes. */
export class TraceCollector {
  readonly spans: CollectedSpan[] = [];
  /** All that came, as it came. */
  readonly bodies: string[] = [];
  readonly paths = new Set<string>();
  /** Of the last batch. */
  resource: Readonly<Record<string, unknown>> = {};
  /** What it answers. */
  status = 200;
  requests = 0;
  readonly #server: Server;

  static async start(): Promise<TraceCollector> {
    const collector = new TraceCollector();
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    return collector;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#take(request).finally(() => response.writeHead(this.status, { 'content-type': 'application/json' }).end('{}'));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The request of a name, and the stages below it in their order. */
  stagesOf(root: CollectedSpan): string[] {
    const below = this.spans.filter(({ traceId, parentSpanId }) => traceId === root.traceId && parentSpanId === root.spanId);
    return below.toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano))).map(({ name }) => name);
  }

  named(name: string): CollectedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request: IncomingMessage): Promise<void> {
    this.requests += 1;
    this.paths.add(request.url ?? '');
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
    if (this.status !== 200) return;
    this.bodies.push(body);
    for (const { resource, scopeSpans } of (JSON.parse(body) as WireTraces).resourceSpans) {
      this.resource = plain(resource.attributes);
      scopeSpans.flatMap(({ spans }) => spans).forEach((span) => this.spans.push({ ...span, attributes: plain(span.attributes ?? []), statusCode: span.status?.code ?? 0 }));
    }
  }
}

function plain(attributes: readonly WireAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
