import { RELAY_V2_HOP_CODEC, RELAY_V2_STOP_CODEC } from '@libp2p/circuit-relay-v2';

/** Protocol ids of circuit relay v2 (specification: relay/circuit-v2.md, "The Protocol"). */
export const HOP_PROTOCOL = RELAY_V2_HOP_CODEC;
export const STOP_PROTOCOL = RELAY_V2_STOP_CODEC;

/** The largest message that either side sends or accepts, in bytes. */
export const MAX_FRAME_BYTES = 4096;

/** Status codes of both protocols (specification: "Status codes and their meaning"). */
export const Status = {
  OK: 100,
  RESERVATION_REFUSED: 200,
  RESOURCE_LIMIT_EXCEEDED: 201,
  PERMISSION_DENIED: 202,
  CONNECTION_FAILED: 203,
  NO_RESERVATION: 204,
  MALFORMED_MESSAGE: 400,
  UNEXPECTED_MESSAGE: 401,
} as const;

export type StatusCode = (typeof Status)[keyof typeof Status];

const NAMES = new Map<number, string>(Object.entries(Status).map(([name, code]) => [code, name]));

/** The name of a status on the wire; `UNKNOWN(n)` for one that the specification does not have. */
export function statusName(code: number | undefined): string {
  return (code === undefined ? undefined : NAMES.get(code)) ?? `UNKNOWN(${code ?? 'none'})`;
}
