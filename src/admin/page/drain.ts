import { ApiError, post } from './api.ts';
import { make, setText } from './elements.ts';
import { many } from './format.ts';
import type { Status } from './status.ts';
import { keepToken, token } from './token.ts';

/** The button that drains the node: it asks first, and for the token where this tab has none. */
export class Drain {
  readonly #button: HTMLElement;
  readonly #dialog = make('dialog', { 'aria-labelledby': 'drain-title' });
  readonly #summary = make('p');
  readonly #problem = make('p', { class: 'problem', role: 'alert', hidden: true });
  readonly #token = make('input', { type: 'password', id: 'drain-token', autocomplete: 'off' });
  readonly #tokenField: HTMLElement;
  #status: Status | undefined;

  constructor(button: HTMLElement) {
    this.#button = button;
    this.#tokenField = make('div', {}, make('label', { for: 'drain-token' }, 'Token, from ', make('code', {}, 'admin.json'), ' in the data directory or the file of ', make('code', {}, 'admin.tokenFile')), this.#token);
    const cancel = make('button', { type: 'button' }, 'Cancel');
    const form = make('form', {}, make('h2', { id: 'drain-title' }, 'Drain this node?'), this.#summary, this.#tokenField, this.#problem, make('div', { class: 'actions' }, cancel, make('button', { class: 'danger' }, 'Drain and stop')));
    this.#dialog.append(form);
    document.body.append(this.#dialog);
    button.addEventListener('click', () => this.#ask());
    cancel.addEventListener('click', () => this.#dialog.close());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#drain();
    });
  }

  show(status: Status): void {
    this.#status = status;
    this.#button.hidden = status.state !== 'ready';
  }

  #ask(): void {
    const { relay, client } = this.#status ?? {};
    const relayed = relay === undefined ? '' : `It takes nothing new and tells its clients to move: ${many(relay.reservations.count, 'reservation')} and ${many(relay.circuits.count, 'circuit')} are open now. `;
    const own = client === undefined ? '' : 'Peers no longer reach this node. ';
    setText(this.#summary, `${relayed}${own}The process ends when what is open is over, or when drain.timeout has passed. This cannot be undone from here.`);
    this.#tokenField.hidden = token() !== '';
    this.#problem.hidden = true;
    this.#token.value = '';
    this.#dialog.showModal();
  }

  async #drain(): Promise<void> {
    if (!this.#tokenField.hidden) keepToken(this.#token.value);
    try {
      await post('drain');
      this.#dialog.close();
    } catch (error) {
      const unauthorised = error instanceof ApiError && error.status === 401;
      if (unauthorised) keepToken('');
      this.#tokenField.hidden = !unauthorised;
      setText(this.#problem, error instanceof ApiError ? error.message : 'no answer from the daemon');
      this.#problem.hidden = false;
    }
  }
}
