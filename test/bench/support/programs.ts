import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makePeer, passed } from '../../../scripts/lib/peers.ts';
import type { Peer } from '../../../scripts/lib/peers.ts';

/** The programs in other languages that benchmarks run: built when they are needed, into `.cache/bench`. */

const OUT = fileURLToPath(new URL('../../../.cache/bench/', import.meta.url));

/** test/bench/load/README.md. */
export const LOAD = program('load', 'test/bench/load', 'go', resolve(OUT, 'load'), ['build', '-trimpath', '-o', resolve(OUT, 'load'), '.']);

/** The peer of the interop tests again; for those it is built fast, here it is built to be fast. */
export const RUST_PEER = program('rust-peer (measured)', 'test/interop/rust-peer', 'cargo', resolve(OUT, 'rust', 'measured', 'rust-peer'), ['build', '--profile', 'measured', '--locked', '--quiet', '--target-dir', resolve(OUT, 'rust')]);

interface Program extends Peer {
  readonly program: { readonly file: string };
}

function program(name: string, source: string, tool: string, file: string, args: readonly string[]): Program {
  return { name, source, tool, build: args, program: { file } };
}

const builds = new Map<Program, Promise<string>>();

/** Builds it once a run. @returns where the program is. @throws Error when it cannot be built on this machine */
export async function built(wanted: Program): Promise<string> {
  const under = builds.get(wanted) ?? build(wanted);
  builds.set(wanted, under);
  return under;
}

async function build(wanted: Program): Promise<string> {
  const report = await makePeer(wanted);
  if (!passed(report)) {
    throw new Error(`${wanted.name} was not built: ${report.results.map(({ detail }) => detail).join('; ')}\n${report.output}`);
  }
  return wanted.program.file;
}
