import type { Tick } from '../sampling.ts';
import { getList } from './api.ts';
import { clusterSource } from './cluster-source.ts';
import { CIRCUITS, CLUSTER, CONFIG, PEERS, RELAYS, RESERVATIONS, TUNNELS } from './columns.ts';
import type { TableSpec } from './columns.ts';
import { configSource } from './config-source.ts';
import type { Status } from './status.ts';
import { Table } from './table.ts';
import type { Source } from './table.ts';
import { Tabs } from './tabs.ts';

/** The lists of the node, one in sight at a time: only that one is read. */
export class Tables {
  readonly #tabs: Tabs;
  readonly #refresh = new Map<string, () => void>();

  constructor(host: HTMLElement) {
    this.#tabs = new Tabs(host, 'Tables');
  }

  show({ status }: Tick): void {
    const { relay, client, cluster, tunnels } = status as unknown as Status;
    if (this.#refresh.size === 0) this.#addThoseOf(status as unknown as Status);
    else this.#refresh.get(this.#tabs.open ?? '')?.();
    if (relay !== undefined) this.#tabs.setCount('reservations', relay.reservations.count);
    if (relay !== undefined) this.#tabs.setCount('circuits', relay.circuits.count);
    if (cluster !== undefined) this.#tabs.setCount('cluster', cluster.relays);
    if (client !== undefined) this.#tabs.setCount('tunnels', tunnels?.length ?? 0);
  }

  #addThoseOf({ relay, client, cluster }: Status): void {
    if (client !== undefined) this.#add(RELAYS);
    if (relay !== undefined) this.#add(RESERVATIONS);
    if (relay !== undefined) this.#add(CIRCUITS);
    if (cluster !== undefined) this.#add(CLUSTER, clusterSource);
    if (client !== undefined) this.#add(TUNNELS);
    this.#add(PEERS);
    this.#add(CONFIG, configSource);
    this.#tabs.openFirst();
  }

  #add<R>(spec: TableSpec<R>, source: Source<R> = (query, signal) => getList<R>(`${spec.name}?${query.toString()}`, signal)): void {
    const { name, title } = spec;
    const table = new Table(spec, source, (total) => this.#tabs.setCount(name, total));
    this.#tabs.add({ name, title, content: table.element, onShow: () => void table.read() });
    this.#refresh.set(name, () => table.refresh());
  }
}
