import type { Authority } from '../realm/index.ts';
import type { CliContext, GlobalOptions } from './context.ts';

/** The authority in the data directory that the config names. @throws RelaydError REALM_MISSING, FILE_UNREADABLE */
export async function authorityOf(context: CliContext, options: GlobalOptions): Promise<Authority> {
  const { dataDir } = (await context.loadConfig(options)).config;
  const { openAuthority } = await import('../realm/index.ts');
  return await openAuthority(dataDir);
}
