import type { Tick } from '../sampling.ts';
import { badgeClass } from './cells.ts';
import { Drain } from './drain.ts';
import { byId, setClass, setText } from './elements.ts';
import { Events } from './events.ts';
import { Facts } from './facts.ts';
import { duration } from './format.ts';
import { IdentityCard } from './identity.ts';
import { Plots } from './plots.ts';
import type { Status } from './status.ts';
import { Tables } from './tables.ts';
import { themeSwitch } from './theme.ts';
import { keepToken, takeTokenFromAddress, token } from './token.ts';

const facts = new Facts(byId('facts'));
const identity = new IdentityCard(byId('identity'));
const plots = new Plots(byId('plots'), reveal);
const tables = new Tables(byId('tables'));
const drain = new Drain(byId('drain'));
let latest: Tick | undefined;

function showTick(tick: Tick): void {
  const status = tick.status as unknown as Status;
  latest = tick;
  setState(status.state);
  setText(byId('about'), `${status.role} · profile ${status.profile} · version ${status.version} · up ${duration(status.uptimeSeconds * 1000)}`);
  plots.add(tick);
  facts.show(tick, plots.refusedLately);
  identity.show(status);
  tables.show(tick);
  drain.show(status);
}

/** Shown at once with the past in the plots: nothing moves when they come. */
function reveal(): void {
  if (latest !== undefined) facts.show(latest, plots.refusedLately);
  byId('ask').hidden = true;
  byId('main').hidden = false;
}

function setState(state: string): void {
  setText(byId('state'), state);
  setClass(byId('state'), badgeClass(state));
  document.title = `relayd: ${state}`;
}

function setLink(state: 'live' | 'disconnected' | 'token needed'): void {
  setText(byId('link'), state);
  byId('link').dataset['state'] = state;
}

function notice(text: string): void {
  setText(byId('notice'), text);
  byId('notice').hidden = text === '';
}

function askForToken(): void {
  setState('token needed');
  setLink('token needed');
  notice(token() === '' ? '' : 'That token is not the right one.');
  byId('main').hidden = true;
  byId('drain').hidden = true;
  byId('ask').hidden = false;
  byId('token').focus();
}

const events = new Events({
  onTick: showTick,
  onLive: () => {
    setLink('live');
    notice('');
    document.body.classList.remove('stale');
  },
  onLost: (problem, retryMs) => {
    setLink('disconnected');
    notice(`Disconnected: ${problem}. Trying again in ${Math.ceil(retryMs / 1000)} s.${latest === undefined ? '' : ` What is shown is as it was at ${new Date(latest.time).toLocaleTimeString('en-GB')}.`}`);
    document.body.classList.add('stale');
  },
  onTokenNeeded: askForToken,
});

byId('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  keepToken((byId('token') as HTMLInputElement).value);
  events.restart();
});
takeTokenFromAddress();
byId('theme').append(themeSwitch(() => plots.redraw()));
events.restart();
