import { formatHostPort, parseAnnounceAddress, parseCidr, parseFullAddress, parseHostPort, parseListenAddress, parsePeerId, parsePeerOrCidr, parseRelayAddress } from './addresses.ts';
import type { HostPortRules } from './addresses.ts';
import { formatRealmKey, parseRealmKey } from '../lib/membership/realm-key.ts';
import type { AdminConfig, HostPort } from './domain.ts';
import { bad, good, shown } from './parsed.ts';
import type { Parsed } from './parsed.ts';
import { scalar, textual } from './value-type.ts';
import type { ValueType } from './value-type.ts';

/** Addresses and peers. */

export function listenAddress(): ValueType<string> {
  return textual('multiaddr', parseListenAddress, { pattern: '^/' });
}

export function announceAddress(): ValueType<string> {
  return textual('multiaddr', parseAnnounceAddress, { pattern: '^/' });
}

export function fullAddress(): ValueType<string> {
  return textual('full multiaddr', parseFullAddress, { pattern: '^/.*/p2p/' });
}

export function relayAddress(): ValueType<string> {
  return textual('full multiaddr', parseRelayAddress, { pattern: '^/(.*/p2p/|dnsaddr/)' });
}

export function peerId(): ValueType<string> {
  return textual('peer id', parsePeerId);
}

export function realmKey(): ValueType<string> {
  return textual('realm key', parseRealmKeyText, { pattern: '^ed25519:[A-Za-z0-9_-]{43}$' });
}

function parseRealmKeyText(input: unknown): Parsed<string> {
  const parsed = typeof input === 'string' ? parseRealmKey(input.trim()) : undefined;
  return parsed === undefined ? bad(`${shown(input)} is not the public key of a realm's authority`, '`ed25519:` and 43 characters, as `relayd realm init` prints it') : good(formatRealmKey(parsed));
}

export function peerOrCidr(): ValueType<string> {
  return textual('peer id or CIDR', parsePeerOrCidr);
}

export function cidr(): ValueType<string> {
  return textual('CIDR', parseCidr);
}

export function hostPort(rules: HostPortRules): ValueType<HostPort> {
  return scalar('HOST:PORT', { parse: (input) => parseHostPort(input, rules), format: formatHostPort, json: { type: 'string', pattern: ':[0-9]{1,5}$' } });
}

/** The longest path that a unix socket can have on Linux (107 bytes and a zero; 103 on macOS). */
const MAX_SOCKET_PATH = 103;

/** Where the admin server listens: HOST:PORT, or `unix:/path`. */
export function adminListen(): ValueType<AdminConfig['listen']> {
  return scalar('HOST:PORT or unix:/path', { parse: parseListen, format: formatListen, json: { type: 'string', pattern: '^unix:/|:[0-9]{1,5}$' } });
}

function parseListen(input: unknown): Parsed<AdminConfig['listen']> {
  return typeof input === 'string' && input.startsWith('unix:') ? parseSocket(input.slice(5)) : parseHostPort(input, { zeroPort: true, names: false, example: '127.0.0.1:9641' });
}

function formatListen(value: AdminConfig['listen']): string {
  return 'socketPath' in value ? `unix:${value.socketPath}` : formatHostPort(value);
}

function parseSocket(socketPath: string): Parsed<AdminConfig['listen']> {
  if (!socketPath.startsWith('/') || socketPath.includes('\0')) {
    return bad(`${shown(socketPath)} is not an absolute path`, 'such as unix:/run/relayd/admin.sock');
  }
  const bytes = Buffer.byteLength(socketPath);
  return bytes > MAX_SOCKET_PATH ? bad(`a socket path of ${bytes} bytes is too long for the system`, `at most ${MAX_SOCKET_PATH} bytes`) : good({ socketPath });
}
