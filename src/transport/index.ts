import type { DataPath, DataPathOptions } from './data-path.ts';
import { nativeDataPath } from './native.ts';
import { quicTransport } from './quic/transport.ts';
import { stockDataPath } from './stock.ts';

/** The parts that carry bytes: our own, or the library's to compare with and to fall back to (`network.dataPath`). */
export function dataPath(kind: 'native' | 'stock', options: DataPathOptions): DataPath {
  const path = kind === 'native' ? nativeDataPath(options) : stockDataPath(options);
  const { quic: module, windowBytes, lookup } = options;
  return module === undefined ? path : { ...path, transports: [...(path.transports ?? []), quicTransport({ module, windowBytes, lookup })] };
}

export type { DataPath, DataPathOptions } from './data-path.ts';
export { holePunchers } from './hole-punchers.ts';
export { CertificateFiles } from './websocket/certificate-files.ts';
export { canSharePorts } from './native/tcp-shared-ports.ts';
export { loadQuic } from './quic/module.ts';
export type { QuicModule } from './quic/module.ts';
