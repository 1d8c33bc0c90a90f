/** What a node should be like in its place, item by item: docs/reference/doctor.md. */
export { checkAll } from './checklist.ts';
export type { Group } from './checklist.ts';
export type { BackupRecord, CertificateFacts, DaemonFacts, DataDirFacts, Facts, FileFacts, KeyFacts, NetworkFacts, PrometheusFacts, RunningFacts, StatusFacts, TokenFacts } from './facts.ts';
export { failed, ok } from './item.ts';
export type { Item } from './item.ts';
export { parseSeries } from './series.ts';
export { otherRelays } from './several-relays.ts';
