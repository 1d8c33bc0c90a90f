import { z } from 'zod';
import type { BearerClaim } from '../lib/membership/bearer-claims.ts';
import { MAX_BEARERS } from './content.ts';

/** A token that ends with the year 9999 does so a minute later, with the tolerance for clocks: a year of five digits is not in the format. */
const LAST_WALL_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** As nodes that are of no cluster have it: who was there, not when. */
const plain = z.strictObject({
  version: z.literal(1),
  tokens: z.array(z.strictObject({ id: z.string(), expiresAt: z.iso.datetime(), peers: z.array(z.string()) })),
});

/** Keys that a later version may add are passed over. */
const timed = z.object({
  version: z.literal(2),
  tokens: z.array(
    z.object({
      id: z.string(),
      expiresAt: z.iso.datetime(),
      maxPeers: z.int().min(1).max(MAX_BEARERS).optional(),
      claims: z.array(z.object({ peer: z.string(), claimedAt: z.iso.datetime() })),
    }),
  ),
});

const file = z.discriminatedUnion('version', [plain, timed]);

/** @throws Error when it is not what {@link formatBearers} makes */
export function parseBearers(text: string): BearerClaim[] {
  const content = file.parse(JSON.parse(text));
  if (content.version === 1) {
    return content.tokens.flatMap(({ id, expiresAt, peers }) => peers.map((peer) => ({ token: id, peer, claimedAtWall: 0, expiresAtWall: Date.parse(expiresAt), maxPeers: undefined })));
  }
  return content.tokens.flatMap(({ id, expiresAt, maxPeers, claims }) =>
    claims.map(({ peer, claimedAt }) => ({ token: id, peer, claimedAtWall: Date.parse(claimedAt), expiresAtWall: Date.parse(expiresAt), maxPeers })),
  );
}

/** In the form that every version reads, where no claim has a time: so it is on nodes that are of no cluster. */
export function formatBearers(claims: Iterable<BearerClaim>): string {
  const all = [...claims];
  const isPlain = all.every(({ claimedAtWall }) => claimedAtWall === 0);
  const tokens = [...Map.groupBy(all, ({ token }) => token)].map(([id, ofToken]) => (isPlain ? plainToken(id, ofToken) : timedToken(id, ofToken)));
  return `${JSON.stringify({ version: isPlain ? 1 : 2, tokens }, undefined, 1)}\n`;
}

function plainToken(id: string, claims: readonly BearerClaim[]): z.infer<typeof plain>['tokens'][number] {
  return { id, expiresAt: endOf(claims), peers: claims.map(({ peer }) => peer) };
}

function timedToken(id: string, claims: readonly BearerClaim[]): z.infer<typeof timed>['tokens'][number] {
  return { id, expiresAt: endOf(claims), maxPeers: claims[0]?.maxPeers, claims: claims.map(({ peer, claimedAtWall }) => ({ peer, claimedAt: iso(claimedAtWall) })) };
}

function endOf(claims: readonly BearerClaim[]): string {
  return iso(Math.max(...claims.map(({ expiresAtWall }) => expiresAtWall)));
}

function iso(wall: number): string {
  return new Date(Math.min(wall, LAST_WALL_MS)).toISOString();
}
