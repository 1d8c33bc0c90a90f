import { generateKeyPair } from '@libp2p/crypto/keys';
import type { PeerId } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { Candidate } from '../../../src/client/candidate.ts';
import type { HeldRelay } from '../../../src/client/held-relay.ts';
import type { SelectionState } from '../../../src/client/selection.ts';
import type { StandbyRelay } from '../../../src/client/standby-relay.ts';
import type { RelayStatement } from '../../../src/lib/directory/statement.ts';
import type { RelaySource } from '../../../src/lib/contracts.ts';

/** What a test says of a relay; the rest is as of one that was just found, in a network of its own. */
export interface Traits {
  source?: RelaySource;
  rttMs?: number;
  /** It failed so often, just now. */
  failed?: number;
  addr?: string;
  held?: { suspect?: boolean; refused?: boolean; reservation?: { tokenProblem: string; isMember?: boolean } };
  standby?: boolean;
  attemptAt?: number;
  retryAt?: number;
  listed?: boolean;
  says?: Partial<Omit<RelayStatement, 'load'>> & { load?: Partial<RelayStatement['load']> };
}

let networks = 0;

export async function newPeer(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
}

export async function candidate(traits: Traits = {}): Promise<Candidate> {
  networks += 1;
  const made = new Candidate(await newPeer(), [multiaddr(traits.addr ?? `/ip4/198.${networks >> 8}.${networks & 255}.1/tcp/4001`)], traits.source ?? 'manual');
  Object.assign(made, { rttMs: traits.rttMs, attemptAt: traits.attemptAt, retryAt: traits.retryAt ?? 0, listed: traits.listed ?? true });
  for (let i = 0; i < (traits.failed ?? 0); i++) made.history.failed(0);
  if (traits.held !== undefined) made.held = { suspect: false, refused: false, reservation: { tokenProblem: undefined, isMember: false }, ...traits.held } as HeldRelay;
  if (traits.standby === true) made.standby = {} as StandbyRelay;
  if (traits.says !== undefined) made.statement = { content: statement(traits.says), until: Infinity };
  return made;
}

export function statement({ load, ...rest }: NonNullable<Traits['says']> = {}): RelayStatement {
  return {
    sequence: 1,
    validMs: 60_000,
    version: '1.0.0',
    region: undefined,
    draining: false,
    drainEndsInMs: undefined,
    classes: [{ name: 'public', reservationsMax: 128, reservationTtlMs: 3_600_000, circuitDurationMs: 120_000, circuitBytesPerDirection: 131_072 }],
    load: { reservations: 0, circuits: 0, bandwidth: undefined, eventLoopDelayMs: 0, ...load },
    alternatives: [],
    ...rest,
  };
}

/** With randomness that draws the best, unless told. */
export function state(desired: number, rest: Partial<SelectionState> = {}): SelectionState {
  return { desired, nowMs: 0, random: () => 0, calmAt: 0, prefer: [], avoid: [], ...rest };
}
