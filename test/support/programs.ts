import { toolPath } from './netns/why-not.ts';

/** For a test's `skip`: which of these programs is not installed, or false. */
export function lacking(...programs: readonly string[]): string | false {
  const missing = programs.filter((program) => toolPath(program) === undefined);
  return missing.length > 0 && `not installed: ${missing.join(', ')}`;
}
