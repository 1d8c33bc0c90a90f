import type { Connection, Stream } from '@libp2p/interface';
import { isRelayed } from '../../lib/addresses.ts';
import { readFrame, writeFrame } from '../../lib/circuit/frames.ts';
import { encodeHop } from '../../lib/circuit/messages.ts';
import { statusName } from '../../lib/circuit/protocol.ts';
import { closeStream } from '../../lib/close-stream.ts';
import type { RelayCluster } from '../../lib/cluster/relay-cluster.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { errorMessage, toError } from '../../lib/errors.ts';
import { holdCredit } from '../../lib/flow.ts';
import { peerText } from '../../lib/logger.ts';
import type { RelayContext } from '../context.ts';
import { Refused } from '../refusal.ts';
import { Declined } from '../stop.ts';
import { takeForwarded } from './exit.ts';
import type { Entry } from './exit.ts';
import { DECLINED, decodeForward } from './messages.ts';
import type { ForwardRequest } from './messages.ts';
import { outcomeOf } from './metrics.ts';

/** A relay says what it wants in its first packet. */
const FIRST_FRAME_DEADLINE_MS = 5_000;

/** Answers the streams of the cluster's other relays: one circuit each. */
export class ForwardHandler {
  readonly #context: RelayContext;
  readonly #cluster: RelayCluster;

  constructor(context: RelayContext, cluster: RelayCluster) {
    this.#context = context;
    this.#cluster = cluster;
  }

  readonly handle = async (stream: Stream, connection: Connection): Promise<void> => {
    const { forwards, tracer } = this.#context;
    if (isRelayed(connection) || !this.#cluster.isRelay(connection.remotePeer)) {
      forwards.exit('stranger');
      stream.abort(new Error('only relays of the cluster are answered, on direct connections'));
      return;
    }
    let request: ForwardRequest;
    try {
      request = await this.#read(stream);
    } catch (error) {
      forwards.exit('malformed');
      stream.abort(toError(error));
      return;
    }
    await this.#answer({ relay: connection.remotePeer, stream, span: tracer?.request('forward', request.class) }, request);
  };

  async #read(stream: Stream): Promise<ForwardRequest> {
    const { clock, stopped } = this.#context;
    const frame = await withDeadline(FIRST_FRAME_DEADLINE_MS, clock, [stopped], (signal) => readFrame(stream, { signal }));
    holdCredit(stream);
    return decodeForward(frame);
  }

  async #answer(entry: Entry, request: ForwardRequest): Promise<void> {
    try {
      const circuit = await takeForwarded(this.#context, entry, request);
      this.#context.forwards.exit('ok');
      circuit.start();
      entry.span?.ok();
    } catch (error) {
      this.#failed(entry, request, error);
    }
  }

  /** The entry does what is to be done about it: it knows the source. */
  #failed({ relay, stream, span }: Entry, { target }: ForwardRequest, error: unknown): void {
    const { forwards, log } = this.#context;
    const about = { relay: relay.toString(), target: target.toString() };
    if (error instanceof Refused) {
      forwards.exit(outcomeOf(error.limit));
      log.debug({ ...about, limit: error.limit, ...error.details }, 'refused a circuit of another relay');
      span?.refused(statusName(error.status), error.limit);
      this.#refuse(stream, error);
    } else {
      forwards.exit('connection failed');
      log.debug({ ...about, error: peerText(errorMessage(error)) }, 'a circuit of another relay failed');
      span?.failed();
      stream.abort(toError(error));
    }
  }

  #refuse(stream: Stream, refused: Refused): void {
    try {
      writeFrame(stream, encodeHop({ type: 'STATUS', status: refused.status, refusal: { ...refused.toMessage([]), ...(refused instanceof Declined ? { limit: DECLINED } : {}) } }));
      closeStream(stream, this.#context.clock, { discard: true });
    } catch (error) {
      stream.abort(toError(error));
    }
  }
}
