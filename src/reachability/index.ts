/** Whether a node needs relays at all, and how two that do get rid of them: docs/reference/reachability.md. */
export { AutonatClient } from './autonat-client.ts';
export type { DialBackHost } from './autonat-dial-back.ts';
export { OutsideCheck } from './outside-check.ts';
export { AutonatServer } from './autonat-server.ts';
export { HolePunching } from './dcutr.ts';
