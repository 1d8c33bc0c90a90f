import * as fc from 'fast-check';
import { ACKNOWLEDGEMENTS } from '../../../src/lib/acknowledgements.ts';
import { KEYS } from '../../../src/config/schema.ts';
import type { PlacedKey } from '../../../src/config/key.ts';
import { PEERS } from './helpers.ts';

/** Configs that are right, as written: any of the keys, each with any value that it takes. */

const peer = fc.constantFrom(...PEERS);
const port = fc.integer({ min: 1, max: 65_535 });
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const ip4 = fc.ipV4();
const number = fc.integer({ min: 1, max: 16 });
const full = fc.tuple(ip4, port, peer).map(([host, at, id]) => `/ip4/${host}/tcp/${at}/p2p/${id}`);
const redisUrl = fc.tuple(fc.constantFrom('redis', 'rediss'), port, fc.constantFrom('', '/', '/3')).map(([scheme, at, database]) => `${scheme}://store.example.org:${at}${database}`);
const cidr = fc.tuple(ip4, fc.integer({ min: 0, max: 32 })).map(([host, bits]) => `${host}/${bits}`);
const unlimited = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | string> => fc.oneof(arbitrary, fc.constant('unlimited'));

const pathText = fc.stringMatching(/^[A-Za-z0-9 #:'"~{}\\[\],&*!|>%@`.-]{1,20}$/).map((text) => `./${text}`);

/** By the label of the type; the ends of the ranges are other tests' matter. */
const BY_LABEL: [RegExp, fc.Arbitrary<unknown>][] = [
  [/^true or false/, fc.boolean()],
  [/^number.*unlimited/, unlimited(number)],
  [/^number/, number],
  [/^duration.*unlimited/, unlimited(fc.integer({ min: 1, max: 300 }).map((value) => `${value}d`))],
  [/^duration, 1s/, fc.integer({ min: 1, max: 43_200 }).map((value) => `${value}m`)],
  [/^duration/, fc.integer({ min: 1000, max: 99_999 }).map((value) => `${value}ms`)],
  [/^size.*unlimited/, unlimited(fc.integer({ min: 1, max: 2 ** 30 }).map((value) => `${value}B`))],
  [/^size, 256KiB/, fc.integer({ min: 1, max: 50 }).map((value) => `${value}MiB`)],
  [/^size, 512KiB/, fc.integer({ min: 100, max: 3000 }).map((value) => `${value}MiB`)],
  [/^bytes per second/, unlimited(fc.integer({ min: 1, max: 5000 }).map((value) => `${value}KiB/s`))],
  [/^quota/, unlimited(fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.constantFrom('B', 'KiB', 'MiB', 'GiB', 'TiB'), fc.constantFrom('d', 'month')).map(([count, unit, per]) => `${count}${unit}/${per}`))],
  [/^Redis URL/, redisUrl],
  [/^list of: Redis URL/, fc.uniqueArray(redisUrl, { maxLength: 3 })],
  [/^list of: etcd URL/, fc.uniqueArray(port.map((at) => `https://[::1]:${at}`), { minLength: 1, maxLength: 3 })],
  [/^rate/, unlimited(fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.constantFrom('s', 'm', 'h', 'd')).map(([count, unit]) => `${count}/${unit}`))],
  [/^list of: full multiaddr/, fc.array(full, { maxLength: 4 })],
  [/^list of: peer id or CIDR/, fc.array(fc.oneof(peer, cidr), { maxLength: 4 })],
  [/^list of: peer id/, fc.array(peer, { maxLength: 4 })],
  [/^list of: CIDR/, fc.array(cidr, { maxLength: 4 })],
  [/^list of: multiaddr/, fc.array(fc.integer({ min: 10_000, max: 20_000 }).map((at) => `/ip4/127.0.0.1/tcp/${at}`), { maxLength: 1 })],
  [/^list of: independent-limits/, fc.uniqueArray(fc.constantFrom(...ACKNOWLEDGEMENTS), { maxLength: 4 })],
  [/^list of: tls/, fc.constantFrom(['tls'], ['noise', 'tls'])],
  [/^list of: number/, fc.uniqueArray(fc.integer({ min: 1, max: 128 }), { minLength: 1, maxLength: 4 })],
  [/^list of: \{name/, fc.uniqueArray(fc.record({ name, to: port.map((at) => `[::1]:${at}`), allow: fc.array(peer, { maxLength: 2 }) }, { requiredKeys: ['name', 'to'] }), { maxLength: 3, selector: (item) => item.name })],
  [/^list of: \{listen/, fc.array(fc.record({ listen: fc.constantFrom('127.0.0.1:0', '[::1]:0', 'localhost:0'), peer, name }), { maxLength: 3 })],
  [/^list of: name/, fc.array(name, { maxLength: 3 })],
  [/^list of: HOST:PORT/, fc.array(port.map((at) => `127.0.0.1:${at}`), { maxLength: 2 })],
  [/^name/, fc.oneof(name, fc.constantFrom('null', 'true', '1e3', '0x10'))],
  [/^realm key/, fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => `ed25519:${Buffer.from(bytes).toString('base64url')}`)],
  [/^URL/, fc.constantFrom('http://127.0.0.1:4318', 'https://collector.example.org/otlp/v1/traces')],
  [/^share/, fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100)],
  [/^protocol/, fc.constantFrom('/ipfs/kad/1.0.0', '/home/kad/2.0.0')],
  [/^HOST:PORT or unix/, fc.constantFrom('127.0.0.1:0', '[::1]:9641', 'localhost:80', 'unix:/run/a b.sock')],
];

/** Files must exist, so no path but these is made up. */
const PATHS: Record<string, fc.Arbitrary<unknown>> = { dataDir: pathText, 'identity.keyFile': pathText, 'realm.revocationFile': pathText };

function valueOf(placed: PlacedKey): fc.Arbitrary<unknown> | undefined {
  const { label } = placed.key.type;
  if (label === 'path') {
    return PATHS[placed.name];
  }
  const words = /^(\w+(?:, \w+)*) or (\w+)$/.exec(label);
  return BY_LABEL.find(([pattern]) => pattern.test(label))?.[1] ?? (words === null ? undefined : fc.constantFrom(...(words[1] ?? '').split(', '), words[2]));
}

function nested(entries: readonly (readonly [readonly string[], unknown])[]): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [path, value] of entries) {
    const parent = path.slice(0, -1).reduce<Record<string, unknown>>((tree, part) => (tree[part] ??= {}) as Record<string, unknown>, root);
    parent[path.at(-1) ?? ''] = value;
  }
  return root;
}

/** Keys whose values are in order with others only when they are chosen together: a cluster's relays need a file with a secret. */
const TOGETHER = ['connections.low', 'connections.high', 'client.probe.timeout', 'profile', 'coordination.backend'];

const choices = KEYS.filter(({ name: key }) => !TOGETHER.includes(key)).flatMap((placed) => {
  const value = valueOf(placed);
  return value === undefined ? [] : [fc.option(value.map((written) => [placed.path, written] as const), { freq: 2, nil: undefined })];
});

export const rightConfig: fc.Arbitrary<Record<string, unknown>> = fc.tuple(...choices).map((entries) => nested(entries.filter((entry) => entry !== undefined)));

/** How many keys are chosen from: a label that no pattern knows would quietly leave its keys out. */
export const coveredKeys = choices.length;
