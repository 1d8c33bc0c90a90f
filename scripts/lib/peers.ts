import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from '../../test/support/reporter.ts';
import { reportCommand } from './checks.ts';

/**
 * The test peers on other libp2p implementations, made ready when their tool is on this machine. Where it is not, the tests
 * that need the peer skip themselves; on CI that is a failure.
 */
export interface Peer {
  readonly name: string;
  /** Its folder in the checkout. */
  readonly source: string;
  readonly tool: string;
  readonly build: readonly string[];
  /** The built program, and the variable that tells the tests where it is. */
  readonly program?: { readonly file: string; readonly variable?: string };
  /** Made when this file has changed, where the tool does not find that out by itself. */
  readonly madeFrom?: string;
}

/** A first build fetches and compiles a whole libp2p. */
const BUILD_TIMEOUT_MS = 30 * 60_000;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OUT = resolve(ROOT, '.cache', 'interop');

const PEERS: readonly Peer[] = [
  {
    name: 'go-peer',
    source: 'test/interop/go-peer',
    tool: 'go',
    build: ['build', '-trimpath', '-o', resolve(OUT, 'go-peer'), '.'],
    program: { file: resolve(OUT, 'go-peer'), variable: 'GO_PEER' },
  },
  {
    name: 'rust-peer',
    source: 'test/interop/rust-peer',
    tool: 'cargo',
    build: ['build', '--release', '--locked', '--quiet', '--target-dir', resolve(OUT, 'rust')],
    program: { file: resolve(OUT, 'rust', 'release', 'rust-peer'), variable: 'RUST_PEER' },
  },
  {
    name: 'js2-peer',
    source: 'test/interop/js-peers/js2',
    tool: 'npm',
    build: ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'],
    madeFrom: 'package-lock.json',
  },
];

/** Builds what can be built, and names the programs in the environment of the tests. */
export async function buildPeers(onReport: (report: Report) => void): Promise<void> {
  for (const peer of PEERS.filter(({ source }) => existsSync(resolve(ROOT, source)))) {
    const report = await makePeer(peer);
    if (peer.program?.variable !== undefined && passed(report)) {
      process.env[peer.program.variable] = peer.program.file;
    }
    onReport(report);
  }
}

export function passed(report: Report): boolean {
  return report.results.every((result) => result.outcome === 'passed');
}

/** Builds one, unless it is there and its source has not changed: the tools find that out, or the stamp does. */
export async function makePeer(peer: Peer): Promise<Report> {
  const stamp = stampOf(peer);
  if (stamp?.isFresh === true) {
    return reportOf(peer, 'passed');
  }
  const tool = findTool(peer.tool);
  if (tool === undefined) {
    return reportOf(peer, process.env['CI'] === 'true' ? 'failed' : 'skipped', `${peer.tool} is not on this machine`);
  }
  if (peer.program !== undefined) {
    mkdirSync(dirname(peer.program.file), { recursive: true });
  }
  const build = (): Promise<Report> => reportCommand(titleOf(peer), tool, peer.build, BUILD_TIMEOUT_MS, resolve(ROOT, peer.source));
  const first = await build();
  // What it fetches may fail once; what it has by then is not fetched again.
  const report = passed(first) ? first : await build();
  if (stamp !== undefined && passed(report)) {
    writeFileSync(stamp.file, stamp.text);
  }
  return report;
}

function titleOf(peer: Peer): string {
  return `peer/${peer.name}`;
}

function reportOf(peer: Peer, outcome: 'passed' | 'failed' | 'skipped', reason?: string): Report {
  return { title: titleOf(peer), results: [{ name: titleOf(peer), outcome, durationMs: 0, reason, detail: reason }], durationMs: 0, output: '' };
}

/** Lies in node_modules, so it goes with what it speaks of. */
function stampOf(peer: Peer): { file: string; text: string; isFresh: boolean } | undefined {
  if (peer.madeFrom === undefined) {
    return undefined;
  }
  const text = createHash('sha256').update(readFileSync(resolve(ROOT, peer.source, peer.madeFrom))).digest('hex');
  const file = join(ROOT, peer.source, 'node_modules', '.relayd-stamp');
  return { file, text, isFresh: existsSync(file) && readFileSync(file, 'utf8') === text };
}

function findTool(name: string): string | undefined {
  return (process.env['PATH'] ?? '').split(delimiter).map((dir) => resolve(dir, name)).find((path) => existsSync(path));
}
