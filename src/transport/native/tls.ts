import { tls } from '@libp2p/tls';

/** For libp2p's `connectionEncrypters`. */
export const nativeTls = tls;
