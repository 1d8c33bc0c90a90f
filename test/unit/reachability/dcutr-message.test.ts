import { multiaddr } from '@multiformats/multiaddr';
import fc from 'fast-check';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RelaydError } from '../../../src/lib/errors.ts';
import { MessageWriter } from '../../../src/lib/protobuf.ts';
import { decodeHolePunch, encodeHolePunch } from '../../../src/reachability/dcutr-message.ts';

const malformed = (error: unknown): boolean => error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE';

const address = fc.oneof(
  fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 })).map(([ip, port]) => `/ip4/${ip}/tcp/${port}`),
  fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 })).map(([ip, port]) => `/ip4/${ip}/udp/${port}/quic-v1`),
);

describe('a hole punching message', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(fc.constantFrom('CONNECT' as const, 'SYNC' as const), fc.array(address, { maxLength: 32 }), (type, addrs) => {
        const back = decodeHolePunch(encodeHolePunch({ type, addrs: addrs.map((addr) => multiaddr(addr)) }));
        assert.deepEqual({ type: back.type, addrs: back.addrs.map(String) }, { type, addrs });
      }),
    );
  });

  it('is on the wire as the specification has it', () => {
    assert.deepEqual([...encodeHolePunch({ type: 'SYNC', addrs: [] })], [0x08, 0xac, 0x02]);
    assert.deepEqual([...encodeHolePunch({ type: 'CONNECT', addrs: [multiaddr('/ip4/1.2.3.4/tcp/5')] })], [0x08, 0x64, 0x12, 8, 4, 1, 2, 3, 4, 6, 0, 5]);
  });

  it('of any bytes is one, or is malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          assert.match(decodeHolePunch(bytes).type, /^(CONNECT|SYNC)$/);
        } catch (error) {
          assert.ok(malformed(error), String(error));
        }
      }),
    );
  });

  it('without a type, or with another, is malformed', () => {
    assert.throws(() => decodeHolePunch(new Uint8Array()), malformed);
    assert.throws(() => decodeHolePunch(new MessageWriter().varint(1, 200).finish()), malformed);
  });

  it('loses what is no address, and what is too much', () => {
    const message = new MessageWriter().varint(1, 100).bytes(2, Uint8Array.of(0xff, 0xff)).bytes(2, new Uint8Array()).bytes(2, multiaddr('/ip4/1.2.3.4/tcp/5').bytes);
    assert.deepEqual(decodeHolePunch(message.finish()).addrs.map(String), ['/ip4/1.2.3.4/tcp/5']);
    const many = Array.from({ length: 200 }, (_, i) => multiaddr(`/ip4/1.2.3.4/tcp/${i + 1}`));
    assert.equal(decodeHolePunch(encodeHolePunch({ type: 'CONNECT', addrs: many })).addrs.length, 32);
  });
});
