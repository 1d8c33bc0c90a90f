import type { Connection, Stream } from '@libp2p/interface';
import type { RequestSpan } from '../lib/tracing/request-tracer.ts';
import type { Standing } from './membership.ts';

/** Who asks, and the stream of the request: where it becomes a circuit, that stream is one of its ends. */
export interface Source {
  readonly stream: Stream;
  readonly connection: Connection;
  readonly standing: Standing;
  readonly span: RequestSpan | undefined;
}
