import { make, setText } from './elements.ts';
import type { Status } from './status.ts';

type Cluster = NonNullable<Status['cluster']>;

/** How long a copy button says that it has copied. */
const COPIED_MS = 1_500;

/** Who the node is and where others find it: to be copied into another's configuration. */
export class IdentityCard {
  readonly #host: HTMLElement;
  #shown = '';

  constructor(host: HTMLElement) {
    this.#host = host;
  }

  show({ peerId, addrs, client, cluster }: Status): void {
    const facts: [string, readonly string[], string][] = [
      ['Peer id', [peerId], ''],
      ['Addresses', addrs.filter((addr) => client?.circuitAddrs.includes(addr) !== true), 'It listens nowhere: others reach it through relays alone.'],
      ...(client === undefined ? [] : [['Through relays', client.circuitAddrs, 'Nobody reaches it through a relay yet.'] satisfies [string, readonly string[], string]]),
      ...(cluster === undefined ? [] : [['Cluster', belonging(cluster), ''] satisfies [string, readonly string[], string]]),
      ...(client?.reachability === undefined ? [] : [['Without a relay', [reached(client.reachability)], ''] satisfies [string, readonly string[], string]]),
    ];
    const shown = JSON.stringify(facts);
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#host.replaceChildren(make('dl', {}, ...facts.flatMap(([name, values, none]) => [make('dt', {}, name), make('dd', {}, ...linesOf(values, none))])));
    }
  }
}

function reached(reachability: string): string {
  const texts: Record<string, string> = { public: 'reachable: others have dialled it', private: 'not reachable: it is behind a NAT or firewall', unknown: 'not known yet: no peer has tried' };
  return texts[reachability] ?? reachability;
}

function belonging({ cluster, backend, problem }: Cluster): string[] {
  return [`${cluster}, by ${backend}`, ...(problem === null ? [] : [`away, so this relay works by its own part of the limits: ${problem}`])];
}

function linesOf(values: readonly string[], none: string): HTMLElement[] {
  if (values.length === 0) return [make('p', { class: 'none' }, none)];
  return values.map((value) => make('p', { class: 'line' }, make('span', { class: /^(\/|12D3|Qm|16U)/.test(value) ? 'mono' : '' }, value), ...(copyable(value) ? [copyButton(value)] : [])));
}

/** A browser gives the clipboard only to pages that came by a safe way: this machine, or HTTPS. */
function copyable(value: string): boolean {
  return isSecureContext && !value.includes(' ');
}

function copyButton(value: string): HTMLElement {
  const button = make('button', { type: 'button', class: 'copy', 'aria-label': `Copy ${value}` }, 'Copy');
  button.addEventListener('click', () => void copy(button, value));
  return button;
}

async function copy(button: HTMLElement, value: string): Promise<void> {
  const said = await navigator.clipboard.writeText(value).then(() => 'Copied', () => 'Not allowed');
  setText(button, said);
  setTimeout(() => setText(button, 'Copy'), COPIED_MS);
}
