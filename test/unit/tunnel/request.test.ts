import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Connection, Stream } from '@libp2p/interface';
import { ManualClock } from '../../../src/lib/clock.ts';
import type { Dialler } from '../../../src/lib/contracts.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { TUNNEL_LIMITS } from '../../../src/tunnel/limits.ts';
import { Liveness } from '../../../src/tunnel/liveness.ts';
import { Requester, isRefusal } from '../../../src/tunnel/request.ts';
import { TunnelStatus } from '../../../src/tunnel/protocol.ts';

/** A connection whose streams never come, or fail as told. */
class FakeConnection {
  status = 'open';
  aborted = false;
  asked = 0;
  readonly #newStream: () => Promise<Stream>;

  constructor(newStream: () => Promise<Stream>) {
    this.#newStream = newStream;
  }

  newStream = (): Promise<Stream> => {
    this.asked++;
    return this.#newStream();
  };

  abort(): void {
    this.aborted = true;
    this.status = 'aborted';
  }
}

const never = (): Promise<never> => new Promise(() => {});
const failing = (name: string) => (): Promise<never> => Promise.reject(Object.assign(new Error(name), { name }));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(connections: FakeConnection[]): { clock: ManualClock; liveness: Liveness; requester: Requester; dials: () => number } {
  const clock = new ManualClock();
  const liveness = new Liveness(clock);
  let dials = 0;
  const dialler: Dialler = {
    dial: async () => {
      const connection = connections[dials++];
      if (connection === undefined) throw new RelaydError('NO_ADDRESS', 'no way is left');
      return { connection: connection as unknown as Connection, path: 'relay', via: undefined, dialMs: 1 };
    },
  };
  const requester = new Requester({ peer: 'peer', name: 'ssh', token: () => undefined, dialler, clock, limits: TUNNEL_LIMITS, liveness });
  return { clock, liveness, requester, dials: () => dials };
}

const live = (): AbortSignal => new AbortController().signal;

describe('Requester', () => {
  it('dials once more when the connection turns out to be closed', async () => {
    const [dead, second] = [new FakeConnection(failing('ConnectionClosedError')), new FakeConnection(failing('UnsupportedProtocolError'))];
    const { requester, dials } = setUp([dead, second]);
    await assert.rejects(requester.open(live()), { name: 'UnsupportedProtocolError' });
    assert.deepEqual([dials(), dead.asked, second.asked], [2, 1, 1]);
  });

  it('closes a connection that says nothing and dials once more, not twice', async () => {
    const silent = [new FakeConnection(never), new FakeConnection(never), new FakeConnection(never)];
    const { clock, requester, dials } = setUp(silent);
    const opened = requester.open(live());
    await turn();
    clock.advance(TUNNEL_LIMITS.openMs);
    await turn();
    assert.deepEqual([silent[0]?.aborted, dials()], [true, 2]);
    clock.advance(TUNNEL_LIMITS.openMs);
    await assert.rejects(opened, { code: 'TIMEOUT' });
    assert.deepEqual([silent[1]?.aborted, dials()], [false, 2]);
    assert.equal(clock.pending, 0);
  });

  it('leaves a slow connection alone that carries other data', async () => {
    const busy = new FakeConnection(never);
    const { clock, liveness, requester, dials } = setUp([busy]);
    const opened = requester.open(live());
    await turn();
    clock.advance(TUNNEL_LIMITS.openMs / 2);
    liveness.heard(busy as unknown as Connection);
    clock.advance(TUNNEL_LIMITS.openMs / 2);
    await assert.rejects(opened, { code: 'TIMEOUT' });
    assert.deepEqual([busy.aborted, dials()], [false, 1]);
  });

  it('does not dial again for an error that another connection would not cure', async () => {
    for (const name of ['UnsupportedProtocolError', 'TooManyOutboundProtocolStreamsError', 'StreamResetError']) {
      const connection = new FakeConnection(failing(name));
      const { requester, dials } = setUp([connection]);
      await assert.rejects(requester.open(live()), { name });
      assert.deepEqual([connection.aborted, dials()], [false, 1]);
    }
  });

  it('gives up when asked to, and resets a stream that comes too late', async () => {
    const { promise: late, resolve } = Promise.withResolvers<Stream>();
    const { clock, requester } = setUp([new FakeConnection(() => late)]);
    const stop = new AbortController();
    const opened = requester.open(stop.signal);
    await turn();
    stop.abort(new RelaydError('CLOSED', 'stopped'));
    await assert.rejects(opened, { code: 'CLOSED' });
    let aborted = false;
    resolve({ abort: () => (aborted = true) } as unknown as Stream);
    await turn();
    assert.ok(aborted);
    assert.equal(clock.pending, 0);
  });

  it('tells a refusal from a failure', () => {
    const answer = (status: number): RelaydError => new RelaydError('TUNNEL_REFUSED', 'x', { data: { status } });
    assert.ok(isRefusal(answer(TunnelStatus.UNKNOWN_OR_FORBIDDEN)));
    assert.ok(isRefusal(answer(TunnelStatus.OVERLOADED)));
    assert.ok(!isRefusal(answer(TunnelStatus.UNREACHABLE)));
    assert.ok(!isRefusal(new RelaydError('TIMEOUT', 'x')));
  });
});
