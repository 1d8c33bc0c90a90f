/** Everything that the API says goes into the page as text, never as HTML: peers write some of it. */

interface Properties {
  class?: string;
  id?: string;
  title?: string;
  type?: string;
  for?: string;
  role?: string;
  tabindex?: number;
  placeholder?: string;
  autocomplete?: string;
  value?: string;
  href?: string;
  hidden?: boolean;
  [aria: `aria-${string}`]: string;
  [data: `data-${string}`]: string;
}

export function make<T extends keyof HTMLElementTagNameMap>(tag: T, properties: Properties = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[T] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'boolean') element.toggleAttribute(name, value);
    else element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/** @throws Error when the page has no such element: page and script are of one version, so it has */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** Leaves alone what is right already: a selection in it stays, and nothing is drawn anew. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setClass(element: Element, className: string): void {
  if (element.className !== className) element.className = className;
}

/** A choice of one of a few, as buttons side by side. */
export function choice<K extends string>(label: string, options: readonly (readonly [K, string])[], chosen: K, onChoose: (key: K) => void): HTMLElement {
  const group = make('div', { class: 'choice', role: 'group', 'aria-label': label });
  const buttons = options.map(([key, name]) => {
    const button = make('button', { type: 'button', 'aria-pressed': String(key === chosen) }, name);
    button.addEventListener('click', () => {
      for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
      onChoose(key);
    });
    return button;
  });
  group.append(...buttons);
  return group;
}
