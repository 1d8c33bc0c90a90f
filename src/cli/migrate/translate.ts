import { resolve } from 'node:path';
import { translateAccess } from './access.ts';
import { translateAddresses } from './addresses.ts';
import type { OldFile } from './old-file.ts';
import { Plan } from './plan.ts';
import { translateResources } from './resources.ts';

/** The old daemon's watermarks where its config named none. */
const OLD_LOW = 512;
const OLD_HIGH = 768;

/** The hard cap of this program's defaults, above which the old watermarks may lie: the old daemon had no such cap. */
const DEFAULT_MAX = 4096;

/** Everything that the old config says, in the new one's words. Problems are in `old.problems` then. */
export function translate(old: OldFile, given: { dataDir: string; swarmKey?: string }): Plan {
  const plan = new Plan();
  plan.set('', 'profile', 'tier1');
  plan.set('', 'role', 'relay');
  plan.set('', 'dataDir', given.dataDir);
  if (given.swarmKey !== undefined) {
    plan.set('', 'network.swarmKeyFile', resolve(given.swarmKey));
  }
  translateAddresses(old, plan, given.swarmKey !== undefined);
  translateConnections(old, plan);
  translateResources(old, plan);
  translateAccess(old, plan);
  leaveTheRest(old, plan);
  for (const field of old.unknown()) {
    plan.leave(field, 'no field of the old daemon either: it ignored this');
  }
  return plan;
}

function translateConnections(old: OldFile, plan: Plan): void {
  const high = old.wholeNumber('ConnMgr.ConnMgrHi', OLD_HIGH);
  plan.set('ConnMgr.ConnMgrLo', 'connections.low', old.wholeNumber('ConnMgr.ConnMgrLo', OLD_LOW));
  plan.set('ConnMgr.ConnMgrHi', 'connections.high', high);
  if (2 * high > DEFAULT_MAX) {
    plan.set('ConnMgr.ConnMgrHi', 'connections.max', 2 * high);
  }
  old.duration('ConnMgr.ConnMgrGrace', 0);
  if (old.has('ConnMgr.ConnMgrGrace')) {
    plan.leave('ConnMgr.ConnMgrGrace', 'connections of peers that hold a reservation or a circuit are spared, whatever their age');
  }
}

function leaveTheRest(old: OldFile, plan: Plan): void {
  if (old.has('RelayV1')) {
    const enabled = old.flag('RelayV1.Enabled', false);
    // Asked for, so that they do not count as unknown.
    ['MaxCircuits', 'MaxCircuitsPerPeer', 'BufferSize'].forEach((name) => old.has(`RelayV1.Resources.${name}`));
    plan.leave('RelayV1', enabled ? 'circuit relay v1 is gone from libp2p: peers that speak nothing newer lose this relay' : 'circuit relay v1 is gone from libp2p; it was off');
  }
  if (old.has('Daemon.PprofPort') && old.wholeNumber('Daemon.PprofPort', -1) !== -1) {
    plan.leave('Daemon.PprofPort', 'a Node process has no pprof; metrics, health and a status page are at admin.listen');
  }
  if (old.has('Daemon.PromPort')) {
    plan.leave('Daemon.PromPort', 'metrics are at admin.listen, path /metrics, with the same names; for other machines set an address and admin.tokenFile');
  }
}
