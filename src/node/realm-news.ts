import type { RealmNews } from '../coordination/index.ts';
import { parseRealmKey } from '../lib/membership/realm-key.ts';
import { signedSequence } from '../realm/index.ts';
import type { Realm } from '../realm/index.ts';

type NewsOfRealm = Pick<Realm, 'revocationList' | 'revocationSequence' | 'offerRevocationList' | 'onChange'>;

/** The realm's revocation list as the relays of a cluster tell it. @param authority the configuration's, which may change */
export function realmNews(realm: NewsOfRealm, authority: () => string | undefined): RealmNews {
  const key = (): string | undefined => {
    const text = authority();
    const bytes = text === undefined ? undefined : parseRealmKey(text);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');
  };
  return {
    authority: key,
    current: () => {
      const [hex, list] = [key(), realm.revocationList()];
      return hex === undefined || list === undefined ? undefined : { authority: hex, sequence: realm.revocationSequence, list };
    },
    offer: ({ list }) => realm.offerRevocationList(list),
    signedSequence: ({ authority: hex, list }) => {
      const bytes = Buffer.from(hex, 'hex');
      // In its one form: else one key would be many authorities.
      return bytes.toString('hex') === hex ? signedSequence(list, bytes) : undefined;
    },
    onChange: (listener) => onNewerList(realm, key, listener),
  };
}

/** A realm changes too when a bearer's place is lost: a list of some kilobytes is not told to every relay for that. */
function onNewerList(realm: NewsOfRealm, key: () => string | undefined, listener: () => void): () => void {
  const inForce = (): string => `${key() ?? ''} ${realm.revocationSequence}`;
  let known = inForce();
  return realm.onChange(() => {
    const now = inForce();
    if (now === known) return;
    known = now;
    listener();
  });
}
