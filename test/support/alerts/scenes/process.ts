import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { Inspector, inspectArgs } from '../../../faults/support/inspector.ts';
import { has } from '../../../faults/support/open-files.ts';
import { RelayUnderTest } from '../../relay-under-test.ts';
import type { Scene } from '../scene.ts';
import type { NodeSetup, Stage } from '../stage.ts';

/** A watched relay, and the debugger over which it is given work and ballast. */
async function inspected(stage: Stage, { nodeArgs = [], ...setup }: Partial<NodeSetup> = {}): Promise<Inspector> {
  const { port, nodeArgs: inspect } = await inspectArgs();
  await stage.node('relay', { role: 'relay', ...setup, nodeArgs: [...inspect, ...nodeArgs] });
  const inspector = await Inspector.connect(port);
  stage.defer(() => inspector.close());
  return inspector;
}

const KEEP_BUSY = 'globalThis.busy = setInterval(() => { const end = performance.now() + 400; while (performance.now() < end); }, 500)';

export const EVENT_LOOP: Scene = {
  name: 'event-loop',
  title: "a relay's event loop is busy, 400 ms of every 500",
  alerts: ['RelaydEventLoopLate'],
  async run(stage) {
    const inspector = await inspected(stage);
    await stage.measure(['RelaydEventLoopLate'], {
      what: "the relay's event loop is kept busy through Node's debugger; it is left alone",
      break: () => inspector.evaluate(`${KEEP_BUSY}; 0`),
      repair: () => inspector.evaluate('clearInterval(globalThis.busy); 0'),
    });
  },
};

async function letGo(inspector: Inspector): Promise<void> {
  await inspector.evaluate('globalThis.ballast = undefined; 0');
  await inspector.call('HeapProfiler.collectGarbage');
}

const HEAP_MIB = 256;
/** Above the alert's 90 %, below what makes Node give up. */
const HEAP_WANTED_BYTES = 0.93 * HEAP_MIB * 2 ** 20;
/** Arrays of numbers: they stand in the heap itself, 128 KiB each. */
const FILL_HEAP = `{
  globalThis.ballast = [];
  while (process.memoryUsage().heapUsed < ${HEAP_WANTED_BYTES}) globalThis.ballast.push(Array.from({ length: 16_384 }, (_, i) => i + 0.5));
}`;

export const HEAP: Scene = {
  name: 'heap',
  title: "a relay's JavaScript heap is nearly full",
  alerts: ['RelaydHeapNearlyFull'],
  async run(stage) {
    const inspector = await inspected(stage, { nodeArgs: [`--max-old-space-size=${HEAP_MIB}`] });
    await stage.measure(['RelaydHeapNearlyFull'], {
      what: `a heap of ${HEAP_MIB} MiB is filled through Node's debugger; it is emptied`,
      break: () => inspector.evaluate(`${FILL_HEAP}; 0`),
      repair: () => letGo(inspector),
    });
  },
};

const MEMORY_MIB = 400;
const CONTROL_GROUP = `/sys/fs/cgroup/memory/relayd-alerts-${process.pid}`;
const FILL_MEMORY = `{
  globalThis.ballast = [];
  while (process.memoryUsage.rss() < ${MEMORY_MIB * 0.94} * 2 ** 20) globalThis.ballast.push(Buffer.alloc(2 ** 20, 1));
}`;

export const MEMORY: Scene = {
  name: 'memory',
  title: 'a relay uses nearly all of the memory that its control group may have',
  alerts: ['RelaydMemoryNearlyFull'],
  skip() {
    try {
      mkdirSync(CONTROL_GROUP);
      rmdirSync(CONTROL_GROUP);
      return false;
    } catch {
      return 'no control group of memory can be made here';
    }
  },
  async run(stage) {
    mkdirSync(CONTROL_GROUP);
    stage.defer(() => rmdirSync(CONTROL_GROUP));
    writeFileSync(`${CONTROL_GROUP}/memory.limit_in_bytes`, `${MEMORY_MIB}M`);
    const inspector = await inspected(stage, { prefix: ['sh', '-c', `echo $$ > ${CONTROL_GROUP}/cgroup.procs && exec "$@"`, 'sh'] });
    await stage.measure(['RelaydMemoryNearlyFull'], {
      what: `buffers fill a control group of ${MEMORY_MIB} MiB, through Node's debugger; they are let go`,
      break: () => inspector.evaluate(`${FILL_MEMORY}; 0`),
      repair: () => letGo(inspector),
    });
  },
};

const DESCRIPTORS = 100;
/** Beside the 25 or so that a relay has open by itself. One after the other: dials of one peer at the same time share a connection. */
const CONNECTIONS = 65;

export const OPEN_FILES: Scene = {
  name: 'descriptors',
  title: 'a relay has nearly all of its file descriptors in use',
  alerts: ['RelaydDescriptorsNearlyUsed'],
  skip: () => (has('prlimit') ? false : 'prlimit is not installed: apt-get install util-linux'),
  async run(stage) {
    const relay = await stage.node('relay', { role: 'relay', prefix: ['prlimit', `--nofile=${DESCRIPTORS}`], config: { connections: { pendingPerPrefix: 'unlimited', inboundPerPrefix: 'unlimited' } } });
    const peer = await stage.peer(relay);
    await stage.measure(['RelaydDescriptorsNearlyUsed'], {
      what: `${CONNECTIONS} connections to a relay that may open ${DESCRIPTORS} files; they close`,
      break: async () => {
        for (let i = 0; i < CONNECTIONS; i++) await peer.connect(relay.addr);
      },
      repair: () => peer.stop(),
    });
  },
};

export const DRAIN: Scene = {
  name: 'drain',
  title: 'a program that embeds a relay drains it and forgets to stop it',
  alerts: ['RelaydDrainOverdue'],
  async run(stage) {
    const relay = await RelayUnderTest.start({ drain: { timeout: '1s' } });
    stage.defer(() => relay.stop());
    stage.watch({ address: new URL(relay.node.adminUrl).host, role: 'relay' });
    await stage.measure(['RelaydDrainOverdue'], {
      what: 'a node is drained (`drain.timeout: 1s`) and goes on running; it is stopped',
      break: () => relay.node.drain(),
      repair: () => relay.node.stop(),
    });
  },
};
