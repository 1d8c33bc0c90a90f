import type { TokenUse } from '../lib/membership/verifier.ts';
import type { Authority, Published } from '../realm/index.ts';
import { duration, plural } from './format.ts';

/** What the commands of realms tell a person beside what they print for scripts. */

export function initNote({ name, publicKey, keyFile }: Authority): string {
  return `
The realm ${name} is made. Whoever has ${keyFile} can make members of it:
keep a copy of its folder in a safe place, and let nobody read it.

In the config of every relay of the realm, and of every node that exposes tunnels to it:
  realm:
    name: ${name}
    authority: ${publicKey}

Next: relayd realm issue --peer ID, and its token goes into the member's realm.tokenFile.`;
}

export function issueNote(token: { id: string; peer?: string; maxPeers?: number; expiresMs: number; uses: readonly TokenUse[] }, { name, publicKey }: Authority): string {
  const { id, peer, maxPeers = 1, expiresMs, uses } = token;
  const whose = peer === undefined ? `whoever has it, ${plural(maxPeers, 'peer')} on each relay or cluster` : `the peer ${peer}`;
  return `
Token ${id} of the realm ${name}, for ${whose}: ${uses.join(', ')}; it ends in ${duration(expiresMs)}.
The member saves it in a file of its own (mode 0600), and in its config:
  realm:
    name: ${name}
    authority: ${publicKey}
    tokenFile: FILE

To take it back: relayd realm revoke ${id}`;
}

export function revokeNote({ kind, what, sequence, file }: Published, { isUndone, revocationFile }: { isUndone: boolean; revocationFile: string }): string {
  const here = file === revocationFile ? 'A relay with this data directory takes it over within a second' : `This config reads ${revocationFile}: copy the list there, and its relay takes it over within a second`;
  const then = isUndone ? '' : '\nWhat the member has open there, reservations, circuits and tunnels, ends within two seconds more.';
  return `The ${kind} ${what} is ${isUndone ? 'let in again' : 'revoked'} (list number ${sequence} of the realm, ${file}).
${here}; relays of the realm hand it on to each other.
To a relay that none of them reaches, copy the file: to where its realm.revocationFile says.${then}`;
}
