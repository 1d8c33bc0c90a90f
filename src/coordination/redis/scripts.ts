import { MINE, MOVE, TAKE } from './scripts-counts.ts';
import { HOLDERS, PUBLISH, SETTLE } from './scripts-peers.ts';
import { BEAT, LEAVE } from './scripts-relays.ts';
import { DROP, LIST, REPORT, TELL } from './scripts-totals.ts';

/**
 * What is atomic in the store. KEYS[1] is what all keys begin with, ARGV[1] the relay, ARGV[2] its epoch and its connection's number in that; what a script
 * takes beside stands with it. docs/reference/cluster-redis.md says what each key holds. Nothing here looks through keys: what one call costs grows with what
 * it is given and with the number of relays, never with what is stored.
 */
export const SCRIPTS = { beat: BEAT, leave: LEAVE, take: TAKE, move: MOVE, mine: MINE, publish: PUBLISH, settle: SETTLE, holders: HOLDERS, report: REPORT, tell: TELL, drop: DROP, list: LIST } as const;
