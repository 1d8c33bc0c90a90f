/** One line of a Dockerfile, its continuations joined. */
export interface Step {
  readonly line: number;
  readonly name: string;
  readonly rest: string;
}

export interface Stage {
  readonly from: string;
  readonly name: string | undefined;
  readonly steps: readonly Step[];
}

/** The stages of a Dockerfile, in order. Comments, blank lines and `# syntax=` are nothing. */
export function parseDockerfile(text: string): Stage[] {
  const stages: { from: string; name: string | undefined; steps: Step[] }[] = [];
  for (const step of stepsOf(text)) {
    if (step.name === 'FROM') {
      const [from = '', , name] = step.rest.split(/\s+/);
      stages.push({ from, name, steps: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (stage === undefined) {
      throw new Error(`Dockerfile:${step.line}: ${step.name} stands before the first FROM`);
    }
    stage.steps.push(step);
  }
  return stages;
}

function stepsOf(text: string): Step[] {
  const steps: Step[] = [];
  let open: { line: number; parts: string[] } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) {
      continue;
    }
    open ??= { line: index + 1, parts: [] };
    const continued = line.endsWith('\\');
    open.parts.push(continued ? line.slice(0, -1) : line);
    if (!continued) {
      steps.push(stepOf(open.line, open.parts.join('').trim()));
      open = undefined;
    }
  }
  return steps;
}

function stepOf(line: number, text: string): Step {
  const [name = ''] = text.split(/\s/, 1);
  return { line, name: name.toUpperCase(), rest: text.slice(name.length).trim() };
}

/** `A=1 B="two words"`, as ENV and LABEL have it. */
export function assignments(rest: string): [name: string, value: string][] {
  return [...rest.matchAll(/([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)/g)].map(([, name = '', value = '']) => [name, value.startsWith('"') ? (JSON.parse(value) as string) : value]);
}

/** `["relayd", "run"]`; a command for the shell in any other form is more than this Dockerfile needs. */
export function execForm(step: Step): string[] {
  const text = step.rest.slice(step.rest.indexOf('['));
  try {
    return JSON.parse(text) as string[];
  } catch {
    throw new Error(`Dockerfile:${step.line}: ${step.name} is not a JSON list of words`);
  }
}
