export { Tunnels } from './tunnels.ts';
export type { TunnelsOptions } from './tunnels.ts';
export { TUNNEL_PROTOCOL } from './protocol.ts';
