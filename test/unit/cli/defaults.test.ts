import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { it } from 'node:test';
import { allCommands, commandTree } from '../../../src/cli/command-tree.ts';
import { CliContext } from '../../../src/cli/context.ts';
import { createProgram } from '../../../src/cli/program.ts';

it('every help shows defaults as a person would type them, not as the program keeps them', () => {
  const io = { stdout: { write: () => {} }, stderr: { write: () => {} }, env: {}, signals: new EventEmitter(), exitNow: () => {} };
  const options = [...allCommands(commandTree(createProgram(new CliContext(io))))].flatMap(({ path, options: own }) => own.map(({ term, description }) => `${path.join(' ')} ${term}: ${description}`));
  assert.ok(options.some((text) => text.includes('realm issue --expires <duration>: how long it holds (default: 30d)')), 'there are defaults to look at');
  assert.deepEqual(options.filter((text) => /default: (\d{4,}|[[{"])/.test(text)), []);
});
