import type { PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { isCircuit, parseCircuit } from './circuit-addr.ts';
import type { RelayDirectory, RelayRoute } from './directory.ts';
import { distinct } from './reservation-addrs.ts';

/** One way to a peer. */
export type Route = { readonly kind: 'direct'; readonly addr: Multiaddr } | ({ readonly kind: 'relay' } & RelayRoute);

/** Direct addresses are tried together, so their number is bounded; relays one after the other, so is theirs. */
const MAX_DIRECT = 8;
const MAX_RELAYS = 8;

export interface PlanInput {
  readonly self: PeerId;
  readonly target: PeerId;
  /** What the caller gave; it is tried first. */
  readonly given: Multiaddr | undefined;
  /** What is stored of the peer. */
  readonly known: readonly Multiaddr[];
  readonly relays: RelayDirectory;
  /** Whether a circuit through the relay can begin at once. */
  readonly isConnected: (relay: PeerId) => boolean;
}

/**
 * The slots of the race for a peer, in order: the address given; all direct ones; the relays that the peer's addresses
 * name, those first to which we are connected; the relays of our own network. Relays that do not answer come last.
 */
export function planRoutes(input: PlanInput): Route[][] {
  const given = input.given === undefined ? [] : routesOf([input.given]);
  const known = routesOf(input.known);
  const direct = known.filter((route) => route.kind === 'direct').slice(0, MAX_DIRECT);
  const named = distinctRelays(known).sort((a, b) => Number(input.isConnected(b.relay)) - Number(input.isConnected(a.relay)));
  const ours = input.relays.relays().map((relay): Route => ({ kind: 'relay', ...relay }));
  const usable = distinctRelays([...given, ...named, ...ours]).filter((route) => isThird(route, input));
  const answering = [...usable.filter((route) => answers(route, input)), ...usable.filter((route) => !answers(route, input))];
  const first = given.map((route) => answering.find((relay) => sameRelay(relay, route)) ?? route).filter((route) => isThird(route, input));
  const rest = answering.filter((route) => !first.includes(route)).slice(0, MAX_RELAYS);
  return [first, direct.filter((route) => !sameDirect(route, given)), ...rest.map((route) => [route])].filter((slot) => slot.length > 0);
}

/** Addresses as routes; several circuits through one relay are one. */
export function routesOf(addrs: readonly Multiaddr[]): Route[] {
  const direct = distinct(addrs.filter((addr) => !isCircuit(addr))).map((addr): Route => ({ kind: 'direct', addr }));
  const circuits = addrs.map(parseCircuit).filter((circuit) => circuit !== undefined);
  return [...direct, ...distinctRelays(circuits.map(({ relay, relayAddr }): Route => ({ kind: 'relay', relay, addrs: [relayAddr] })))];
}

export function routeLabel(route: Route): string {
  return route.kind === 'direct' ? route.addr.toString() : `relay ${route.relay.toString()}`;
}

type RelayKind = Extract<Route, { kind: 'relay' }>;

function distinctRelays(routes: readonly Route[]): RelayKind[] {
  const byId = new Map<string, RelayKind>();
  for (const route of routes.filter((candidate) => candidate.kind === 'relay')) {
    const known = byId.get(route.relay.toString());
    byId.set(route.relay.toString(), { ...route, addrs: distinct([...(known?.addrs ?? []), ...route.addrs]) });
  }
  return [...byId.values()];
}

/** A relay must be someone else than the two that it connects. */
function isThird(route: Route, input: PlanInput): boolean {
  return route.kind === 'direct' || (!route.relay.equals(input.self) && !route.relay.equals(input.target));
}

function answers(route: RelayKind, input: PlanInput): boolean {
  return input.relays.answers(route.relay.toString());
}

function sameRelay(relay: RelayKind, route: Route): boolean {
  return route.kind === 'relay' && route.relay.equals(relay.relay);
}

function sameDirect(route: Route, others: readonly Route[]): boolean {
  return route.kind === 'direct' && others.some((other) => other.kind === 'direct' && other.addr.equals(route.addr));
}
