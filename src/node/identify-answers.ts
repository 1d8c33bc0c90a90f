import { publicKeyToProtobuf } from '@libp2p/crypto/keys';
import { serviceCapabilities } from '@libp2p/interface';
import type { Connection, NodeInfo, PeerId, PrivateKey, Startable, Stream } from '@libp2p/interface';
import type { AddressManager, Registrar } from '@libp2p/interface-internal';
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record';
import { CODE_P2P } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { writeFrame } from '../lib/circuit/frames.ts';
import { isCircuit } from '../lib/addresses.ts';
import type { Clock } from '../lib/clock.ts';
import { closeStream } from '../lib/close-stream.ts';
import { toError } from '../lib/errors.ts';
import { MessageWriter, concat } from '../lib/protobuf.ts';

/** Specification: "identify". */
export const IDENTIFY_PROTOCOL = '/ipfs/id/1.0.0';
const PROTOCOL_VERSION = 'ipfs/0.1.0';

/** How old the addresses and protocols that a peer is told may be. */
const FRESH_MS = 1_000;

interface Components {
  peerId: PeerId;
  privateKey: PrivateKey;
  nodeInfo: NodeInfo;
  addressManager: AddressManager;
  registrar: Registrar;
}

/** For `services` of createLibp2p. */
export function identifyAnswers(clock: Clock): (components: Components) => IdentifyAnswers {
  return (components) => new IdentifyAnswers(components, clock);
}

/**
 * Says who this node is, and asks nobody. For a relay that is nothing but a relay: what libp2p's identify asks, verifies and
 * stores of every peer that connects is a third of what a reservation costs, and such a node never reads it.
 */
class IdentifyAnswers implements Startable {
  readonly [serviceCapabilities] = ['@libp2p/identify'];
  readonly #components: Components;
  readonly #clock: Clock;
  /** What every peer is told, without the one field that differs. */
  #told: { what: string; message: Promise<Uint8Array> } | undefined;
  #freshUntil = -Infinity;

  constructor(components: Components, clock: Clock) {
    this.#components = components;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    await this.#components.registrar.handle(IDENTIFY_PROTOCOL, this.#answer, { maxInboundStreams: 1, maxOutboundStreams: 1, runOnLimitedConnection: true });
  }

  async stop(): Promise<void> {
    await this.#components.registrar.unhandle(IDENTIFY_PROTOCOL);
    this.#told = undefined;
    this.#freshUntil = -Infinity;
  }

  readonly #answer = async (stream: Stream, connection: Connection): Promise<void> => {
    try {
      const observed = new MessageWriter().bytes(4, observedAddr(connection)).finish();
      writeFrame(stream, concat([await this.#message(), observed]));
      closeStream(stream, this.#clock, { discard: true });
    } catch (error) {
      stream.abort(toError(error));
    }
  };

  /** Made, and signed, again only when there is something else to tell. */
  #message(): Promise<Uint8Array> {
    const now = this.#clock.now();
    if (this.#told === undefined || now >= this.#freshUntil) {
      this.#freshUntil = now + FRESH_MS;
      const addrs = this.#components.addressManager.getAddresses().map((addr) => addr.decapsulateCode(CODE_P2P));
      const protocols = this.#components.registrar.getProtocols();
      const what = [...addrs, ...protocols].join();
      if (this.#told?.what !== what) {
        this.#told = { what, message: this.#makeMessage(addrs, protocols) };
      }
    }
    return this.#told.message;
  }

  async #makeMessage(addrs: Multiaddr[], protocols: string[]): Promise<Uint8Array> {
    const { peerId, privateKey, nodeInfo } = this.#components;
    const message = new MessageWriter().text(5, PROTOCOL_VERSION).text(6, nodeInfo.userAgent).bytes(1, publicKeyToProtobuf(privateKey.publicKey));
    addrs.forEach((addr) => message.bytes(2, addr.bytes));
    protocols.forEach((protocol) => message.text(3, protocol));
    if (addrs.length > 0) {
      const record = new PeerRecord({ peerId, multiaddrs: addrs });
      message.bytes(8, (await RecordEnvelope.seal(record, privateKey)).marshal());
    }
    return message.finish();
  }
}

/** Where we see the peer: of use to it only when that is an address of its own and not a relay's. */
function observedAddr({ remoteAddr }: Connection): Uint8Array | undefined {
  return isCircuit(remoteAddr) ? undefined : remoteAddr.decapsulateCode(CODE_P2P).bytes;
}
