import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection } from '@libp2p/interface';
import { systemClock } from '../../src/lib/clock.ts';
import { DirectoryEndpoint } from '../../src/lib/directory/endpoint.ts';
import { sealStatement } from '../../src/lib/directory/statement.ts';
import type { RelayStatement } from '../../src/lib/directory/statement.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { statement } from '../unit/client/candidate-support.ts';
import { addrOf, stockRelay } from '../unit/client/support.ts';
import type { TestNode } from '../unit/client/support.ts';

/** A standard relay that says of itself what the test wants. */
export interface TalkingRelay extends AsyncDisposable {
  node: TestNode;
  id: string;
  addr: string;
  /** From now on; the sequence grows by itself. */
  says: Partial<RelayStatement>;
  asked: number;
  push(changes: Partial<RelayStatement>): Promise<void>;
  clients(): Connection[];
}

export async function talkingRelay(says: Partial<RelayStatement> = {}, reservations: Parameters<typeof stockRelay>[0] = {}): Promise<TalkingRelay> {
  const privateKey = await generateKeyPair('Ed25519');
  const node = await stockRelay({ privateKey, ...reservations });
  const directory = new DirectoryEndpoint({ host: node, clock: systemClock, log: silentLogger });
  await directory.start();
  let sequence = Date.now();
  const sealed = (): Promise<Uint8Array> => sealStatement(statement({ ...made.says, sequence: sequence++ }), privateKey);
  const made: TalkingRelay = {
    node,
    id: node.peerId.toString(),
    addr: addrOf(node),
    says,
    asked: 0,
    push: async (changes) => {
      made.says = { ...made.says, ...changes };
      await Promise.all(made.clients().map(async (connection) => await directory.push(connection, await sealed(), AbortSignal.timeout(10_000))));
    },
    clients: () => node.getConnections().filter(({ status }) => status === 'open'),
    [Symbol.asyncDispose]: async () => {
      await directory.stop();
      await node.stop();
    },
  };
  directory.serve(() => {
    made.asked += 1;
    return sealed();
  });
  return made;
}
