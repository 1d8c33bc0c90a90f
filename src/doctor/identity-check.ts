import { isRelay } from './facts.ts';
import type { Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** The key that others know this node by, its copy, and keys that should not be here. */

export function checkKey({ files, config }: Facts): Item | undefined {
  if (files === undefined) {
    return undefined;
  }
  const { key } = files;
  switch (key.state) {
    case 'missing':
      return ok('identity-key', `there is none at ${config.identity.keyFile} yet; the first start makes one`);
    case 'bad':
      return failed('identity-key', key.problem, 'set it right as the message says; relayd never replaces a key that is there');
    case 'good':
      return ok('identity-key', `${key.peerId}, readable by its owner alone`);
  }
}

export function checkBackup({ files }: Facts): Item | undefined {
  const key = files?.key;
  if (files === undefined || key?.state !== 'good') {
    return undefined;
  }
  const advice = 'relayd key backup FILE, and keep FILE on another machine: without the key this node becomes another peer, and every list that names it is wrong';
  const { backup } = files;
  if (backup === undefined) {
    return warning('identity-backup', 'no copy of the identity key is on record', advice);
  }
  return backup.peerId === key.peerId
    ? ok('identity-backup', `copied to ${backup.file} on ${backup.at.slice(0, 10)}`)
    : warning('identity-backup', `the copy of ${backup.at.slice(0, 10)} is of another key (${backup.peerId})`, advice);
}

/** Who breaks into the relay would make members as he likes. */
export function checkAuthorityKey(facts: Facts): Item | undefined {
  if (facts.files?.hasAuthorityKey !== true || !isRelay(facts)) {
    return undefined;
  }
  return warning('authority-key', "the realm's authority key lies in the data directory of this relay: whoever breaks in can make members", 'move realm/authority.key to a machine that serves nobody and issue tokens there; a relay needs realm.authority alone');
}
