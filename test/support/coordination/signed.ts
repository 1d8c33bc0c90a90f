import type { SharedRevocations } from '../../../src/coordination/backend.ts';
import type { Proofs } from '../../../src/coordination/proofs.ts';

/**
 * Records and lists are opaque to a backend, which asks whether they are signed. Those of the tests say in words who has signed them and under which
 * number; what says anything else is forged. test/unit/coordination/proofs.test.ts has real signatures.
 */

/** @param more what else it says, `<address> ...` where relays have links */
export function signedRecord({ id, epoch }: { id: string; epoch: number }, more: string): Buffer {
  return Buffer.from(`${epoch} ${more} signed by ${id}`);
}

/** @param bytes how long it is at least */
export function signedList(sequence: number, authority = 'aa', bytes = 0): SharedRevocations {
  return { authority, sequence, list: new Uint8Array(Buffer.from(`list ${sequence} signed by ${authority}.`.padEnd(bytes, '.'))) };
}

export function proofsOf({ id, epoch }: { id: string; epoch: number }, ownAuthority?: string): Proofs {
  return {
    provesNewer: async (record) => (epochIn(id, record) ?? 0) > epoch,
    isOfRun: async (relay, run, record) => epochIn(relay, record) === run,
    signedSequence: ({ authority, list }) => {
      const [, sequence, by] = /^list (\d+) signed by ([^.]+)\.+$/.exec(Buffer.from(list).toString()) ?? [];
      return by === authority ? Number(sequence) : undefined;
    },
    ownAuthority: () => ownAuthority,
  };
}

function epochIn(relay: string, record: Uint8Array): number | undefined {
  const [, epoch, by] = /^(\d+) .* signed by (\S+)$/s.exec(Buffer.from(record).toString()) ?? [];
  return by === relay ? Number(epoch) : undefined;
}
