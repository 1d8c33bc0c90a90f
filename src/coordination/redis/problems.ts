import type { HostPort } from '../../config/domain.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { peerText } from '../../lib/logger.ts';

/** What is wrong with the store, in words for the person who runs it: what, where, and what would be right. */

const DOCS = 'docs/reference/cluster-redis.md';

/** The first word of an error that Redis answers with, to what it means. Those that another server would not answer with are in {@link ELSEWHERE}. */
const REPLIES: Readonly<Record<string, (text: string) => string>> = {
  WRONGPASS: () => 'refuses user and password: coordination.redis.username and passwordFile must be those of an ACL user that is on',
  NOAUTH: () => 'asks for a password: coordination.redis.passwordFile (and username, for an ACL user) must be set',
  NOPERM: notAllowed,
  OOM: () => 'has used up its memory (maxmemory): raise it; what relayd keeps must not be evicted, so maxmemory-policy stays noeviction',
  MISCONF: (text) => `cannot save to disk and so takes no writes (${text}): free its disk, or see stop-writes-on-bgsave-error`,
  NOREPLICAS: () => 'has fewer replicas in touch than min-replicas-to-write wants',
  READONLY: () => 'is a replica: the primary is looked for',
  LOADING: () => 'is loading its data after a start',
  MASTERDOWN: () => 'is a replica that has lost its primary',
  CLUSTERDOWN: () => 'is of a cluster that has no primary for all slots: redis-cli --cluster check says more',
  MOVED: () => 'does not hold the slot of this cluster\'s keys any more: its owner is looked for',
  ASK: isMoving,
  TRYAGAIN: isMoving,
  BUSY: () => 'is busy with somebody\'s script',
};

function isMoving(): string {
  return 'is moving the slot of this cluster\'s keys to another node, and goes on when that is done; redis-cli --cluster check says whether anybody is at it';
}

function notAllowed(text: string): string {
  return `does not let the user do all that relayd needs (${text}): ${DOCS} lists the commands, keys and channels`;
}

/** Redis 7.0 has no word of its own for what a script may not do. */
const SCRIPT_NOT_ALLOWED = /user executing the script can't/;

/** Redis 6 puts what a command of a script has answered behind words of its own. */
const IN_SCRIPT = /^ERR Error running script .*: -([A-Z]{2,}) /;

/** After these, another connection may fare better. */
const ELSEWHERE = new Set(['WRONGPASS', 'NOAUTH', 'READONLY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'MOVED']);

/** To the code of an error of Node's, or a piece of its text. */
const TROUBLES: readonly (readonly [RegExp, string])[] = [
  [/no answer to TLS|wrong version number|packet length too long|EPROTO/i, 'does not answer as a server with TLS does: for a port without TLS, coordination.redis.url begins with redis://'],
  [/ERR_TLS_CERT_ALTNAME_INVALID/, 'shows a certificate for another name: the host in coordination.redis must be one that the certificate names'],
  [/CERT_HAS_EXPIRED/, 'shows a certificate that has expired'],
  [/SELF_SIGNED|UNABLE_TO|DEPTH_ZERO/, 'shows a certificate that is not trusted: coordination.redis.tls.caFile must name its authority\'s certificate'],
  [/CERTIFICATE_REQUIRED|certificate required/i, 'asks for a client\'s certificate: coordination.redis.tls.certFile and keyFile must be set'],
  [/alert (?:unknown ca|bad certificate|decrypt error|unsupported certificate|certificate (?:unknown|expired|revoked))/i, 'does not take this relay\'s certificate: coordination.redis.tls.certFile must be one for clients, not expired, of an authority that Redis trusts (tls-ca-cert-file)'],
  [/unknown command .?HELLO/i, 'is older than Redis 6: Redis 6.0 or later is needed'],
  [/DB index is out of range|SELECT is not allowed/i, 'does not have the database that the end of coordination.redis.url names'],
  [/attempted to access a non local key/, isMoving()],
  [/closed at once/, 'closes the connection at once (where it expects TLS, coordination.redis.url begins with rediss://)'],
];

interface StoreProblem {
  readonly text: string;
  /** The connection is of no use any more. */
  readonly elsewhere: boolean;
}

export function storeProblem(error: unknown, where: string): StoreProblem {
  const text = peerText(errorMessage(error));
  const word = IN_SCRIPT.exec(text)?.[1] ?? /^[A-Z]{2,}(?= |$)/.exec(text)?.[0] ?? '';
  const meaning = SCRIPT_NOT_ALLOWED.test(text) ? notAllowed : REPLIES[word];
  if (meaning !== undefined) {
    return { text: `Redis at ${where} ${meaning(text)}`, elsewhere: ELSEWHERE.has(word) };
  }
  const trouble = TROUBLES.find(([sign]) => sign.test(`${codeOf(error)} ${errorMessage(error)}`));
  return { text: trouble === undefined ? `Redis at ${where}: ${text}` : `Redis at ${where} ${trouble[1]}`, elsewhere: false };
}

export function unavailable(text: string, cause?: unknown): RelaydError {
  return new RelaydError('STORE_UNAVAILABLE', text, { cause });
}

export function placeOf({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
