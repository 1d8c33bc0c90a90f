import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where identity and state live unless the config says otherwise. systemd names the folder of a service in
 * `STATE_DIRECTORY` (several, with colons between: the first is the service's own); for a person it is the XDG state folder.
 */
export function defaultDataDir(env: NodeJS.ProcessEnv): string {
  const service = env.STATE_DIRECTORY?.split(':')[0];
  if (service !== undefined && service !== '') {
    return service;
  }
  const xdg = env.XDG_STATE_HOME;
  // The XDG specification: a relative path there is invalid and to be ignored.
  const state = xdg !== undefined && xdg.startsWith('/') ? xdg : join(home(env), '.local', 'state');
  return join(state, 'relayd');
}

export function home(env: NodeJS.ProcessEnv): string {
  return env.HOME !== undefined && env.HOME !== '' ? env.HOME : homedir();
}
