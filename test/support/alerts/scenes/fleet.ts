import type { Scene } from '../scene.ts';

/** Two relays and a client that holds both are what tier 2 is about; one relay alone is tier 1. */
export const FLEET: Scene = {
  name: 'fleet',
  title: 'of two relays one is killed, then both; a client holds them',
  alerts: ['RelaydRelayDown', 'RelaydOneRelayLeft', 'RelaydClientHoldsTooFew', 'RelaydNoRelayUp', 'RelaydClientHoldsNoReservation', 'RelaydNotReady'],
  async run(stage) {
    const relays = [await stage.node('relay-a', { role: 'relay' }), await stage.node('relay-b', { role: 'relay' })] as const;
    await stage.node('client', { role: 'client', config: { client: { relays: relays.map(({ addr }) => addr), desired: 2 } } });
    const kill = (which: readonly (typeof relays)[number][]): Promise<unknown> => Promise.all(which.map((relay) => relay.kill()));
    const start = (which: readonly (typeof relays)[number][]): Promise<unknown> => Promise.all(which.map((relay) => relay.start()));
    await stage.measure(['RelaydRelayDown', 'RelaydOneRelayLeft', 'RelaydClientHoldsTooFew'], {
      what: 'one of two relays gets SIGKILL; it is started again',
      break: () => kill([relays[0]]),
      repair: () => start([relays[0]]),
    });
    await stage.measure(['RelaydNoRelayUp', 'RelaydClientHoldsNoReservation', 'RelaydNotReady'], {
      what: 'both relays get SIGKILL; they are started again',
      break: () => kill(relays),
      repair: () => start(relays),
    });
  },
};

export const ONLY_RELAY: Scene = {
  name: 'only-relay',
  title: 'the one relay of tier 1 is killed',
  alerts: ['RelaydNoRelayUp'],
  async run(stage) {
    const relay = await stage.node('relay', { role: 'relay', config: { profile: 'tier1' } });
    await stage.measure(['RelaydNoRelayUp'], { what: 'the only relay gets SIGKILL; it is started again', break: () => relay.kill(), repair: () => relay.start() });
  },
};

export const NOTHING_WATCHED: Scene = {
  name: 'nothing-watched',
  title: 'Prometheus loses all its targets',
  alerts: ['RelaydNothingWatched'],
  async run(stage) {
    await stage.node('relay', { role: 'relay' });
    await stage.measure(['RelaydNothingWatched'], { what: 'the list of targets is empty; it is filled again', break: () => stage.blind(true), repair: () => stage.blind(false) });
  },
};

/** As many as the alert wants, and long enough apart to be seen. */
const RESTARTS = 3;

export const RESTARTING: Scene = {
  name: 'restarting',
  title: 'a relay is killed and started again, three times',
  alerts: ['RelaydRestarting'],
  async run(stage) {
    const relay = await stage.node('relay', { role: 'relay' });
    const restart = async (): Promise<void> => {
      await relay.kill();
      await relay.start();
      await stage.untilScraped();
    };
    await stage.measure(['RelaydRestarting'], {
      what: 'three times SIGKILL and a start; then it is left alone',
      break: async () => {
        for (let i = 0; i < RESTARTS; i++) await restart();
      },
      repair: () => {},
    });
  },
};

export const CLIENT_DOWN: Scene = {
  name: 'client-down',
  title: 'a client is killed',
  alerts: ['RelaydClientDown'],
  async run(stage) {
    const relay = await stage.node('relay', { role: 'relay' });
    const client = await stage.node('client', { role: 'client', config: { client: { relays: [relay.addr], desired: 1 } } });
    await stage.measure(['RelaydClientDown'], { what: 'the client gets SIGKILL; it is started again', break: () => client.kill(), repair: () => client.start() });
  },
};
