import { noise } from '@chainsafe/libp2p-noise';
import type { ConnectionEncrypter } from '@libp2p/interface';
import { tls } from '@libp2p/tls';

/** How the relay carries bytes, and how the peers of the cases reach it. One for the process, set before the first case. */
export const variant: { dataPath: 'native' | 'stock'; security: 'noise' | 'tls' } = { dataPath: 'native', security: 'noise' };

type Encrypter = (components: Parameters<ReturnType<typeof noise>>[0] & Parameters<ReturnType<typeof tls>>[0]) => ConnectionEncrypter;

/** What the peers encrypt with: the library's, so that it is another implementation than the one under test. */
export function peerEncrypter(): Encrypter {
  return variant.security === 'tls' ? tls() : noise();
}
