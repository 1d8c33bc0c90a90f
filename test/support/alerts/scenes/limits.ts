import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { patternBytes } from '../../bytes.ts';
import { WirePeer } from '../../wire-peer.ts';
import { Again } from '../scene.ts';
import type { Scene } from '../scene.ts';
import type { Stage } from '../stage.ts';

/** More than the largest window: what is over waits in the relay. */
const TOO_MUCH_BYTES = 4 * 1024 * 1024;
const ASK_EVERY_MS = 100;
const KNOCK_EVERY_MS = 100;
/** At once, each time: the rate that alerts is 1 a second above what is let in. */
const KNOCKS = 3;

async function reserved(stage: Stage, relay: { addr: string }): Promise<WirePeer> {
  const peer = await stage.peer(relay);
  const { status } = await peer.reserve();
  if (status !== 100) throw new Error(`RESERVE was answered ${status}`);
  return peer;
}

export const RESERVATIONS: Scene = {
  name: 'reservations',
  title: 'all reservations of a relay are taken, and others ask for one',
  alerts: ['RelaydReservationsNearlyFull', 'RelaydRefusingForCapacity'],
  async run(stage) {
    const relay = await stage.node('relay', { role: 'relay', config: { relay: { limits: { reservations: { max: 2 }, rates: { reservePerPeer: 'unlimited', reservePerPrefix: 'unlimited' } } } } });
    const holders: WirePeer[] = [];
    const late = await stage.peer(relay);
    const asking = new Again(ASK_EVERY_MS, () => late.reserve());
    stage.defer(() => asking.stop());
    await stage.measure(['RelaydReservationsNearlyFull', 'RelaydRefusingForCapacity'], {
      what: 'two peers hold the two reservations that there are, a third asks ten times a second; the two leave',
      break: async () => {
        holders.push(await reserved(stage, relay), await reserved(stage, relay));
        asking.start();
      },
      repair: async () => {
        await Promise.all(holders.map((peer) => peer.stop()));
        await asking.stop();
      },
    });
  },
};

export const CIRCUITS: Scene = {
  name: 'circuits',
  title: 'all circuits of a relay are in use',
  alerts: ['RelaydCircuitsNearlyFull'],
  async run(stage) {
    const relay = await stage.node('relay', { role: 'relay', config: { relay: { limits: { circuits: { max: 1 } } } } });
    const [target, source] = [await reserved(stage, relay), await stage.peer(relay)];
    await stage.measure(['RelaydCircuitsNearlyFull'], {
      what: 'the one circuit that there may be is open; its source leaves',
      break: () => source.connectTo(target.peerId),
      repair: () => source.stop(),
    });
  },
};

export const BUFFERS: Scene = {
  name: 'buffers',
  title: 'receivers stop reading, and what is sent to them waits in the relay',
  alerts: ['RelaydBuffersNearlyFull'],
  async run(stage) {
    const limits = { circuits: { duration: 'unlimited', bytesPerDirection: 'unlimited', idle: 'unlimited' }, memory: { perDirection: '256KiB', total: '512KiB' } };
    const relay = await stage.node('relay', { role: 'relay', config: { relay: { limits } } });
    const [target, source] = [await reserved(stage, relay), await stage.peer(relay)];
    await stage.measure(['RelaydBuffersNearlyFull'], {
      what: 'the receivers of two circuits stop reading, at 512 KiB of buffers in all; their sender leaves',
      break: async () => {
        const circuits = [await source.connectTo(target.peerId), await source.connectTo(target.peerId)];
        for (const { stream } of circuits) {
          (await target.nextIncoming()).stream.pause();
          stream.send(patternBytes(TOO_MUCH_BYTES));
        }
      },
      repair: () => source.stop(),
    });
  },
};

export const EAGER_PEER: Scene = {
  name: 'eager-peer',
  title: 'a peer asks more often than its rate allows',
  alerts: ['RelaydRefusingOften'],
  async run(stage) {
    const relay = await stage.node('relay', { role: 'relay', config: { relay: { limits: { rates: { reservePerPeer: '2/h' } } } } });
    const peer = await stage.peer(relay);
    const asking = new Again(ASK_EVERY_MS, () => peer.reserve());
    stage.defer(() => asking.stop());
    await stage.measure(['RelaydRefusingOften'], {
      what: 'a peer that may reserve twice an hour asks ten times a second; it stops',
      break: () => asking.start(),
      repair: () => asking.stop(),
    });
  },
};

export const CONNECTIONS: Scene = {
  name: 'connections',
  title: 'a relay has as many connections as it may, and others come',
  alerts: ['RelaydConnectionsRefused'],
  async run(stage) {
    const relay = await stage.node('relay', { role: 'relay', config: { connections: { low: 1, high: 2, max: 2, pendingPerPrefix: 'unlimited', inboundPerPrefix: 'unlimited' } } });
    // Those with a reservation are not closed to make room.
    const holders = [await reserved(stage, relay), await reserved(stage, relay)];
    const late = await WirePeer.start();
    const asking = new Again(ASK_EVERY_MS, () => late.connect(relay.addr));
    stage.defer(() => late.stop());
    stage.defer(() => asking.stop());
    await stage.measure(['RelaydConnectionsRefused'], {
      what: 'two peers hold the two connections that there may be, a third dials ten times a second; the two leave',
      break: () => asking.start(),
      repair: async () => {
        await asking.stop();
        await Promise.all(holders.map((peer) => peer.stop()));
      },
    });
  },
};

export const KNOCKING: Scene = {
  name: 'knocking',
  title: 'one network opens more connections than it may',
  alerts: ['RelaydHandshakesRefused'],
  async run(stage) {
    const relay = await stage.node('relay', { role: 'relay', config: { connections: { inboundPerPrefix: '2/s' }, relay: { prefixes: { exempt: [] } } } });
    const port = Number(/\/tcp\/(\d+)/.exec(relay.addr)?.[1]);
    const sockets = new Set<Socket>();
    const knock = (): void => {
      for (let i = 0; i < KNOCKS; i++) sockets.add(connect({ host: '127.0.0.1', port }).on('error', () => {}));
    };
    const knocking = new Again(KNOCK_EVERY_MS, knock);
    stage.defer(() => sockets.forEach((socket) => socket.destroy()));
    stage.defer(() => knocking.stop());
    await stage.measure(['RelaydHandshakesRefused'], {
      what: 'one address opens 30 sockets a second where 2 are let in; it stops',
      break: () => knocking.start(),
      repair: () => knocking.stop(),
    });
  },
};
