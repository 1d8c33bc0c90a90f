import { startGoClient, startGoRelay } from './targets/go.ts';
import { startOurClient, startOurRelay } from './targets/ours.ts';
import { startStockClient, startStockRelay } from './targets/stock.ts';
import { DEFAULTS } from './targets/target.ts';
import type { ClientOptions, ClientTarget, RelayOptions, RelayTarget, TargetKind } from './targets/target.ts';

export type { ClientOptions, ClientTarget, RelayOptions, RelayTarget, TargetKind } from './targets/target.ts';

/** A relay of this kind, started. @throws NotOffered when it has no such option */
export function startTarget(kind: TargetKind, options: RelayOptions = {}): Promise<RelayTarget> {
  const start = { ours: startOurRelay, stock: startStockRelay, go: startGoRelay }[kind];
  return start({ ...DEFAULTS, ...options });
}

/** The same implementation's client. @throws NotOffered */
export function startClient(kind: TargetKind, options: ClientOptions): Promise<ClientTarget> {
  const start = { ours: startOurClient, stock: startStockClient, go: startGoClient }[kind];
  return start(options);
}
