import { isQuicAddress } from '../config/index.ts';
import type { RelaydConfig } from '../config/domain.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { loadQuic } from '../transport/index.ts';
import type { QuicModule } from '../transport/index.ts';

/**
 * QUIC, where the configuration names an address over it, and where hole punching can use it if it is there.
 *
 * @throws RelaydError NOT_BUILT when an address needs it and the optional package cannot be loaded
 */
export async function quicFor(config: RelaydConfig, log: Logger): Promise<QuicModule | undefined> {
  const { network, client, discovery, role } = config;
  if ([...network.listen, ...client.relays, ...discovery.bootstrap].some(isQuicAddress)) {
    return await loadQuic();
  }
  if (role === 'relay' || !client.holePunch || network.swarmKeyFile !== undefined) {
    return undefined;
  }
  return await loadQuic().catch((error: unknown) => {
    log.info({ reason: errorMessage(error) }, 'hole punching over QUIC is not possible here');
    return undefined;
  });
}
