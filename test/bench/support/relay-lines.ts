import type { Series } from './plot.ts';
import type { RelayName } from './relays.ts';

/** One color a library in every plot; its variants are dashed. */
export const LINES: Record<RelayName, Pick<Series, 'color' | 'dashed'>> = {
  ours: { color: '#d6336c' },
  'ours-ws': { color: '#8a1c43' },
  'ours-wss': { color: '#8a1c43', dashed: true },
  'stock-path': { color: '#d6336c', dashed: true },
  go: { color: '#1c8fb8' },
  go64: { color: '#1c8fb8', dashed: true },
  rust: { color: '#c77700' },
  'stock-js': { color: '#7a6ff0' },
};
