import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLogger } from '../../../src/lib/logger.ts';
import type { LogLevel } from '../../../src/lib/logger.ts';
import { libp2pLogger } from '../../../src/node/libp2p-logger.ts';

describe('libp2pLogger', () => {
  const rig = (level: LogLevel) => {
    const lines: { level: unknown; component: string; msg: string }[] = [];
    const log = createLogger({ level, format: 'json', destination: { write: (line) => void lines.push(JSON.parse(line)) } });
    return { lines, log, component: libp2pLogger(log).forComponent('libp2p:tcp') };
  };

  it('writes the library\'s lines at level trace, in plain text, under the name of their scope', () => {
    const { lines, component } = rig('trace');
    assert.equal(component.enabled, true);
    component('listening on %a', { toString: () => '/ip4/127.0.0.1' });
    component.newScope('7').newScope('yamux').error('broke - %e', new Error('no more'));
    assert.deepEqual(lines.map(({ component: name, msg }) => [name, msg]), [['libp2p:tcp', 'listening on /ip4/127.0.0.1'], ['libp2p:tcp:7:yamux', 'broke - no more']]);
  });

  it('costs nothing below it: no text is made, and no logger for a scope', () => {
    const { lines, component } = rig('debug');
    const untouchable = { toString: () => assert.fail('text is made') };
    assert.equal(component.enabled, false);
    assert.equal(component.newScope('7').newScope('yamux'), component);
    component('%s', untouchable);
    component.trace('%s', untouchable);
    component.error('%s', untouchable);
    assert.deepEqual(lines, []);
  });

  it('follows the level while it runs', () => {
    const { lines, log, component } = rig('info');
    const before = component.newScope('before');
    log.level = 'trace';
    before('now heard');
    assert.equal(component.enabled, true);
    component.newScope('after')('too');
    assert.deepEqual(lines.map(({ component: name }) => name), ['libp2p:tcp', 'libp2p:tcp:after']);
  });

  it('tells the operator what a part of ours calls an error', () => {
    const { lines, log } = rig('info');
    libp2pLogger(log).forComponent('relayd:noise').error('costs %s', 'more');
    assert.deepEqual(lines.map(({ level, msg }) => [level, msg]), [['warn', 'costs more']]);
  });
});
