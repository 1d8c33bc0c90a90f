/** What a client tells of its reservations. */
export interface SupervisorEvents {
  'reservation:opened': [{ relay: string; expiresAt: Date }];
  'reservation:renewed': [{ relay: string; expiresAt: Date }];
  'reservation:lost': [{ relay: string; reason: string }];
  /** Full circuit addresses of this node, as announced from now on. */
  'addresses:changed': [{ addrs: string[] }];
  /** Whether there are fewer candidates than it would like: discovery searches harder then. */
  'relays:wanted': [{ wanted: boolean }];
  /** A relay has served that had not, or not for long: what is to be kept on disk has changed. */
  'relays:known': [];
}
