/**
 * A tutorial as a program. The marks stand in the info strings of its code blocks, which readers do not see, and in comments:
 *
 *   <!-- machines: server 203.0.113.7; home private; laptop private -->   where it happens; a private one has a NAT router of its own
 *   <!-- needs: chromium -->             a program without which it cannot be run
 *   ```sh on=server                     commands, which must succeed; with `fails` they must not
 *   ```sh on=server again              one that only looks: it is run again until it has printed what the next block shows
 *   ```sh on=server until=ready         a command that goes on: until it has written what the pattern matches
 *   ```sh on=server capture=LINE        its last line of output (with `until`: what that matches) replaces LINE in all that follows
 *   ```yaml on=server file=relay.yaml   a file
 *   ```text                             what the block before it has printed, `…` for anything
 *   <!-- sh on=home …commands… -->      what the reader has already: a service, a key; and `<!-- stop on=server -->`, Ctrl-C
 */
export interface Tutorial {
  readonly machines: readonly MachineMark[];
  /** Programs without which it cannot be run. */
  readonly needs: readonly string[];
  readonly steps: readonly Step[];
}

export interface MachineMark {
  readonly name: string;
  /** Its public address; `undefined` behind a NAT router. */
  readonly address: string | undefined;
}

export type Step = RunStep | FileStep | OutputStep | StopStep;

interface At {
  /** The line of its first mark in the tutorial. */
  readonly line: number;
}

export interface RunStep extends At {
  readonly kind: 'run';
  readonly on: string;
  readonly script: string;
  readonly until: string | undefined;
  readonly capture: string | undefined;
  readonly fails: boolean;
  readonly again: boolean;
}

export interface FileStep extends At {
  readonly kind: 'file';
  readonly on: string;
  readonly path: string;
  readonly text: string;
}

export interface OutputStep extends At {
  readonly kind: 'output';
  readonly text: string;
}

export interface StopStep extends At {
  readonly kind: 'stop';
  readonly on: string;
}

interface Block extends At {
  readonly language: string;
  readonly marks: ReadonlyMap<string, string>;
  readonly text: string;
}

const FENCE = /^```(?<info>[^\n]*)\n(?<text>[\s\S]*?)^```$/gm;
const COMMENT = /^<!-- (?<info>(?:sh|stop)[^\n]*?)(?: -->|\n(?<text>[\s\S]*?)^-->)$/gm;
const NEEDS = /^<!-- needs: ([^\n]*) -->$/m;
const MACHINES = /^<!-- machines: ([^\n]*) -->$/m;

/** @throws Error that names the line, for a block that would be run by nobody */
export function parseTutorial(markdown: string): Tutorial {
  const marked = MACHINES.exec(markdown)?.[1] ?? '';
  const machines = marked.split(';').filter((part) => part.trim() !== '').map(machineOf);
  const blocks = [...blocksOf(markdown, FENCE), ...blocksOf(markdown, COMMENT)].toSorted((a, b) => a.line - b.line);
  const names = new Set(machines.map(({ name }) => name));
  const needs = (NEEDS.exec(markdown)?.[1] ?? '').split(' ').filter((name) => name !== '');
  return { machines, needs, steps: blocks.map((block) => stepOf(block, names)) };
}

function machineOf(text: string): MachineMark {
  const [name = '', where = ''] = text.trim().split(' ');
  return { name, address: where === 'private' ? undefined : where };
}

function blocksOf(markdown: string, pattern: RegExp): Block[] {
  return [...markdown.matchAll(pattern)].map((match) => {
    const [language = '', ...marks] = (match.groups?.['info'] ?? '').trim().split(/\s+/);
    const pairs = marks.map((mark): [string, string] => [mark.replace(/=.*/, ''), mark.replace(/^[^=]*=?/, '')]);
    return { language, marks: new Map(pairs), text: match.groups?.['text'] ?? '', line: markdown.slice(0, match.index).split('\n').length };
  });
}

function stepOf({ language, marks, text, line }: Block, machines: ReadonlySet<string>): Step {
  if (language === 'text') {
    return { kind: 'output', text, line };
  }
  const on = marks.get('on') ?? '';
  if (!machines.has(on)) {
    throw new Error(`line ${line}: a block of ${language} on ${on === '' ? 'no machine' : `an unknown machine, ${on}`}: nobody would run it`);
  }
  const path = marks.get('file');
  if (path !== undefined) {
    return { kind: 'file', on, path, text, line };
  }
  if (language === 'stop') {
    return { kind: 'stop', on, line };
  }
  if (language !== 'sh') {
    throw new Error(`line ${line}: a block of ${language} that is no file: nobody would run it`);
  }
  return { kind: 'run', on, script: text, until: marks.get('until'), capture: marks.get('capture'), fails: marks.has('fails'), again: marks.has('again'), line };
}
