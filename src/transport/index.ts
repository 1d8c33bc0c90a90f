import type { DataPath, DataPathOptions } from './data-path.ts';
import { nativeDataPath } from './native.ts';
import { stockDataPath } from './stock.ts';

/** The parts that carry bytes: our own, or the library's to compare with and to fall back to (`network.dataPath`). */
export function dataPath(kind: 'native' | 'stock', options: DataPathOptions): DataPath {
  return kind === 'native' ? nativeDataPath(options) : stockDataPath(options);
}

export type { DataPath } from './data-path.ts';
