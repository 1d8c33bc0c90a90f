import { EventEmitter } from 'node:events';

/** What a node tells the program that it runs in. */
export interface NodeEvents {
  /** Everything serves. */
  ready: [{ peerId: string; addrs: string[]; admin: string }];
  /** A drain has begun: nothing new is admitted. */
  draining: [];
  /** The drain is over: every circuit has ended or the deadline has passed. */
  drained: [];
  stopped: [];
  /** A reservation at a relay was made, renewed or lost. */
  'reservation:opened': [{ relay: string }];
  'reservation:renewed': [{ relay: string }];
  'reservation:lost': [{ relay: string; reason: string }];
  /** The circuit addresses that this node announces have changed. */
  'addresses:changed': [{ addrs: string[] }];
}

export class NodeEmitter extends EventEmitter<NodeEvents> {}
