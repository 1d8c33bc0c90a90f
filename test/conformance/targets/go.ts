import { peerIdFromString } from '@libp2p/peer-id';
import type { PeerProcess } from '../../interop/support/peer-process.ts';
import { startPeer } from '../../interop/support/peers.ts';
import { NotOffered } from './target.ts';
import type { ClientOptions, ClientTarget, RelayOptions, RelayTarget } from './target.ts';

/** go-libp2p's relay and client, by test/interop/go-peer. */
export async function startGoRelay(options: RelayOptions): Promise<RelayTarget> {
  refuseWhatItLacks(options);
  const args = [...identity(), ...relayFlags(options)];
  let process = await startPeer('go', { listen: true, security: 'noise', args });
  if (options.reachableThrough !== undefined) {
    await process.run('reserve', { relay: options.reachableThrough });
  }
  return {
    peerId: peerIdFromString(process.peerId),
    get addr() {
      return process.addr;
    },
    restart: async () => {
      await process.kill();
      process = await startPeer('go', { listen: true, security: 'noise', args });
    },
    // It keeps no tables that it shows.
    insight: async () => ({}),
    stop: () => process.kill(),
  };
}

export async function startGoClient(options: ClientOptions): Promise<ClientTarget> {
  if (options.refuseRelayed === true) {
    throw new NotOffered('go-peer has no connection gater');
  }
  const process = await startPeer('go', { security: 'noise', args: ['--mode', 'client'] });
  const held: string[] = [];
  for (const relay of options.relays) {
    void holdOn(process, relay).then((holds) => holds && held.push(peerOf(relay)));
  }
  return { peerId: peerIdFromString(process.peerId), holds: async () => held, stop: () => process.kill() };
}

async function holdOn(process: PeerProcess, relay: string): Promise<boolean> {
  try {
    await process.run('reserve', { relay }, 5_000);
    return true;
  } catch {
    return false;
  }
}

function peerOf(addr: string): string {
  return addr.slice(addr.lastIndexOf('/') + 1);
}

function refuseWhatItLacks(options: RelayOptions): void {
  const lacking: [keyof RelayOptions, string][] = [
    ['reservationsPerPrefix', 'go-peer lifts the limit of reservations per prefix'],
    ['reservesPerHour', 'a limit of RESERVE requests'],
    ['maxCircuits', 'a limit of circuits in all'],
    ['deny', 'go-peer has no access lists'],
    ['announce', 'go-peer announces what it listens on'],
    ['connections', 'go-peer runs without a connection manager'],
  ];
  const missing = lacking.find(([option]) => options[option] !== undefined);
  if (missing !== undefined) {
    throw new NotOffered(missing[1]);
  }
}

/** It has one limit of circuits for a peer, whichever side it is on. Half unlimited is 0, as the specification has it. */
function relayFlags(options: RelayOptions): string[] {
  const { durationSeconds, bytesPerDirection, circuitsPerSource, circuitsPerTarget } = options;
  const values: Record<string, string | number | undefined> = {
    mode: 'relay',
    'relay-ttl': `${options.ttlSeconds}s`,
    'relay-limit-duration': `${durationSeconds === 'unlimited' ? 0 : durationSeconds}s`,
    'relay-limit-data': bytesPerDirection === 'unlimited' ? 0 : bytesPerDirection,
    'relay-max-reservations': options.maxReservations,
    'relay-max-circuits': circuitsPerSource ?? circuitsPerTarget ?? 64,
  };
  const flags = Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const unlimited = durationSeconds === 'unlimited' && bytesPerDirection === 'unlimited';
  return unlimited ? [...flags, '--relay-unlimited'] : flags;
}

let seeds = 0;

/** One that survives a restart of the process. */
function identity(): string[] {
  return ['--seed', String(process.pid * 1_000 + seeds++)];
}
