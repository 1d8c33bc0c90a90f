import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../scripts/lib/processes.ts';
import { baseImage } from '../../scripts/lib/rootfs/base.ts';
import { assignments, execForm, parseDockerfile } from '../../scripts/lib/rootfs/dockerfile.ts';
import { cgroupMount } from '../../scripts/lib/rootfs/systemd.ts';
import { whyNot } from '../../scripts/lib/rootfs/why-not.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Debian's packages come over the network the first time, npm's too; a test that says nothing for five minutes is killed. */
const BUILD_TIMEOUT_MS = 280_000;
const CACHE_DIR = join(ROOT, '.cache/rootfs');
const IMAGE = 'node:24-bookworm-slim';
const MIRROR = 'http://deb.debian.org/debian/dists/bookworm/InRelease';

describe('the Dockerfile', () => {
  const skip = whyNot() || noMirror();

  test('is read with its comments, continued lines and stages', () => {
    const text = '# syntax=x\nFROM a:1 AS build\nRUN one \\\n # a comment between\n && two\n\nFROM b\nCOPY --from=build /x ./\n';
    assert.deepEqual(parseDockerfile(text), [
      { from: 'a:1', name: 'build', steps: [{ line: 3, name: 'RUN', rest: 'one  && two' }] },
      { from: 'b', name: undefined, steps: [{ line: 8, name: 'COPY', rest: '--from=build /x ./' }] },
    ]);
    assert.throws(() => parseDockerfile('RUN true\n'), /^Error: Dockerfile:1: RUN stands before the first FROM$/);
    assert.deepEqual(assignments('A=1 B="two words" c.d=e'), [['A', '1'], ['B', 'two words'], ['c.d', 'e']]);
    assert.deepEqual(execForm({ line: 1, name: 'HEALTHCHECK', rest: '--retries=3 CMD ["a", "b"]' }), ['a', 'b']);
    assert.throws(() => execForm({ line: 7, name: 'CMD', rest: 'relayd run' }), /^Error: Dockerfile:7: CMD is not a JSON list of words$/);
  });

  test('has the state folder of the service, its user, and a signal that drains', async () => {
    const lines = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
    assert.match(lines, /STATE_DIRECTORY=\/var\/lib\/relayd\n/);
    assert.match(lines, /^VOLUME \/var\/lib\/relayd$/m);
    assert.match(lines, /^USER relayd$/m);
    assert.match(lines, /^STOPSIGNAL SIGTERM$/m);
  });

  test('has a base that Debian and npm provide', { skip, timeout: BUILD_TIMEOUT_MS }, async () => {
    assert.ok(stepsOfTheDockerfile().includes(`FROM ${IMAGE}`));
    await mkdir(CACHE_DIR, { recursive: true });
    assert.ok(statSync(await baseImage(IMAGE, CACHE_DIR)).isFile());
    await assert.rejects(baseImage('alpine:3', CACHE_DIR), /^Error: FROM alpine:3: only node:MAJOR-SUITE-slim can be made here$/);
  });

  test('builds an image whose relay serves, is healthy, and drains; and the unit runs in it under systemd', { skip, timeout: BUILD_TIMEOUT_MS + 10_000 }, async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'relayd-image-'));
    t.after(() => rm(dir, { recursive: true, force: true }));
    const { exit, output } = await runCommand(join(ROOT, 'scripts/rootfs'), [], { timeoutMs: BUILD_TIMEOUT_MS, env: { ...process.env, TMPDIR: dir } });
    assert.equal(exit, 'exit code 0', output);
    for (const step of stepsOfTheDockerfile()) {
      assert.ok(output.includes(`  ${step}`), `${step} was not run`);
    }
    assert.match(output, /process 1 is user relayd, without capabilities\n.*: healthy\n.*a client outside holds a reservation\n.*SIGTERM: drained, exit code 0\n[^]*is the same peer\n/);
    if (cgroupMount() === undefined) {
      t.diagnostic('the unit was not started: there is no cgroup of version 2 here');
    } else {
      assert.match(output, /relayd\.service is active\n.*under a system call filter\n.*a wrong one is refused\n.*listens on port 443\n.*systemctl stop: drained, success\n.*done\n$/);
    }
  });
});

function stepsOfTheDockerfile(): string[] {
  return parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')).flatMap(({ from, steps }) => [`FROM ${from}`, ...steps.map(({ name, rest }) => `${name} ${rest}`)]);
}

/** Without Debian's packages there is nothing to build on. */
function noMirror(): string | false {
  const { status } = spawnSync(process.execPath, ['-e', `fetch('${MIRROR}', { method: 'HEAD', signal: AbortSignal.timeout(10_000) }).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`]);
  return status === 0 ? false : `${new URL(MIRROR).host} cannot be reached`;
}
