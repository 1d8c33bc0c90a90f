import { make, setText } from './elements.ts';
import { number } from './format.ts';

export interface Tab {
  readonly name: string;
  readonly title: string;
  readonly content: HTMLElement;
  /** Called when it comes into sight. */
  readonly onShow: () => void;
}

interface Shown extends Tab {
  readonly button: HTMLButtonElement;
  readonly count: HTMLElement;
  readonly panel: HTMLElement;
}

/** Tabs as the ARIA practices describe them: one tab stop, arrow keys, Home and End. The address remembers which one is open. */
export class Tabs {
  readonly #host: HTMLElement;
  readonly #list: HTMLElement;
  readonly #tabs: Shown[] = [];
  #open: Shown | undefined;

  constructor(host: HTMLElement, label: string) {
    this.#host = host;
    this.#list = make('div', { class: 'tablist', role: 'tablist', 'aria-label': label });
    this.#list.addEventListener('keydown', (event) => this.#onKey(event));
    host.append(this.#list);
  }

  add(tab: Tab): void {
    const count = make('span', { class: 'count' });
    const button = make('button', { type: 'button', role: 'tab', id: `tab-${tab.name}`, 'aria-controls': `panel-${tab.name}`, 'aria-selected': 'false', tabindex: -1 }, tab.title, count);
    const panel = make('div', { role: 'tabpanel', id: `panel-${tab.name}`, 'aria-labelledby': `tab-${tab.name}`, hidden: true }, tab.content);
    const shown = { ...tab, button, count, panel };
    button.addEventListener('click', () => this.#show(shown));
    this.#tabs.push(shown);
    this.#list.append(button);
    this.#host.append(panel);
  }

  /** The one that the address names, or the first. */
  openFirst(): void {
    const wanted = this.#tabs.find(({ name }) => location.hash === `#${name}`) ?? this.#tabs[0];
    if (wanted !== undefined) this.#show(wanted);
  }

  setCount(name: string, count: number): void {
    const tab = this.#tabs.find((known) => known.name === name);
    if (tab !== undefined) setText(tab.count, number(count));
  }

  get open(): string | undefined {
    return this.#open?.name;
  }

  #show(tab: Shown): void {
    for (const other of this.#tabs) {
      const selected = other === tab;
      other.button.setAttribute('aria-selected', String(selected));
      other.button.tabIndex = selected ? 0 : -1;
      other.panel.hidden = !selected;
    }
    if (this.#open !== undefined) history.replaceState(null, '', `#${tab.name}`);
    this.#open = tab;
    tab.onShow();
  }

  #onKey(event: KeyboardEvent): void {
    const last = this.#tabs.length - 1;
    const at = this.#tabs.findIndex((tab) => tab === this.#open);
    const to = { ArrowLeft: at === 0 ? last : at - 1, ArrowRight: at === last ? 0 : at + 1, Home: 0, End: last }[event.key];
    const tab = to === undefined ? undefined : this.#tabs[to];
    if (tab !== undefined) {
      event.preventDefault();
      this.#show(tab);
      tab.button.focus();
    }
  }
}
