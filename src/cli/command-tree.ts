import type { Argument, Command, Help, Option } from 'commander';
import type { EventEmitter } from 'node:events';

/** The commands as data: what completions and the man page are made from, so that neither can tell another story than `--help`. */
export interface CommandFacts {
  /** Without the program's name; empty for the program itself. */
  readonly path: readonly string[];
  /** `relayd config check [options] [file]` */
  readonly usage: string;
  readonly description: string;
  readonly options: readonly OptionFacts[];
  readonly operands: readonly ValueFacts[];
  readonly commands: readonly CommandFacts[];
  /** What stands below the lists in the command's help. */
  readonly notes: string;
}

export interface OptionFacts {
  /** As the help shows it: `-c, --config <file>` */
  readonly term: string;
  /** `-c` and `--config` */
  readonly flags: readonly string[];
  readonly description: string;
  readonly value: ValueFacts | undefined;
}

/** What follows an option, or a command. */
export interface ValueFacts {
  readonly kind: 'choice' | 'file' | 'other';
  readonly choices: readonly string[];
}

/** commander's own command, which every command with subcommands has. */
const HELP = 'help';

/** Placeholders that stand for a path. */
const PATH_NAME = /^(.*[-_ ])?(file|dir|folder|path)$/i;

/** Commands and options that the help hides are not there. Options of the program itself are those of every command. */
export function commandTree(program: Command): CommandFacts {
  return factsOf(program, [], []);
}

/** @param siblings the names of the commands beside it */
function factsOf(command: Command, path: readonly string[], siblings: readonly string[]): CommandFacts {
  const help = command.createHelp();
  const subcommands = help.visibleCommands(command);
  const names = subcommands.map((sub) => sub.name());
  return {
    path,
    usage: help.commandUsage(command),
    description: help.commandDescription(command),
    options: help.visibleOptions(command).map((option) => optionFacts(help, option)),
    operands: command.name() === HELP ? [siblingNames(siblings)] : command.registeredArguments.map(operandFacts),
    commands: subcommands.map((sub) => factsOf(sub, [...path, sub.name()], names)),
    notes: notesOf(command),
  };
}

/** Every command of the tree, parents before their children. */
export function* allCommands(tree: CommandFacts): Generator<CommandFacts> {
  yield tree;
  for (const command of tree.commands) {
    yield* allCommands(command);
  }
}

function optionFacts(help: Help, option: Option): OptionFacts {
  const flags = [option.short, option.long].filter((flag) => flag !== undefined);
  const takesValue = option.required || option.optional;
  return { term: help.optionTerm(option), flags, description: help.optionDescription(option), value: takesValue ? valueFacts(placeholder(option.flags), option.argChoices) : undefined };
}

/** `-c, --config <file>` has the placeholder `file`. */
function placeholder(flags: string): string {
  return /[<[]([^>\]]+)[>\]]/.exec(flags)?.[1] ?? '';
}

function operandFacts(argument: Argument): ValueFacts {
  return valueFacts(argument.name(), argument.argChoices);
}

function valueFacts(name: string, choices: readonly string[] | undefined): ValueFacts {
  if (choices !== undefined) {
    return { kind: 'choice', choices };
  }
  return { kind: PATH_NAME.test(name) ? 'file' : 'other', choices: [] };
}

/** `relayd help` is followed by one of the commands beside it. */
function siblingNames(siblings: readonly string[]): ValueFacts {
  return { kind: 'choice', choices: siblings.filter((name) => name !== HELP) };
}

/** commander keeps no text that was added to a help: it writes it when the help is printed. */
function notesOf(command: Command): string {
  let text = '';
  (command as unknown as EventEmitter).emit('afterHelp', { error: false, command, write: (part: string) => (text += part) });
  return text.trim();
}
