import { supervisorSettings } from '../client/index.ts';
import type { RelaydConfig } from '../config/domain.ts';
import { addressLists } from '../discovery/index.ts';
import { configuredAddrs } from './build.ts';
import type { Rooms } from './build.ts';

/** Tells the rooms of a node that runs. */
export async function applyConfig(rooms: Rooms, config: RelaydConfig): Promise<void> {
  rooms.keeper.update(config.connections, config.relay.prefixes);
  rooms.relay?.update(config.relay, config.realm, config.coordination);
  rooms.coordination?.update(config);
  rooms.addresses.configure(configuredAddrs(config));
  rooms.discovery.update(addressLists(config));
  rooms.client?.update({ ...supervisorSettings(config), ...rooms.discovery.lists });
  await applyRealm(rooms, config);
}

/** After the lists of relays: they say who may be shown a bearer's token. */
async function applyRealm({ realm, token, sharing, client }: Rooms, config: RelaydConfig): Promise<void> {
  const before = token.shown;
  realm.update(config.realm);
  token.update(config);
  if (token.shown !== before) client?.tokenChanged();
  await sharing.update(config.realm.authority);
  await realm.reload();
}
