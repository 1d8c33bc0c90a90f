import { allCommands } from '../../src/cli/command-tree.ts';
import type { CommandFacts, OptionFacts } from '../../src/cli/command-tree.ts';
import { EXIT_CODES_HELP } from '../../src/cli/exit-codes.ts';

/** mandoc's style rule: lines of at most 80 bytes. */
const MAX_LINE = 80;

/** relayd(1) as roff, from what the commands say of themselves. */
export function manPage(tree: CommandFacts, version: string): string {
  const commands = [...allCommands(tree)].filter((command) => command.path.length > 0 && command.path.at(-1) !== 'help' && command.commands.length === 0);
  const lines = [
    `.\\" Made from the commands' help by scripts/generate-reference.ts.`,
    `.TH RELAYD 1 "" "p2p\\-relayd ${escaped(version)}" "User Commands"`,
    '.SH NAME',
    ...prose(`relayd - ${tree.description.replace(/\.$/, '')}`),
    '.SH SYNOPSIS',
    '.B relayd',
    escaped(tree.usage.replace(/^relayd /, '')),
    '.SH OPTIONS',
    'These stand with every command.',
    ...tree.options.flatMap(optionLines),
    '.SH COMMANDS',
    ...commands.flatMap((command) => commandLines(command, tree.options)),
    '.SH NOTES',
    ...exampleLines(withoutExitCodes(tree.notes).split('\n')),
    '.SH EXIT STATUS',
    ...exampleLines(EXIT_CODES_HELP.split('\n').slice(1)),
    ...FIXED_SECTIONS,
  ];
  return `${lines.join('\n')}\n`;
}

/** What no command's help says. */
const FIXED_SECTIONS = [
  '.SH ENVIRONMENT',
  ...entry('RELAYD_CONFIG', 'The config file, where --config names none.'),
  ...entry('RELAYD_SECTION__KEY', 'One key of the config, such as RELAYD_RELAY__LIMITS__RESERVATIONS__MAX=64.'),
  ...entry('STATE_DIRECTORY', 'The data directory, where dataDir names none; systemd sets it for a service.'),
  ...entry('XDG_STATE_HOME', 'The folder whose relayd is the data directory otherwise; $HOME/.local/state where it is not set.'),
  '.SH FILES',
  'In the data directory:',
  ...entry('identity.key', 'The private key: who has it is this peer. Keep a copy.'),
  ...entry('admin.json', 'Where the running daemon answers, and the token; the commands find it by this file.'),
  '.SH SEE ALSO',
  ...prose('The files in docs/reference of the package: every config key, every metric, every error, the protocols.'),
];

function entry(term: string, text: string): string[] {
  return ['.TP', `.B ${escaped(term)}`, ...prose(text)];
}

function optionLines(option: OptionFacts): string[] {
  return entry(option.term, option.description);
}

/** @param everywhere the options that every command takes: they are not said again */
function commandLines(command: CommandFacts, everywhere: readonly OptionFacts[]): string[] {
  const known = new Set(everywhere.map((option) => option.term));
  return [
    `.SS ${escaped(command.usage.replace(/ ?\[options\]/, '').trim())}`,
    ...prose(command.description),
    ...command.options.filter((option) => !known.has(option.term)).flatMap(optionLines),
    ...noteLines(command.notes),
  ];
}

/** Paragraphs and tables in the help's own columns; the exit codes have a section of their own. */
function noteLines(notes: string): string[] {
  const text = withoutExitCodes(notes);
  return text === '' ? [] : ['.PP', ...exampleLines(text.split('\n'))];
}

function withoutExitCodes(notes: string): string {
  return notes.replace(EXIT_CODES_HELP, '').trim().replaceAll(/\n{3,}/g, '\n\n');
}

/** Running text, whose lines roff fills again; its sources are kept to what a terminal shows. */
function prose(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).map(escaped)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < MAX_LINE) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines.map(guarded);
}

/** As they are, line by line. */
function exampleLines(lines: readonly string[]): string[] {
  return ['.nf', ...lines.map((line) => (line.trim() === '' ? '.sp' : guarded(escaped(line)))), '.fi'];
}

/** A line that begins with a dot or a quote would be a request. */
function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** Hyphens that a reader may copy, and the characters that roff would take for its own. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('…', '...').replaceAll('·', '|').replaceAll('^', '\\(ha').replaceAll('~', '\\(ti').replaceAll("'", '\\(aq').replaceAll('`', '\\(ga');
}
