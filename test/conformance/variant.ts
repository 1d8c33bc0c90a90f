import { noise } from '@chainsafe/libp2p-noise';
import type { ConnectionEncrypter } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import { webSockets } from '@libp2p/websockets';

/** How the relay carries bytes, and how the peers of the cases reach it. One for the process, set before the first case. */
export const variant: { dataPath: 'native' | 'stock'; security: 'noise' | 'tls'; over: 'tcp' | 'ws' } = { dataPath: 'native', security: 'noise', over: 'tcp' };

type Encrypter = (components: Parameters<ReturnType<typeof noise>>[0] & Parameters<ReturnType<typeof tls>>[0]) => ConnectionEncrypter;

/** An address of loopback to listen on. */
export function listenAddr(port = 0): string {
  return `/ip4/127.0.0.1/tcp/${port}${variant.over === 'ws' ? '/ws' : ''}`;
}

/** What the peers dial and listen with: the library's as well. */
export function peerTransports(): [ReturnType<typeof tcp>, ReturnType<typeof webSockets>] {
  return [tcp(), webSockets()];
}

/** What the peers encrypt with: the library's, so that it is another implementation than the one under test. */
export function peerEncrypter(): Encrypter {
  return variant.security === 'tls' ? tls() : noise();
}
