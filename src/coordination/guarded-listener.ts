import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { BackendListener } from './backend.ts';

/** What a listener throws is logged: it would end the connection that told it. */
export function guarded(listener: BackendListener, log: Logger): BackendListener {
  const guard = <A extends unknown[]>(tell: (...args: A) => void) => (...args: A): void => {
    try {
      tell(...args);
    } catch (error) {
      log.error({ error: errorMessage(error) }, 'news of the cluster was not taken in: please report it');
    }
  };
  return {
    relay: guard((peer, record) => listener.relay(peer, record)),
    gone: guard((peer, why) => listener.gone(peer, why)),
    revocations: guard((list) => listener.revocations(list)),
    health: guard((problem) => listener.health(problem)),
    stale: guard(() => listener.stale()),
    fenced: guard(() => listener.fenced()),
  };
}
