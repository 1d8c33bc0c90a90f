import type { PeerId } from '@libp2p/interface';

/** This node's own membership token as it may be shown to `peer`; `undefined` where there is none, or none for that peer. */
export type TokenFor = (peer: PeerId) => Uint8Array | undefined;
