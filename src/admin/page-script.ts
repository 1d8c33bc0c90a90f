/**
 * Runs in the browser, inside the status page. Sent as source text, so it may use nothing from outside itself.
 * Everything that the API says goes into the page as text, never as HTML: peers write some of it.
 */
export function pageScript(): void {
  type Row = Record<string, unknown>;
  interface Column {
    label: string;
    text: (row: Row) => string;
    /** `mono` is cut where it is too long for its column; selecting and copying it gives all of it. */
    kind?: 'number' | 'mono' | 'badge' | 'long';
  }
  interface Table {
    path: string;
    title: string;
    none: string;
    columns: Column[];
  }

  const REFRESH_MS = 2_000;
  const FETCH_TIMEOUT_MS = 10_000;
  const MAX_ROWS = 200;
  const TOKEN_KEY = 'relayd-token';

  // Text ----------------------------------------------------------------------------------------------------

  const say = (value: unknown): string => (value === null || value === undefined || value === '' ? '–' : String(value));
  const number = (value: unknown): string => (typeof value === 'number' ? value.toLocaleString('en') : '–');
  const many = (count: unknown, one: string): string => `${number(count)} ${one}${count === 1 ? '' : 's'}`;
  /** JSON has no infinity: a limit that is off is null there. */
  const outOf = ({ count, max }: Row, one: string): string => (typeof max === 'number' ? `${number(count)} of ${many(max, one)}` : `${many(count, one)} (no limit)`);

  const bytes = (value: unknown): string => {
    if (typeof value !== 'number') return '–';
    const power = value < 1024 ? 0 : Math.min(5, Math.floor(Math.log2(value) / 10));
    const scaled = value / 1024 ** power;
    return `${power === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1).replace('.0', '')} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][power]}`;
  };

  const duration = (ms: unknown): string => {
    if (typeof ms !== 'number' || !Number.isFinite(ms)) return '–';
    if (ms < 1000) return `${Math.round(ms)} ms`;
    const seconds = Math.floor(ms / 1000);
    const parts: [number, string][] = [[Math.floor(seconds / 86_400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'], [Math.floor(seconds / 60) % 60, 'min'], [seconds % 60, 's']];
    const first = parts.findIndex(([count]) => count > 0);
    return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(' ');
  };

  const since = (time: unknown): string => (typeof time === 'string' ? duration(Date.now() - Date.parse(time)) : '–');
  const until = (time: unknown): string => {
    if (typeof time !== 'string') return '–';
    const left = Date.parse(time) - Date.now();
    return left <= 0 ? 'now' : `in ${duration(left)}`;
  };

  // What is shown -------------------------------------------------------------------------------------------

  const tables: Table[] = [
    {
      path: 'reservations', title: 'Reservations', none: 'No peer holds a reservation here.',
      columns: [
        { label: 'Peer', text: (row) => say(row['peer']), kind: 'mono' },
        { label: 'Class', text: (row) => say(row['class']) },
        { label: 'Address', text: (row) => say(row['addr']), kind: 'mono' },
        { label: 'Opened', text: (row) => `${since(row['openedAt'])} ago` },
        { label: 'Expires', text: (row) => until(row['expiresAt']) },
        { label: 'Renewed', text: (row) => number(row['renewals']), kind: 'number' },
        { label: 'Circuits', text: (row) => number(row['circuits']), kind: 'number' },
      ],
    },
    {
      path: 'circuits', title: 'Circuits', none: 'No circuit is open.',
      columns: [
        { label: 'From', text: (row) => say(row['source']), kind: 'mono' },
        { label: 'To', text: (row) => say(row['target']), kind: 'mono' },
        { label: 'Class', text: (row) => say(row['class']) },
        { label: 'Open for', text: (row) => since(row['openedAt']) },
        { label: 'Sent', text: (row) => bytes(row['bytesToTarget']), kind: 'number' },
        { label: 'Received', text: (row) => bytes(row['bytesToSource']), kind: 'number' },
        { label: 'Buffered', text: (row) => bytes(row['bufferedBytes']), kind: 'number' },
        { label: 'Idle', text: (row) => duration(row['idleMs']), kind: 'number' },
      ],
    },
    {
      path: 'relays', title: 'Relays that this client knows', none: 'No relay is known: name some in client.relays or discovery.bootstrap.',
      columns: [
        { label: 'Relay', text: (row) => say(row['peer']), kind: 'mono' },
        { label: 'State', text: (row) => say(row['state']), kind: 'badge' },
        { label: 'Address', text: (row) => say(row['addr']), kind: 'mono' },
        { label: 'Round trip', text: (row) => (typeof row['rttMs'] === 'number' ? `${row['rttMs'].toFixed(1)} ms` : '–'), kind: 'number' },
        { label: 'Expires', text: (row) => until(row['expiresAt']) },
        { label: 'Failures', text: (row) => number(row['failures']), kind: 'number' },
        { label: 'Remark', text: (row) => [row['reason'], typeof row['retryInSeconds'] === 'number' ? `again in ${duration(row['retryInSeconds'] * 1000)}` : ''].filter(Boolean).join('; ') || '–', kind: 'long' },
      ],
    },
    {
      path: 'tunnels', title: 'Tunnels', none: 'No tunnel is configured.',
      columns: [
        { label: 'Name', text: (row) => say(row['name']) },
        { label: 'Kind', text: (row) => say(row['kind']) },
        { label: 'Local', text: (row) => say(row['local']), kind: 'mono' },
        { label: 'Peers', text: (row) => (Array.isArray(row['peers']) ? row['peers'].join(' ') || 'nobody' : '–'), kind: 'mono' },
        { label: 'Open', text: (row) => number(row['open']), kind: 'number' },
        { label: 'So far', text: (row) => number(row['opened']), kind: 'number' },
        { label: 'Refused', text: (row) => number(row['refused']), kind: 'number' },
        { label: 'Failed', text: (row) => number(row['failed']), kind: 'number' },
        { label: 'Last error', text: (row) => say(row['lastError']), kind: 'long' },
      ],
    },
  ];

  // Elements ------------------------------------------------------------------------------------------------

  const GOOD = ['ready', 'reserved'];
  const BAD = ['lost', 'backoff', 'not reachable'];
  const tone = (state: string): string => (GOOD.includes(state) ? 'badge good' : BAD.includes(state) ? 'badge bad' : 'badge warn');

  const make = (tag: string, text = '', className = ''): HTMLElement => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (className !== '') element.className = className;
    return element;
  };

  const byId = (id: string): HTMLElement => document.getElementById(id) ?? make('div');

  const fact = (list: HTMLElement, name: string, values: string[], className = ''): void => {
    const value = make('dd');
    value.append(...values.map((text) => make('div', text, className)));
    list.append(make('dt', name), value);
  };

  const statusSection = (status: Row): HTMLElement => {
    const list = make('dl');
    const relay = status['relay'] as { reservations: Row; circuits: Row; bytesRelayed: number } | undefined | null;
    const client = status['client'] as { desired: number; held: number; circuitAddrs: string[] } | undefined | null;
    fact(list, 'Peer', [say(status['peerId'])], 'mono');
    fact(list, 'Runs', [`${say(status['role'])}, profile ${say(status['profile'])}, version ${say(status['version'])}, for ${duration(Number(status['uptimeSeconds']) * 1000)}`]);
    const addrs = status['addrs'] as string[] | undefined;
    fact(list, 'Addresses', addrs !== undefined && addrs.length > 0 ? addrs : ['none'], 'mono');
    if (relay !== undefined && relay !== null) {
      fact(list, 'Relay', [`${outOf(relay.reservations, 'reservation')}, ${outOf(relay.circuits, 'circuit')}, ${bytes(relay.bytesRelayed)} relayed`]);
    }
    if (client !== undefined && client !== null) {
      fact(list, 'Client', [`holds ${number(client.held)} of ${many(client.desired, 'reservation')} wanted`]);
      fact(list, 'Reachable at', client.circuitAddrs.length > 0 ? client.circuitAddrs : ['nothing yet'], 'mono');
    }
    const section = make('section');
    section.append(list);
    return section;
  };

  const cell = (column: Column, row: Row): HTMLElement => {
    const text = column.text(row);
    const element = make('td', column.kind === 'badge' ? '' : text, column.kind === 'badge' ? '' : (column.kind ?? ''));
    if (column.kind === 'badge') element.append(make('span', text, tone(text)));
    element.dataset['label'] = column.label;
    if (column.kind === 'mono') element.title = text;
    return element;
  };

  const rowsOf = (table: Table, rows: Row[]): HTMLElement => {
    const element = make('table');
    const head = make('tr');
    head.append(...table.columns.map((column) => make('th', column.label, column.kind === 'number' ? 'number' : '')));
    const body = make('tbody');
    for (const row of rows) {
      const line = make('tr');
      line.append(...table.columns.map((column) => cell(column, row)));
      body.append(line);
    }
    const header = make('thead');
    header.append(head);
    element.append(header, body);
    return element;
  };

  const tableSection = (table: Table, rows: Row[], total: number): HTMLElement => {
    const section = make('section');
    const title = make('h2', table.title);
    title.append(make('span', ` ${total.toLocaleString('en')}`, 'count'));
    section.append(title, rows.length === 0 ? make('p', table.none, 'none') : rowsOf(table, rows));
    if (total > rows.length) section.append(make('p', `… and ${number(total - rows.length)} more`, 'none'));
    return section;
  };

  // The token: given once in the address, it moves to this tab's storage and out of the address bar ----------

  const takeToken = (): string => {
    const address = new URL(location.href);
    const given = address.searchParams.get('token');
    if (given !== null) {
      sessionStorage.setItem(TOKEN_KEY, given.replaceAll(' ', '+'));
      address.searchParams.delete('token');
      history.replaceState(null, '', address);
    }
    return sessionStorage.getItem(TOKEN_KEY) ?? '';
  };

  let token = takeToken();
  byId('ask').addEventListener('submit', (event) => {
    event.preventDefault();
    token = (byId('token') as HTMLInputElement).value.trim();
    sessionStorage.setItem(TOKEN_KEY, token);
    void refresh();
  });

  // Asking --------------------------------------------------------------------------------------------------

  const ask = async (path: string): Promise<{ value: unknown; total: number }> => {
    const headers: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(`api/v1/${path}`, { headers, cache: 'no-store', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    if (!response.ok) throw new Error(response.status === 401 ? 'token' : `${path}: HTTP ${response.status}`);
    return { value: await response.json(), total: Number(response.headers.get('x-total-count') ?? 0) };
  };

  const setState = (text: string): void => {
    byId('state').textContent = text;
    byId('state').className = tone(text);
    document.title = `relayd: ${text}`;
  };

  const notice = (text: string): void => {
    byId('notice').textContent = text;
    byId('notice').hidden = text === '';
  };

  const wanted = (role: unknown): Table[] =>
    tables.filter(({ path }) => (path === 'relays' || path === 'tunnels' ? role !== 'relay' : role !== 'client'));

  const show = async (): Promise<void> => {
    const status = (await ask('status')).value as Row;
    const shown = wanted(status['role']);
    const answers = await Promise.all(shown.map((table) => ask(`${table.path}?limit=${MAX_ROWS}`)));
    const sections = shown.map((table, i) => tableSection(table, (answers[i]?.value ?? []) as Row[], answers[i]?.total ?? 0));
    byId('main').replaceChildren(statusSection(status), ...sections);
    byId('main').hidden = false;
    byId('ask').hidden = true;
    setState(say(status['state']));
    notice('');
  };

  let lastGood = '';
  let busy = false;
  const refresh = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      await show();
      lastGood = new Date().toLocaleTimeString();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text === 'token') {
        byId('main').hidden = true;
        byId('ask').hidden = false;
        setState('token needed');
        notice(token === '' ? '' : 'That token is not the right one.');
      } else {
        setState('not reachable');
        notice(`No answer from the daemon (${text}). ${lastGood === '' ? '' : `What is shown is from ${lastGood}. `}Trying again.`);
      }
    } finally {
      busy = false;
    }
  };

  /** A selection in the page would be lost by redrawing it: someone is copying a peer id. */
  const selecting = (): boolean => String(getSelection() ?? '') !== '';
  const tick = (): void => {
    if (document.hidden || !byId('ask').hidden) return;
    if (selecting()) notice('Paused while text is selected.');
    else void refresh();
  };
  void refresh();
  setInterval(tick, REFRESH_MS);
  document.addEventListener('visibilitychange', tick);
}
