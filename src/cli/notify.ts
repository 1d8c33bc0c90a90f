import { execFile } from 'node:child_process';
import type { Logger } from '../lib/logger.ts';

/** Tells the service manager where the process stands in its life. */
export interface Notify {
  (state: 'ready' | 'reloading' | 'stopping'): void;
}

const TIMEOUT_MS = 5_000;

/**
 * systemd's protocol for `Type=notify`. Node has no unix datagram sockets, so `systemd-notify`, which is wherever systemd is,
 * sends for us; as it is a process of its own, the unit needs `NotifyAccess=all`. Without NOTIFY_SOCKET nothing is sent.
 */
export function createNotify(env: NodeJS.ProcessEnv, log: Logger): Notify {
  const socket = env['NOTIFY_SOCKET'];
  if (socket === undefined || socket === '') {
    return () => {};
  }
  const send = (assignments: string[]): Promise<void> =>
    new Promise((resolve) => {
      execFile('systemd-notify', assignments, { timeout: TIMEOUT_MS, env: { NOTIFY_SOCKET: socket, PATH: env['PATH'] } }, (error) => {
        if (error !== null) log.debug({ error: error.message }, 'systemd was not told');
        resolve();
      });
    });
  // In order: a RELOADING that overtook its READY would leave the unit reloading for good.
  let queue = Promise.resolve();
  return (state) => {
    queue = queue.then(() => send(assignmentsOf(state)));
  };
}

function assignmentsOf(state: Parameters<Notify>[0]): string[] {
  switch (state) {
    case 'ready':
      return ['READY=1'];
    case 'reloading':
      return ['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`];
    case 'stopping':
      return ['STOPPING=1'];
  }
}
