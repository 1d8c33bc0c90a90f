/**
 * The client: circuits to and from this node through relays, the reservations that make it reachable, and dialling.
 *
 * How node/ puts it together:
 *
 *   const libp2p = await createLibp2p({
 *     transports: [tcp(), circuitTransport({ registry })],     // `accept: false` on a node that only dials circuits
 *     services: { identify: identify(), identifyPush: identifyPush(), ping: ping(), client: clientService() },
 *     …                                                         // nothing of ours in `addresses`
 *   });
 *   const { components } = libp2p.services.client;
 *   const supervisor = new ClientSupervisor({ components, settings: supervisorSettings(config), log, registry });
 *   const dialler = new ClientDialler({ components, registry, relays: supervisor, lookup: config.discovery.dht.enabled });
 *
 * Start: libp2p, then `supervisor.start()`. Stop: `dialler.stop()`, `supervisor.stop()`, then libp2p. Reload:
 * `supervisor.update(supervisorSettings(config))`. A node without a client leaves the supervisor out, and `relays` too.
 * All parts of one node take the same registry; clock and randomness can be injected into each.
 */
export { circuitTransport } from './circuit-transport.ts';
export type { CircuitTransportOptions, Hop } from './circuit-transport.ts';
export { clientService } from './components.ts';
export type { ClientComponents, ClientService } from './components.ts';
export { ClientDialler } from './dialling.ts';
export type { DiallerOptions } from './dialling.ts';
export { ClientSupervisor } from './supervisor.ts';
export type { SupervisorOptions } from './supervisor.ts';
export type { SupervisorEvents } from './supervisor-events.ts';
export { supervisorSettings } from './settings.ts';
export type { SupervisorSettings } from './settings.ts';
