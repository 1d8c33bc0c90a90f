export { readAdminFile } from './admin-file.ts';
export type { AdminFile } from './admin-file.ts';
export { AdminServer } from './server.ts';
export type { AdminServerOptions } from './server.ts';
