import { bad, good, shown } from './parsed.ts';
import type { Parsed } from './parsed.ts';
import { textual } from './value-type.ts';
import type { ValueType } from './value-type.ts';

/** Where the stores of a cluster are. */

const REDIS_FORM = 'redis://HOST:PORT, or rediss://HOST:PORT for TLS';
const ETCD_FORM = 'http://HOST:PORT, or https://HOST:PORT for TLS';

/** A server, and which of its numbered databases. */
export function redisUrl(): ValueType<string> {
  return textual('Redis URL', parseRedisUrl, { pattern: '^rediss?://' });
}

export function etcdEndpoint(): ValueType<string> {
  return textual('etcd URL', parseEtcdEndpoint, { pattern: '^https?://' });
}

function parseRedisUrl(input: unknown): Parsed<string> {
  return parseStoreUrl(input, /^rediss?:$/, /^(\/\d{0,4})?$/, REDIS_FORM, 'coordination.redis.username and coordination.redis.passwordFile');
}

function parseEtcdEndpoint(input: unknown): Parsed<string> {
  return parseStoreUrl(input, /^https?:$/, /^\/?$/, ETCD_FORM, 'coordination.etcd.username and coordination.etcd.passwordFile');
}

/** Text is kept as it is written. A password in it is never repeated: configurations are printed and logged. */
function parseStoreUrl(input: unknown, scheme: RegExp, path: RegExp, form: string, credentials: string): Parsed<string> {
  const url = typeof input === 'string' ? URL.parse(input) : null;
  if (typeof input === 'string' && input.includes('@')) {
    return bad('there is a name or password in the URL, which is printed and logged', `${form}; they belong into ${credentials}`);
  }
  if (typeof input === 'string' && /[?#]/.test(input)) {
    return bad("what follows '?' or '#' in the URL is not read, and would be printed and logged", `${form}; a name and password belong into ${credentials}`);
  }
  const right = url !== null && scheme.test(url.protocol) && url.hostname !== '' && path.test(url.pathname);
  return right ? good(input as string) : bad(`${shown(input)} does not say where the store is`, form);
}
