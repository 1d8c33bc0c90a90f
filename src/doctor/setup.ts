import { running } from './facts.ts';
import type { Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** Whether there is a daemon, what it runs on, and whether it is well. */

/** Where a Node release stops being tested here. */
const TESTED_MAJORS = [22, 24];
const OLDEST = [22, 19];

export function checkDaemon({ daemon, config }: Facts): Item {
  switch (daemon.state) {
    case 'running': {
      const { profile, role, state } = daemon.status;
      if (profile !== config.profile || role !== config.role) {
        return failed('daemon', `the daemon at ${daemon.url} runs as ${profile} ${role}, the config says ${config.profile} ${config.role}: it is of another config, or was not restarted since`, 'give the config that it runs with (--config F), or restart it');
      }
      return ok('daemon', `runs at ${daemon.url} (${state}); this is about the daemon, its machine and its config`);
    }
    case 'unreachable':
      return failed('daemon', daemon.reason, 'look at its log and start it again; --file-only checks the config without it');
    case 'none':
      return ok('daemon', 'none runs with this config: this is about the config and this machine alone');
    case 'not asked':
      return ok('daemon', 'not looked for (--file-only): this is about the config and this machine alone');
  }
}

export function checkReady(facts: Facts): Item | undefined {
  const daemon = running(facts);
  if (daemon === undefined) {
    return undefined;
  }
  // A client without a reservation, and a late event loop, are items of their own.
  const problems = daemon.problems.filter((problem) => !/^(no reservation is held|no relay is known|the event loop)/.test(problem));
  return problems.length === 0 ? ok('ready', 'the daemon serves') : failed('ready', problems.join('; '), 'look at the log of the daemon');
}

export function checkEventLoop(facts: Facts): Item | undefined {
  const daemon = running(facts);
  if (daemon === undefined) {
    return undefined;
  }
  const lateMs = daemon.status.process.eventLoopDelayMs.p99;
  const reason = `${Math.round(lateMs)} ms late at the 99th percentile of the last 10 s`;
  if (lateMs > facts.config.relay.maxEventLoopDelayMs) {
    return failed('event-loop', `${reason}, over relay.maxEventLoopDelay (${facts.config.relay.maxEventLoopDelayMs} ms): new work is refused`, 'give the process more CPU, or lower relay.limits.circuits.max and set relay.limits.bandwidth.total');
  }
  const LATE_MS = 100;
  return lateMs > LATE_MS ? warning('event-loop', `${reason}: whoever is relayed waits as long`, 'look at what else uses the CPU of this machine; spread the load over a second relay') : ok('event-loop', reason);
}

export function checkNodeVersion({ nodeVersion }: Facts): Item {
  const [major = 0, minor = 0] = nodeVersion.replace(/^v/, '').split('.').map(Number);
  const [oldMajor = 0, oldMinor = 0] = OLDEST;
  if (major < oldMajor || (major === oldMajor && minor < oldMinor)) {
    return failed('node-version', `Node ${nodeVersion} is older than ${OLDEST.join('.')}`, `install Node ${TESTED_MAJORS.at(-1)}`);
  }
  return TESTED_MAJORS.includes(major) ? ok('node-version', nodeVersion) : warning('node-version', `Node ${nodeVersion} is no release that this is tested on`, `use Node ${TESTED_MAJORS.join(' or ')}`);
}
