import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterSecret } from '../../../src/coordination/secret.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { createLogger, silentLogger } from '../../../src/lib/logger.ts';

const OLD = '0d'.repeat(32);
const NEW = '4e'.repeat(32);

/** What a relay has before, and after each step of a change: where the new secret is second, then first, then alone. */
const STEPS = [[OLD], [OLD, NEW], [NEW, OLD], [NEW]];

const data = new TextEncoder().encode('said');
const isUnsealed = (error: unknown): boolean => error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE';

describe('the secret of a cluster', () => {
  const made = (secrets: readonly string[], cluster = 'test', log = silentLogger): ClusterSecret => new ClusterSecret(secrets, cluster, log);

  for (const [i, step] of STEPS.entries()) {
    for (const [j, other] of STEPS.entries()) {
      const isUnderstood = other.includes(step[0] ?? '');
      it(`at step ${i} is ${isUnderstood ? 'understood' : 'refused'} at step ${j}`, () => {
        const [speaker, hearer] = [made(step), made(other)];
        assert.equal(hearer.maker('link', data, speaker.mac('link', data)), isUnderstood ? speaker.ids[0] : undefined);
        for (const purpose of ['record', 'gossip'] as const) {
          const sealed = speaker.seal(purpose, data);
          if (isUnderstood) assert.deepEqual(Buffer.from(hearer.open(purpose, sealed)), Buffer.from(data));
          else assert.throws(() => hearer.open(purpose, sealed), isUnsealed);
        }
        assert.ok(isUnderstood || Math.abs(i - j) > 1, 'neighbours understand each other');
      });
    }
  }

  it('is what was taken over last: what was taken out is refused, even when it was right until then', () => {
    const [old, secret] = [made([OLD]), made([OLD, NEW])];
    assert.deepEqual(secret.open('gossip', old.seal('gossip', data)), Buffer.from(data));
    let changes = 0;
    const end = secret.onChange(() => changes++);
    assert.equal(secret.replace([NEW, OLD]), true);
    assert.deepEqual(secret.open('gossip', old.seal('gossip', data)), Buffer.from(data));
    assert.equal(secret.replace([NEW]), true);
    assert.throws(() => secret.open('gossip', old.seal('gossip', data)), isUnsealed);
    assert.equal(secret.maker('link', data, old.mac('link', data)), undefined);
    assert.equal(secret.replace([NEW]), false);
    assert.equal(changes, 2);
    end();
    secret.replace([OLD]);
    assert.equal(changes, 2);
  });

  it('is in force, and told to all that hear of it, whatever one of them throws', () => {
    const lines: string[] = [];
    const secret = made([OLD], 'test', createLogger({ level: 'info', format: 'json', destination: { write: (line) => lines.push(line) } }));
    let told = 0;
    secret.onChange(() => told++);
    secret.onChange(() => {
      throw new Error('a listener with a fault');
    });
    secret.onChange(() => told++);
    assert.equal(secret.replace([NEW]), true);
    assert.deepEqual([told, secret.ids, lines.length], [2, made([NEW]).ids, 1]);
    assert.match(lines.join(), /a listener with a fault/);
  });

  it('has a short name that is that of the same secret and cluster alone, and shows nothing of it', () => {
    const { ids } = made([OLD, NEW]);
    assert.deepEqual(ids, [...made([OLD]).ids, ...made([NEW]).ids]);
    assert.ok(ids.every((id) => /^[0-9a-f]{8}$/.test(id) && !OLD.includes(id) && !NEW.includes(id)));
    assert.equal(new Set([...ids, ...made([OLD, NEW], 'other').ids]).size, 4);
    assert.deepEqual(ids.map((id) => made([NEW]).accepts(id)), [false, true]);
  });

  it('opens nothing that is too short, or was made for another purpose', () => {
    const secret = made([OLD, NEW]);
    assert.throws(() => secret.open('record', new Uint8Array(27)), isUnsealed);
    assert.throws(() => secret.open('record', secret.seal('gossip', data)), isUnsealed);
    assert.equal(secret.maker('link', data, secret.mac('record', data)), undefined);
    assert.equal(secret.maker('link', data, new Uint8Array()), undefined);
  });
});
