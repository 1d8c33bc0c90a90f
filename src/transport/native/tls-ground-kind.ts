import type { Logger } from '@libp2p/interface';
import type { SecureContext } from 'node:tls';
import { errorMessage } from '../../lib/errors.ts';
import type { GroundKind } from './tls-ground.ts';
import { selfTest } from './tls-self-test.ts';

/** The self-test of this process. */
let tested: Promise<GroundKind> | undefined;

/** How TLS is done here, found out once: `fast` where the self-test says that it works. `context` is any that has a certificate. */
export async function groundKind(context: SecureContext, log: Logger): Promise<GroundKind> {
  return await (tested ??= test(context, log));
}

async function test(context: SecureContext, log: Logger): Promise<GroundKind> {
  try {
    await selfTest(context);
    return 'fast';
  } catch (error) {
    log.error('TLS costs more a byte than it could: Node does not do what its fast path needs (%s)', errorMessage(error));
    return 'public';
  }
}
