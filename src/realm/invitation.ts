import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { peerIdFromBytes } from '../lib/circuit/voucher.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { formatRealmKey, parseRealmKey } from '../lib/membership/realm-key.ts';
import { MessageWriter, bytesOf, malformed, numberOf, readFields, textOf } from '../lib/protobuf.ts';
import type { Field } from '../lib/protobuf.ts';
import { problem, readLine, writeLine } from './invitation-line.ts';
import { checkedName } from './names.ts';

/** What one line brings to another machine: where the relays are, whose realm it is, and a token that makes a member. */
export interface Invitation {
  /** Multiaddrs, each ending in its relay's peer id. */
  readonly relays: readonly string[];
  readonly realm: string;
  /** The public key that signed the token, `ed25519:…`. */
  readonly authority: string;
  /** The bytes that a relay is shown. */
  readonly token: Uint8Array;
  /** A service that the token lets the guest use. */
  readonly tunnel?: InvitedTunnel;
}

export interface InvitedTunnel {
  readonly name: string;
  /** The id of the peer that exposes it. */
  readonly peer: string;
  /** Its port on that machine: the guest takes the same where it can. */
  readonly port?: number;
}

/** More would be for nobody: a client holds two reservations. */
export const MAX_INVITATION_RELAYS = 8;

const MAX_PORT = 65_535;

/** ASCII without spaces: of other alphabets, DNS has the form in ASCII. */
const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * Whether a line may name them: who reads it takes no others. To be asked before a token is made for it.
 *
 * @throws RelaydError BAD_REQUEST
 */
export function checkRelays(relays: readonly string[]): void {
  if (relays.length > MAX_INVITATION_RELAYS) {
    throw new RelaydError('BAD_REQUEST', `an invitation names at most ${MAX_INVITATION_RELAYS} relays, not ${relays.length}`);
  }
  const odd = relays.find((relay) => !PRINTABLE.test(relay));
  if (odd !== undefined) {
    throw new RelaydError('BAD_REQUEST', `the address ${odd} has characters that no address has; a name in another alphabet is written as xn--…`);
  }
}

/** @throws RelaydError BAD_REQUEST when it is too long for a line, and as {@link checkRelays} */
export function encodeInvitation({ relays, realm, authority, token, tunnel }: Invitation): string {
  checkRelays(relays);
  const writer = new MessageWriter();
  relays.forEach((relay) => writer.bytes(1, multiaddr(relay).bytes));
  return writeLine(
    writer
      .text(2, realm)
      .bytes(3, parseRealmKey(authority))
      .bytes(4, token)
      .bytes(5, tunnel === undefined ? undefined : encodeTunnel(tunnel))
      .finish(),
  );
}

function encodeTunnel({ name, peer, port }: InvitedTunnel): Uint8Array {
  return new MessageWriter().text(1, name).bytes(2, peerIdFromString(peer).toMultihash().bytes).varint(3, port).finish();
}

/**
 * Reads a line as somebody pasted it. Whether its token holds is another question, which only the realm's code can answer.
 *
 * @throws RelaydError INVITATION_INVALID with `data.problem` (see LINE_PROBLEMS)
 */
export function decodeInvitation(text: string): Invitation {
  const content = readLine(text);
  try {
    return decodeContent(content);
  } catch (error) {
    throw problem('altered', `the line is whole, but not what relayd writes: ${errorMessage(error)}`);
  }
}

function decodeContent(content: Uint8Array): Invitation {
  const relays: string[] = [];
  const found: { realm?: string; authority?: string; token?: Uint8Array; tunnel?: InvitedTunnel } = {};
  for (const field of readFields(content)) {
    if (field.number === 1) relays.push(relayOf(field));
    else if (field.number === 2) found.realm = nameOf(field);
    else if (field.number === 3) found.authority = formatRealmKey(bytesOf(field));
    else if (field.number === 4) found.token = bytesOf(field);
    else if (field.number === 5) found.tunnel = decodeTunnel(bytesOf(field));
  }
  const { realm, authority, token } = found;
  if (realm === undefined || token === undefined || parseRealmKey(authority ?? '') === undefined || relays.length === 0 || relays.length > MAX_INVITATION_RELAYS) {
    throw malformed('it does not name a realm, its key, a token and its relays');
  }
  return { ...found, relays, realm, authority: authority ?? '', token };
}

function relayOf(field: Field): string {
  const relay = multiaddr(bytesOf(field));
  const last = relay.getComponents().at(-1);
  if (last?.name !== 'p2p' || relay.getComponents().some(({ name }) => name === 'p2p-circuit')) {
    throw malformed('the address of a relay does not end in its peer id');
  }
  const text = relay.toString();
  // The bytes of a DNS name may be anything: line breaks and escape sequences would make up what the guest is asked about.
  if (!PRINTABLE.test(text)) {
    throw malformed('the address of a relay has characters that no address has');
  }
  return text;
}

function decodeTunnel(bytes: Uint8Array): InvitedTunnel {
  const found: { name?: string; peer?: string; port?: number } = {};
  for (const field of readFields(bytes)) {
    if (field.number === 1) found.name = nameOf(field);
    else if (field.number === 2) found.peer = peerIdFromBytes(bytesOf(field)).toString();
    else if (field.number === 3) found.port = portOf(field);
  }
  const { name, peer } = found;
  if (name === undefined || peer === undefined) {
    throw malformed('its tunnel has no name or no peer');
  }
  return { ...found, name, peer };
}

/** The guest writes it into a config. */
function nameOf(field: Field): string {
  return checkedName(textOf(field));
}

function portOf(field: Field): number {
  const port = numberOf(field);
  if (port < 1 || port > MAX_PORT) {
    throw malformed(`${port} is no port`);
  }
  return port;
}
