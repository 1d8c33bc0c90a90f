export { RelayService } from './service.ts';
export type { RelayHost } from './host.ts';
