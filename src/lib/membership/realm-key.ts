/** The public key of a realm's authority, as people copy it: `ed25519:` and the 32 bytes in base64url without padding. */

const PREFIX = 'ed25519:';
const KEY_BYTES = 32;

export function formatRealmKey(key: Uint8Array): string {
  return PREFIX + Buffer.from(key).toString('base64url');
}

/** The 32 bytes, or `undefined` when `text` is anything but what {@link formatRealmKey} makes. */
export function parseRealmKey(text: string): Uint8Array | undefined {
  const key = text.startsWith(PREFIX) ? Buffer.from(text.slice(PREFIX.length), 'base64url') : Buffer.alloc(0);
  return key.byteLength === KEY_BYTES && formatRealmKey(key) === text ? new Uint8Array(key) : undefined;
}
