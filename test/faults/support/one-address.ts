import { Lab } from '../../support/netns/lab.ts';
import { noNamespaces } from '../../support/netns/why-not.ts';
import type { Scene } from './scene.ts';

/** Where a relay and its clients run when all of them come from one address: a home router's, where namespaces can be made. */
export interface OneAddress {
  /** The relay's side. */
  readonly relay: { readonly host: string; readonly prefix: string[] };
  /** The clients' side. */
  readonly clients: string[];
  /** As the relay sees them. */
  readonly address: string;
  readonly isNat: boolean;
}

const RELAY = '45.0.1.2';
const ROUTER = '45.0.2.2';
const LOOPBACK = '127.0.0.1';

export function oneAddress(scene: Scene): OneAddress {
  if (noNamespaces() !== false) {
    return { relay: { host: LOOPBACK, prefix: [] }, clients: [], address: LOOPBACK, isNat: false };
  }
  const lab = new Lab();
  scene.defer(() => lab.close());
  const [net, relay, nat, clients] = [lab.router('net'), lab.host('relay'), lab.router('nat'), lab.host('clients')];
  lab.cable(net, '45.0.1.1', relay, RELAY);
  lab.cable(net, '45.0.2.1', nat, ROUTER);
  lab.cable(nat, '10.0.0.1', clients, '10.0.0.2');
  relay.defaultRoute('45.0.1.1');
  nat.defaultRoute('45.0.2.1');
  clients.defaultRoute('10.0.0.1');
  nat.masquerade(net);
  return { relay: { host: RELAY, prefix: relay.command([]) }, clients: clients.command([]), address: ROUTER, isNat: true };
}
