import type { Connection, Stream, StreamHandler, StreamHandlerOptions } from '@libp2p/interface';
import type { Registry } from 'prom-client';
import { isRelayed } from '../lib/addresses.ts';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import type { Clock } from '../lib/clock.ts';
import { closeStream } from '../lib/close-stream.ts';
import { withDeadline } from '../lib/deadline.ts';
import { RelaydError, errorMessage, toError } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import { peerText } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import type { PrefixRules } from '../lib/prefixes.ts';
import { malformed } from '../lib/protobuf.ts';
import { AutonatAdmission } from './autonat-admission.ts';
import { dialBack } from './autonat-dial-back.ts';
import type { DialBackHost } from './autonat-dial-back.ts';
import { AutonatServerMetrics } from './autonat-metrics.ts';
import type { RequestOutcome } from './autonat-metrics.ts';
import { DIAL_REQUEST_PROTOCOL, DialStatus, MAX_MESSAGE_BYTES, ResponseStatus, decodeMessage, encodeMessage } from './autonat-protocol.ts';
import type { DialRequest, DialResponse } from './autonat-protocol.ts';
import { chooseTarget } from './autonat-target.ts';

/** What both sides of AutoNAT need of the libp2p node that they run on. */
export interface AutonatRegistrar {
  handle(protocol: string, handler: StreamHandler, options: StreamHandlerOptions): Promise<void>;
  unhandle(protocol: string): Promise<void>;
}

export interface AutonatServerOptions {
  host: AutonatRegistrar;
  dialBackHost: DialBackHost;
  prefixes: PrefixRules;
  allowPrivate: boolean;
  clock: Clock;
  log: Logger;
  registry: Registry;
}

/** A request is one message that the client has ready when it opens the stream. */
const READ_MS = 5_000;

/** Of one connection: one request of a peer is served at a time; the others are there to be told so, or are not quite closed yet. */
const MAX_STREAMS = 8;

type Served = readonly [outcome: RequestOutcome, response: DialResponse];

/**
 * Tells clients whether they can be reached: dials them back, at the IP address that they come from and nowhere else, with an
 * identity and from a port that no firewall has seen before (specification: "AutonatV2").
 */
export class AutonatServer implements Part {
  readonly name = 'autonat server';
  readonly #o: AutonatServerOptions;
  readonly #metrics: AutonatServerMetrics;
  #admission: AutonatAdmission;
  #stopped = new AbortController();

  constructor(options: AutonatServerOptions) {
    this.#o = options;
    this.#metrics = new AutonatServerMetrics(options.registry, () => this.#admission.running);
    this.#admission = new AutonatAdmission(options.prefixes, options.clock);
  }

  async start(): Promise<void> {
    this.#stopped = new AbortController();
    this.#admission = new AutonatAdmission(this.#o.prefixes, this.#o.clock);
    await this.#o.dialBackHost.start();
    await this.#o.host.handle(DIAL_REQUEST_PROTOCOL, this.#handle, { maxInboundStreams: MAX_STREAMS, runOnLimitedConnection: true });
  }

  async stop(): Promise<void> {
    await this.#o.host.unhandle(DIAL_REQUEST_PROTOCOL);
    this.#stopped.abort(new RelaydError('CLOSED', 'the node is stopping'));
    await this.#o.dialBackHost.stop();
  }

  readonly #handle = async (stream: Stream, connection: Connection): Promise<void> => {
    try {
      const [outcome, response] = await this.#serve(stream, connection);
      this.#metrics.request(outcome);
      writeFrame(stream, encodeMessage(response));
      closeStream(stream, this.#o.clock, { discard: true });
    } catch (error) {
      this.#metrics.request('malformed');
      this.#o.log.debug({ peer: connection.remotePeer.toString(), error: peerText(errorMessage(error)) }, 'a request to be dialled back could not be read');
      stream.abort(toError(error));
    }
  };

  /** @throws RelaydError MALFORMED_MESSAGE, UNEXPECTED_END, TIMEOUT when there is no request */
  async #serve(stream: Stream, connection: Connection): Promise<Served> {
    const request = await this.#read(stream);
    const release = isRelayed(connection) ? undefined : this.#admission.admit(connection);
    if (release === undefined) {
      return ['rejected', answer(ResponseStatus.REQUEST_REJECTED)];
    }
    try {
      return await this.#dial(request, connection);
    } finally {
      release();
    }
  }

  async #read(stream: Stream): Promise<DialRequest> {
    const frame = await withDeadline(READ_MS, this.#o.clock, [this.#stopped.signal], (signal) => readFrame(stream, { signal, maxBytes: MAX_MESSAGE_BYTES }));
    const message = decodeMessage(frame);
    if (message.type !== 'dialRequest') {
      throw malformed(`a ${message.type} in place of a request`);
    }
    return message;
  }

  async #dial({ addrs, nonce }: DialRequest, { remotePeer, remoteAddr }: Connection): Promise<Served> {
    const { dialBackHost, allowPrivate, clock, log } = this.#o;
    const target = await chooseTarget(addrs, { peer: remotePeer, addr: remoteAddr }, { allowPrivate, isDialable: (addr) => dialBackHost.isDialable(addr) });
    if (target === undefined) {
      return ['dial refused', answer(ResponseStatus.DIAL_REFUSED)];
    }
    try {
      const dialStatus = await dialBack(dialBackHost, target.addr, nonce, clock, this.#stopped.signal);
      return [OUTCOMES[dialStatus], { ...answer(ResponseStatus.OK), addrIndex: target.index, dialStatus }];
    } catch (error) {
      log.debug({ error: errorMessage(error) }, 'a client could not be dialled back, for reasons of this machine');
      return ['internal error', answer(ResponseStatus.INTERNAL_ERROR)];
    }
  }
}

const OUTCOMES = { [DialStatus.OK]: 'ok', [DialStatus.DIAL_ERROR]: 'dial error', [DialStatus.DIAL_BACK_ERROR]: 'dial back error' } as const;

function answer(status: number): DialResponse {
  return { type: 'dialResponse', status, addrIndex: 0, dialStatus: DialStatus.UNUSED };
}
