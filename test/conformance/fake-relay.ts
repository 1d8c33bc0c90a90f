import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, PeerId } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import type { RawPeer } from './peer.ts';
import type { Scene } from './scene.ts';
import { eventually, nowUnix } from './waiting.ts';
import { HOP_RESERVE, HOP_STATUS, OK, decodeHop, encodeHop, encodeVoucher, frame, sealEnvelope } from './wire.ts';
import type { HopMessage } from './wire.ts';

/** What the fake relay answers a RESERVE of `client` with. */
export type ReserveReply = (relay: RawPeer, client: PeerId) => Promise<HopMessage> | HopMessage;

/** A relay that is a script: what clients are tested against. */
export class FakeRelay {
  readonly peer: RawPeer;
  readonly #asked: { count: number };

  private constructor(peer: RawPeer, asked: { count: number }) {
    this.peer = peer;
    this.#asked = asked;
  }

  static async start(scene: Scene, reply: ReserveReply): Promise<FakeRelay> {
    const asked = { count: 0 };
    const relay: RawPeer = await scene.peer({
      hop: async (stream, connection) => {
        const request = decodeHop(await stream.readFrame());
        if (request.type !== HOP_RESERVE) throw new Error('only RESERVE was expected');
        stream.send(frame(encodeHop(await reply(relay, connection.remotePeer))));
        asked.count++;
        await stream.closeWrite();
      },
    });
    return new FakeRelay(relay, asked);
  }

  get addr(): string {
    return this.peer.addr;
  }

  /** How often it was asked for a reservation. */
  get requests(): number {
    return this.#asked.count;
  }

  /** The connection of a client that has come. */
  async client(client: PeerId, ms = 8_000): Promise<Connection> {
    const here = (): Connection[] => this.peer.node.getConnections(client);
    await eventually(() => here().length > 0, ms, 'the client to connect to its relay');
    const [first] = here();
    if (first === undefined) throw new Error('the client left at once');
    return first;
  }
}

const HOUR = 3_600;

/** A reservation as the specification has it, without a voucher. */
function grant(relay: RawPeer, voucher?: Uint8Array, expire = nextHour()): HopMessage {
  return { type: HOP_STATUS, status: OK, reservation: { expire, addrs: [multiaddr(relay.addr).bytes], voucher } };
}

export const grantWithVoucher: ReserveReply = async (relay, client) => {
  const expiration = nextHour();
  return grant(relay, await sealEnvelope(relay.key, encodeVoucher({ relay: relay.peerId, peer: client, expiration })), expiration);
};

export const grantWithoutVoucher: ReserveReply = (relay) => grant(relay);

export function refuseWith(status: number): ReserveReply {
  return () => ({ type: HOP_STATUS, status });
}

/** Replies with a voucher that is wrong in one thing, each under the name of that thing. */
export async function badVouchers(): Promise<Record<string, ReserveReply>> {
  const stranger = await generateKeyPair('Ed25519');
  const strangerId = peerIdFromPrivateKey(stranger);
  const expiration = nextHour();
  const plain = (relay: RawPeer, client: PeerId): Uint8Array => encodeVoucher({ relay: relay.peerId, peer: client, expiration });
  const seal = (make: (relay: RawPeer, client: PeerId) => Promise<Uint8Array>): ReserveReply => {
    return async (relay, client) => grant(relay, await make(relay, client), expiration);
  };
  return {
    'signed by another key': seal((relay, client) => sealEnvelope(stranger, plain(relay, client))),
    'signed for another domain': seal((relay, client) => sealEnvelope(relay.key, plain(relay, client), { domain: 'libp2p-peer-record' })),
    'of another payload type': seal((relay, client) => sealEnvelope(relay.key, plain(relay, client), { payloadType: Uint8Array.of(0x03, 0x01) })),
    'for another peer': seal((relay) => sealEnvelope(relay.key, plain(relay, strangerId))),
    'of another relay': seal((relay, client) => sealEnvelope(relay.key, encodeVoucher({ relay: strangerId, peer: client, expiration }))),
    'with another expiry': seal((relay, client) => sealEnvelope(relay.key, encodeVoucher({ relay: relay.peerId, peer: client, expiration: expiration - 60 }))),
    'that is no envelope': seal(async () => Uint8Array.of(1, 2, 3)),
  };
}

function nextHour(): number {
  return Math.floor(nowUnix()) + HOUR;
}
