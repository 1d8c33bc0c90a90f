import type { Profile, Role } from './domain.ts';
import type { Key, PlacedKey, Section } from './key.ts';
import { keysOf } from './key.ts';
import { readProfile } from './load.ts';
import { inline } from './print.ts';
import { PROFILES } from './profiles.ts';
import { SCHEMA } from './schema.ts';
import { encode } from './written.ts';

/** The reference of every key, as Markdown: docs/reference/configuration.md. */
export function referenceMarkdown(): string {
  const top = Object.entries(SCHEMA.fields);
  const single = top.flatMap(([name, child]) => (child.kind === 'key' ? [{ name, path: [name], key: child }] : []));
  const sections = top.flatMap(([name, child]) => (child.kind === 'section' ? [sectionText(name, child)] : []));
  return `${[INTRODUCTION, '## Keys', table(single), ...sections, profilesText()].join('\n\n')}\n`;
}

const INTRODUCTION = `# Configuration

<!-- Written by scripts/generate-reference.ts from src/config/schema.ts; do not edit. -->

One YAML file, every key optional. \`relayd config check\` finds what is wrong with it, \`relayd config print --origin\` shows every
value that counts and who set it. For completion and checks while you type, begin the file with
\`# yaml-language-server: $schema=…\` and the path of [config.schema.json](config.schema.json) (\`relayd config schema\` prints it).

## Who wins

From strong to weak:

1. flags: \`--profile\`, \`--role\`, and \`--set key.path=value\`, which may be repeated; of several for one key the last counts
2. the environment: \`RELAYD_\` and the key in capitals, with \`__\` between levels: \`RELAYD_RELAY__LIMITS__RESERVATIONS__MAX=256\`
3. the file: \`--config\`, else the one that \`RELAYD_CONFIG\` names
4. the profile, for the role (see [Profiles](#profiles))
5. the defaults below

A value in a flag or a variable is YAML, so \`[a, b]\` is a list; for a list, \`a,b\` will do. A list is replaced as a whole, never joined
with that of a weaker layer. An empty variable counts as not set. A \`RELAYD_\` variable that names no key is an error, except those that
Kubernetes and Docker set by themselves for a service called relayd (\`RELAYD_SERVICE_HOST\`, \`RELAYD_PORT_4001_TCP\` and the like).

Unknown keys, wrong units and named files that are missing or not what they should be are errors; all are reported at once, as
\`FILE:LINE:COLUMN: key.path: what is wrong; what would be right\`, and the exit code is 78.

## How values are written

| Kind | Written | Meaning |
|---|---|---|
| duration | \`500ms\` \`90s\` \`2m\` \`1h\` \`30d\` | a whole number and one unit |
| size | \`512B\` \`64KiB\` \`1MiB\` \`1GiB\` | bytes; KiB is 1024 |
| bytes per second | \`10MiB/s\` | bytes, not bits |
| rate | \`10/s\` \`30/m\` \`30/h\` \`1000/d\` | that many come back evenly over the time; as many may be spent at once |
| quota | \`10GiB/d\` \`1TiB/month\` | bytes in a day or a month of UTC |
| Redis URL, etcd URL | \`rediss://redis.example.org:6380\` \`http://127.0.0.1:2379\` | where the store is, without a name or password |
| unlimited | \`unlimited\` | no limit, where the table says so |
| path | \`./token\` \`~/token\` \`/run/token\` | relative to the file's folder; in a flag or a variable to the working directory |
| HOST:PORT | \`127.0.0.1:9641\` \`"[::1]:9641"\` | IPv6 in brackets, and then in quotes |
| full multiaddr | \`/dns4/relay.example.org/tcp/4001/p2p/12D3KooW…\` | an address over TCP and the peer that answers there |

A number without its unit is an error. Where a preset (a profile or a default) would contradict a value that you set, it gives way:
\`connections.high\` and \`connections.low\` follow a smaller \`connections.max\`, \`client.probe.timeout\` a shorter \`client.probe.interval\`.

Changes of keys marked *live* apply on SIGHUP (or \`POST /api/v1/reload\`); the others need a restart. Of a config with
another \`profile\` or \`role\` nothing applies before a restart, and the answer lists all that it would change.`;

function sectionText(name: string, node: Section): string {
  const tables = LARGE_SECTIONS.includes(name) ? partTables(name, node) : [table(keysOf(node, [name]))];
  return [`### ${name}`, node.doc, ...tables].join('\n\n');
}

const LARGE_SECTIONS = ['relay', 'coordination'];

/** Of a section with many keys: its own, then a table for each of the sections in it. */
function partTables(above: string, node: Section): string[] {
  const own = keysOf(node, [above]).filter(({ path }) => path.length === 2);
  const parts = Object.entries(node.fields).flatMap(([name, child]) => (child.kind === 'section' ? [`#### ${above}.${name}\n\n${child.doc}\n\n${table(keysOf(child, [above, name]))}`] : []));
  return [table(own), ...parts];
}

function table(keys: readonly PlacedKey[]): string {
  const rows = keys.map((placed) => row([`\`${placed.name}\``, defaultOf(placed.key), cell(placed.key.type.label), placed.key.live ? 'live' : 'restart', cell(placed.key.doc)]));
  return [row(['Key', 'Default', 'Value', 'Change', 'What it does']), '|---|---|---|---|---|', ...rows].join('\n');
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function defaultOf(key: Key<unknown>): string {
  return key.defaultText ?? (key.default === undefined ? 'none' : `\`${cell(inline(key.default))}\``);
}

function profilesText(): string {
  const columns = (Object.keys(PROFILES) as Profile[]).flatMap((profile) => (['relay', 'client', 'both'] as Role[]).map((role) => ({ title: `${profile} ${role}`, values: profileValues(profile, role) })));
  const names = keysOf(SCHEMA).map(({ name }) => name).filter((name) => columns.some(({ values }) => values.has(name)));
  const rows = names.map((name) => row([`\`${name}\``, ...columns.map(({ values }) => values.get(name) ?? '')]));
  return ['## Profiles', 'What a profile sets for a role; where a cell is empty, the default holds.', [row(['Key', ...columns.map(({ title }) => title)]), `|---${'|---'.repeat(columns.length)}|`, ...rows].join('\n')].join('\n\n');
}

function profileValues(profile: Profile, role: Role): Map<string, string> {
  return new Map(readProfile(profile, role).settings.map((setting) => [setting.placed.name, `\`${inline(encode(setting))}\``]));
}
