// bench: N clients (default 20) behind one address, and what the default limits of a relay do with them
import { Status, statusName } from '../../src/lib/circuit/protocol.ts';
import { WirePeer } from '../support/wire-peer.ts';
import { printTable, writeJson } from './support/report.ts';
import { startRelay } from './support/relay-process.ts';

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 20);
  const relay = await startRelay({});
  const outcomes: Record<string, number> = {};
  const peers: WirePeer[] = [];
  try {
    await Promise.all(
      Array.from({ length: count }, async () => {
        const outcome = await attempt(relay.addr, peers);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      }),
    );
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
    await relay.stop();
  }
  printTable({ clients: count, ...outcomes });
  writeJson('one-address', { clients: count, outcomes });
}

async function attempt(addr: string, peers: WirePeer[]): Promise<string> {
  const peer = await WirePeer.start();
  peers.push(peer);
  try {
    await peer.connect(addr);
  } catch (error) {
    return `not connected: ${(error as Error).name}`;
  }
  const { status, refusal } = await peer.reserve();
  return status === Status.OK ? 'reserved' : `${statusName(status)} (${refusal?.limit} ${refusal?.current}/${refusal?.maximum})`;
}

await main();
