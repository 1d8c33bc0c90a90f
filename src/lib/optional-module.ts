import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** A module with a native part that is not there on every platform; `undefined` where it cannot be loaded. */
export function optionalModule(name: string): unknown {
  try {
    return require(name);
  } catch {
    return undefined;
  }
}
