import type { SecureContext } from 'node:tls';
import type { GroundKind } from '../native/tls-ground.ts';

/** What an accepted socket may turn out to be. */
export interface Accepted {
  tcp: boolean;
  ws: boolean;
  /** As WebSocket over TLS. */
  tls: { context: () => SecureContext; ground: GroundKind } | undefined;
}

/** What a ClientHello begins with: a record of type handshake (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 0x16;

/** A request for WebSocket begins with GET, any HTTP request with a method in capital letters (RFC 9110, 9.1). libp2p over TCP begins with the length of its first line, 0x13. */
const HTTP_GET = 'G'.charCodeAt(0);
const [HTTP_FIRST, HTTP_LAST] = ['A'.charCodeAt(0), 'Z'.charCodeAt(0)] as const;

/** What a connection that begins with `byte` is. `undefined`: nothing that is spoken here; nobody waits for more of it. */
export function spokenBy(byte: number, { tcp, ws, tls }: Accepted): 'tcp' | 'http' | 'tls' | undefined {
  if (tls !== undefined && byte === TLS_HANDSHAKE) {
    return 'tls';
  }
  if (ws && (byte === HTTP_GET || (!tcp && byte >= HTTP_FIRST && byte <= HTTP_LAST))) {
    return 'http';
  }
  return tcp ? 'tcp' : undefined;
}
