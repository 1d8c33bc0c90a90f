import type { Scene } from '../scene.ts';
import { CERTIFICATE } from './certificate.ts';
import { CLUSTER, CLUSTER_CLOCK, CLUSTER_STORE } from './cluster.ts';
import { CLIENT_DOWN, FLEET, NOTHING_WATCHED, ONLY_RELAY, RESTARTING } from './fleet.ts';
import { BUFFERS, CIRCUITS, CONNECTIONS, EAGER_PEER, KNOCKING, RESERVATIONS } from './limits.ts';
import { DRAIN, EVENT_LOOP, HEAP, MEMORY, OPEN_FILES } from './process.ts';
import { TUNNELS } from './tunnels.ts';

/** In the order of the rule file. */
export const SCENES: readonly Scene[] = [ONLY_RELAY, FLEET, NOTHING_WATCHED, RESTARTING, DRAIN, EVENT_LOOP, MEMORY, HEAP, OPEN_FILES, CERTIFICATE, RESERVATIONS, CIRCUITS, BUFFERS, EAGER_PEER, CONNECTIONS, KNOCKING, CLIENT_DOWN, TUNNELS, CLUSTER_STORE, CLUSTER, CLUSTER_CLOCK];
