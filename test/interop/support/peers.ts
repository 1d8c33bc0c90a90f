import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../../support/netns/namespace.ts';
import { PeerProcess } from './peer-process.ts';

/** go-libp2p, rust-libp2p, and stock js-libp2p in its versions 3 and 2. */
export type PeerKind = 'go' | 'rust' | 'js3' | 'js2';

export interface PeerOptions {
  /** Listen on loopback, to be dialled directly. Off: a peer that only a relay makes reachable. */
  listen?: boolean;
  /** What it offers for encryption; js has noise alone. */
  security?: 'noise' | 'tls';
  /** Further flags: test/interop/<peer>/README.md. */
  args?: readonly string[];
  /** Where it runs; this machine's own network unless said otherwise. */
  at?: Pick<Namespace, 'command'>;
}

interface Program {
  /** What has to be there, and how it comes to be. */
  file: string;
  remedy: string;
  command: (file: string) => [string, ...string[]];
}

const INTEROP = fileURLToPath(new URL('..', import.meta.url));
const CACHE = resolve(INTEROP, '..', '..', '.cache', 'interop');
const JS2 = resolve(INTEROP, 'js-peers', 'js2');

/** `scripts/test` builds them and names them in the environment; a test run by itself takes what was built last. */
const PROGRAMS: Record<PeerKind, Program> = {
  go: native('GO_PEER', resolve(CACHE, 'go-peer'), 'go'),
  rust: native('RUST_PEER', resolve(CACHE, 'rust', 'release', 'rust-peer'), 'cargo'),
  js3: { file: resolve(INTEROP, 'js-peers', 'js3-peer.mjs'), remedy: 'it is part of the checkout', command: (file) => [process.execPath, file] },
  js2: { file: resolve(JS2, 'node_modules', 'libp2p'), remedy: 'run npm ci in test/interop/js-peers/js2', command: () => [process.execPath, resolve(JS2, 'peer.mjs')] },
};

function native(variable: string, built: string, tool: string): Program {
  return { file: process.env[variable] ?? built, remedy: `scripts/test builds it where ${tool} is installed`, command: (file) => [file] };
}

/** For a test's `skip`: why it cannot run without these peers, or false. On CI nothing is skipped: the peer's start fails. */
export function missing(...kinds: PeerKind[]): string | false {
  const kind = kinds.find((wanted) => !existsSync(PROGRAMS[wanted].file));
  return kind === undefined || process.env['CI'] === 'true' ? false : `the ${kind} peer is not built: ${PROGRAMS[kind].remedy}`;
}

export async function startPeer(kind: PeerKind, options: PeerOptions = {}): Promise<PeerProcess> {
  const { file, remedy, command } = PROGRAMS[kind];
  if (!existsSync(file)) {
    throw new Error(`the ${kind} peer is not built: ${remedy}`);
  }
  const [program, ...first] = options.at?.command(command(file)) ?? command(file);
  const listen = options.listen === true ? ['--listen', '/ip4/127.0.0.1/tcp/0'] : [];
  const security = options.security === undefined ? [] : ['--security', options.security];
  return PeerProcess.start(`${kind} peer`, program, [...first, ...listen, ...security, ...(options.args ?? [])]);
}
