export { RelayNode } from './node.ts';
export type { RelayNodeOptions } from './node.ts';
export type { NodeEvents } from './events.ts';
export { createIdentity, loadIdentity } from './identity.ts';
export type { Identity } from './identity.ts';
