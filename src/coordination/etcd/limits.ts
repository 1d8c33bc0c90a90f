/** The longest answer that is read: all records of some hundred relays and the revocation lists, in base64. */
export const MAX_MESSAGE_BYTES = 16 << 20;

/** Operations in one transaction; etcd's own default limit (--max-txn-ops). */
export const MAX_TXN_OPERATIONS = 128;

/** A question is over after this, whatever has been tried: the next beat is due then. */
export const QUESTION_MS = 1_000;

/** One of several endpoints that has not answered by then is passed over: two can be tried within a question's time. */
export const TRY_MS = 400;
