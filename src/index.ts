import { assertConfig, loadConfig } from './config/index.ts';
import { RelayNode } from './node/index.ts';
import type { RelayNodeOptions } from './node/index.ts';

export type { NodeEvents, RelayNode, RelayNodeOptions } from './node/index.ts';
export type { RelaydConfig } from './config/domain.ts';
export { RelaydError } from './lib/errors.ts';
export type { ErrorCode } from './lib/errors.ts';

/**
 * A node from a config object with the keys and value syntax of the YAML file. It is not started: call `start()`.
 *
 * @throws RelaydError CONFIG_INVALID with every problem in its message, NOT_BUILT
 */
export async function createRelayNode(config: object, options: Omit<RelayNodeOptions, 'layers' | 'reloadConfig'> = {}): Promise<RelayNode> {
  const loaded = loadConfig({ inline: config });
  return new RelayNode(assertConfig(loaded), { ...options, ...(loaded.ok ? { layers: loaded.layers } : {}) });
}
