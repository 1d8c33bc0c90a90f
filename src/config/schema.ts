import { key, keysOf, section } from './key.ts';
import type { PlacedKey } from './key.ts';
import { coordination } from './schema-coordination.ts';
import { connections, network } from './schema-network.ts';
import { admin, doctor, drain, identity, log, tracing } from './schema-operation.ts';
import { client, discovery, realm, tunnels } from './schema-peers.ts';
import { relay } from './schema-relay.ts';
import { oneOf, path } from './plain-types.ts';

/** Every key of the configuration, in the order of the file. All else (validation, JSON Schema, reference, printing) is derived from it. */
export const SCHEMA = section('The configuration of relayd.', {
  profile: key(oneOf(['tier1', 'tier2', 'tier3']), {
    default: 'tier1',
    doc: 'The deployment model, which sets defaults: `tier1` is a single relay, `tier2` several independent ones, `tier3` a cluster that acts as one.',
  }),
  role: key(oneOf(['relay', 'client', 'both']), {
    default: 'relay',
    doc: '`relay`: others are reachable through this node. `client`: this node is reachable through relays. It also chooses the defaults of the profile.',
  }),
  dataDir: key(path(), {
    relativeTo: 'file',
    defaultText: '`$STATE_DIRECTORY` (systemd), else `$XDG_STATE_HOME/relayd`, else `~/.local/state/relayd`',
    doc: 'Identity and state. It is made if it is missing.',
  }),
  identity,
  network,
  connections,
  discovery,
  relay,
  client,
  tunnels,
  realm,
  coordination,
  admin,
  log,
  tracing,
  drain,
  doctor,
});

export const KEYS: readonly PlacedKey[] = keysOf(SCHEMA);

const BY_NAME = new Map(KEYS.map((placed) => [placed.name, placed]));

/** @throws Error when there is no such key: a mistake in the program. */
export function keyNamed(name: string): PlacedKey {
  const placed = BY_NAME.get(name);
  if (placed === undefined) {
    throw new Error(`no configuration key ${name}`);
  }
  return placed;
}
