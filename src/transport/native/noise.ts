import { noise } from '@chainsafe/libp2p-noise';
import type { KeyPair, NoiseComponents } from '@chainsafe/libp2p-noise';
import { serviceCapabilities } from '@libp2p/interface';
import type { ConnectionEncrypter, MessageStream, PrivateKey, SecureConnectionOptions, SecuredConnection } from '@libp2p/interface';
import { toError } from '../../lib/errors.ts';
import { StreamGround } from './ground.ts';
import { SecureLink } from './link.ts';
import { AEAD_KIND } from './noise-aead.ts';
import { handshakeCrypto, newStaticKey } from './noise-crypto.ts';
import type { TransportKeys } from './noise-crypto.ts';
import { HandshakeStream } from './noise-handshake-stream.ts';
import { NoiseOpener, NoiseSealer } from './noise-records.ts';
import { TcpConnection } from './tcp-connection.ts';

/**
 * Noise XX as libp2p specifies it: the handshake is the library's, extensions with early muxer negotiation included; records are
 * ours (noise-records.ts), and go to and from the socket itself where there is one.
 */
class NativeNoise implements ConnectionEncrypter {
  readonly protocol = '/noise';
  readonly [Symbol.toStringTag] = 'relayd/noise';
  readonly [serviceCapabilities]: string[] = ['@libp2p/connection-encryption'];
  readonly #components: NoiseComponents;
  readonly #staticKey: KeyPair = newStaticKey();

  constructor(components: NoiseComponents) {
    const { peerId, logger, privateKey } = components;
    this.#components = {
      peerId,
      logger,
      privateKey: signingOnce(privateKey),
      // The host makes it after its encrypters.
      get upgrader() {
        return components.upgrader;
      },
    };
    const log = logger.forComponent('relayd:noise');
    if (AEAD_KIND !== 'libsodium and OpenSSL') {
      log.error('noise records are encrypted by %s alone, which costs more: sodium-native has no native code for this platform, or is not installed', AEAD_KIND);
    }
  }

  async secureInbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    return await this.#secure(connection, 'responder', options);
  }

  async secureOutbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    return await this.#secure(connection, 'initiator', options);
  }

  async #secure(connection: MessageStream, role: 'initiator' | 'responder', options: SecureConnectionOptions | undefined): Promise<SecuredConnection> {
    let keys: TransportKeys | undefined;
    const stream = new HandshakeStream(connection);
    const crypto = handshakeCrypto(this.#staticKey, (derived) => {
      keys = derived;
      stream.keepRest();
    });
    const library = noise({ crypto, staticNoiseKey: this.#staticKey.privateKey })(this.#components);
    let secured: SecuredConnection;
    let early: Uint8Array;
    try {
      secured = await (role === 'initiator' ? library.secureOutbound(stream, options) : library.secureInbound(stream, options));
    } catch (error) {
      connection.abort(toError(error));
      throw error;
    } finally {
      early = stream.end();
    }
    if (keys === undefined) {
      throw new Error('the noise handshake ended without keys');
    }
    const link = noiseLink(connection, keys, role, early);
    return { ...secured, connection: link };
  }
}

/** For libp2p's `connectionEncrypters`. */
export function nativeNoise(): (components: NoiseComponents) => ConnectionEncrypter {
  return (components) => new NativeNoise(components);
}

function noiseLink(connection: MessageStream, keys: TransportKeys, role: 'initiator' | 'responder', early: Uint8Array): SecureLink {
  const other = role === 'initiator' ? 'responder' : 'initiator';
  const records = { sealer: new NoiseSealer(keys[role]), opener: new NoiseOpener(keys[other]) };
  if (!(connection instanceof TcpConnection)) {
    return new SecureLink({ connection, ground: new StreamGround(connection), ...records, early });
  }
  const { ground, early: unread } = connection.takeGround();
  return new SecureLink({ connection, ground, ...records, early: Buffer.concat([early, unread]) });
}

/** The static key does not change, so neither does the identity's signature of it, which is the dearest part of a handshake. */
function signingOnce(privateKey: PrivateKey): PrivateKey {
  let last: { data: Buffer; signature: ReturnType<PrivateKey['sign']> } | undefined;
  const sign: PrivateKey['sign'] = (data) => {
    const bytes = Buffer.from(data.subarray());
    if (last === undefined || !last.data.equals(bytes)) {
      last = { data: bytes, signature: privateKey.sign(bytes) };
    }
    return last.signature;
  };
  return Object.assign(Object.create(privateKey) as PrivateKey, { sign });
}
