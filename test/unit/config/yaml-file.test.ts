import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { errorsOf, fileErrors, fileIn, folder, load, PEERS } from './helpers.ts';

describe('a config file that is not YAML', () => {
  const cases: [string, string, string[]][] = [
    ['a key given twice', 'role: relay\nlog: {level: info}\nrole: both\n', ['F:3:1: role: is given twice; each key once']],
    ['a key given twice deep down', 'tunnels:\n  expose:\n    - {name: a, to: a:1, name: b}\n', ['F:3:26: tunnels.expose[0].name: is given twice; each key once']],
    ['a tab', 'log:\n\tlevel: info\n', ['F:2:1: a tab is used for indentation; spaces']],
    ['two documents', 'role: relay\n---\nrole: both\n', ['F:2:1: a second document begins here; one document: no --- in the middle of the file']],
    ['a key in the wrong column', 'log:\n  level: info\n format: json\n', ['F:3:1: broken YAML: all mapping items must start at the same column; every key of one level in the same column']],
    ['two keys in a line', 'log: level: info\n', ['F:1:6: a second ": " in one line; one key a line, or quotes around the value']],
    ['brackets without quotes', 'admin:\n  listen: [::1]:9641\n', ['F:2:16: broken YAML: unexpected scalar at node end; quotes around a value that begins with [, such as "[::1]:9641"']],
    ['a character that YAML keeps for itself', 'realm:\n  name: @home\n', ['F:2:9: broken YAML: plain value cannot start with reserved character @; quotes around the value']],
    ['a tag', 'realm: {name: !secret x}\n', ['F:1:15: a tag is used; the value without its tag']],
    ['an alias of nothing', 'realm: {name: *home}\n', ['F:1:15: no anchor "home" stands before this alias; an anchor before each alias']],
    ['a list', '- role: relay\n', ['F:1:1: the file is a list; a map of keys, such as "role: relay"']],
    ['one word', '# hello\n  relay\n', ['F:2:3: the file is the one value "relay"; a map of keys, such as "role: relay"']],
    ['a key that is a list', '[role]: relay\n', ['F:1:1: a key is a list or a map; a word']],
  ];
  for (const [name, text, expected] of cases) {
    it(`${name} is an error with its place`, (t) => assert.deepEqual(fileErrors(t, text), expected));
  }

  it('an unclosed quote is an error', (t) => {
    assert.match(fileErrors(t, 'realm:\n  name: "home\n').join(), /^F:\d+:\d+: broken YAML: missing closing "quote; valid YAML$/);
  });

  it('bytes that are not UTF-8 are an error', (t) => {
    assert.deepEqual(fileErrors(t, Buffer.from([0x72, 0xff, 0xfe])), ['F: the config file is not UTF-8 text; YAML in UTF-8']);
  });

  it('aliases that grow without end are an error', (t) => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]', ...'bcdefgh'.split('').map((name, index) => `${name}: &${name} [${`*${'abcdefg'[index]},`.repeat(10)}]`)].join('\n');
    assert.match(fileErrors(t, bomb).join(), /alias/);
  });

  it('a broken file does not hide what is wrong elsewhere', (t) => {
    assert.deepEqual(fileErrors(t, 'a: [\n', { set: ['client.desired=17'] })[0], '--set: client.desired: 17 is too large; at most 16');
  });
});

describe('a config file that cannot be read', () => {
  it('is an error when it is missing', () => {
    assert.match(errorsOf({ file: '/nowhere/relayd.yaml' }).join(), /^\/nowhere\/relayd\.yaml: the config file cannot be read: ENOENT.*; a file that is there and that this user can read$/);
  });

  it('is an error when it is a folder', (t) => {
    const path = join(folder(t), 'sub');
    mkdirSync(path);
    assert.match(errorsOf({ file: path }).join(), /cannot be read: EISDIR/);
  });
});

describe('a config file without settings', () => {
  for (const text of ['', '# nothing\n', '---\n', 'relay:\nclient:\n  relays:\n#   - x\n', '~\n', '\ufeffrole: relay\n']) {
    it(`${JSON.stringify(text)} is fine`, (t) => assert.deepEqual(fileErrors(t, text), []));
  }
});

describe('values that are wrong', () => {
  const cases: [string, string][] = [
    ['colour: red', 'F:1:1: colour: unknown key; one of profile, role, dataDir, identity, network, connections, discovery, relay, client, tunnels, realm, coordination, admin, log, tracing, drain or doctor'],
    ['roel: relay', 'F:1:1: roel: unknown key; did you mean role?'],
    ['relay:\n  ttl: 1h', 'F:2:3: relay.ttl: unknown key; did you mean relay.limits.reservations.ttl?'],
    ['relay:\n  limits:\n    reservations: {perprefix: 3}', 'F:3:20: relay.limits.reservations.perprefix: unknown key; did you mean relay.limits.reservations.perPrefix?'],
    ['limits: {}', 'F:1:1: limits: unknown key; did you mean relay.limits?'],
    ['relay: {bootstrap: []}', 'F:1:9: relay.bootstrap: unknown key; did you mean discovery.bootstrap?'],
    ['__proto__: {}', 'F:1:1: __proto__: unknown key; one of profile, role, dataDir, identity, network, connections, discovery, relay, client, tunnels, realm, coordination, admin, log, tracing, drain or doctor'],
    ['<<: {role: relay}', 'F:1:1: <<: unknown key; one of profile, role, dataDir, identity, network, connections, discovery, relay, client, tunnels, realm, coordination, admin, log, tracing, drain or doctor'],
    ['log: info', 'F:1:6: log: "info" is not a map of keys; a map of level or format'],
    ['log: [info]', 'F:1:6: log: a list is not a map of keys; a map of level or format'],
    ['role: server', 'F:1:7: role: "server" is not known here; relay, client or both'],
    ['role:', 'F:1:1: role: an empty value is not known here; relay, client or both'],
    ['relay: {open: yes}', 'F:1:15: relay.open: "yes" is neither true nor false; true or false'],
    ['client: {desired: 0}', 'F:1:19: client.desired: 0 is too small; at least 1'],
    ['client: {desired: 17}', 'F:1:19: client.desired: 17 is too large; at most 16'],
    ['client: {desired: two}', 'F:1:19: client.desired: "two" is not a whole number; a whole number'],
    ['client: {desired: 1.5}', 'F:1:19: client.desired: 1.5 is not a whole number; a whole number'],
    ['client:\n  probe:\n    interval: 5', 'F:3:15: client.probe.interval: 5 has no unit; add a unit, such as 2m'],
    ['drain: {timeout: 2 min}', 'F:1:18: drain.timeout: "2 min" is not a duration; a whole number and one unit (ms, s, m, h or d), such as 2m'],
    ['relay: {limits: {reservations: {ttl: 999ms}}}', 'F:1:38: relay.limits.reservations.ttl: 999ms is too small; at least 1s'],
    ['relay: {limits: {reservations: {ttl: 31d}}}', 'F:1:38: relay.limits.reservations.ttl: 31d is too large; at most 30d'],
    ['relay: {limits: {reservations: {max: unlimited}}}', 'F:1:38: relay.limits.reservations.max: this limit cannot be off; a number, such as 128'],
    ['relay: {limits: {circuits: {bytesPerDirection: 128KB}}}', 'F:1:48: relay.limits.circuits.bytesPerDirection: "128KB" is not a size; a whole number and one unit (B, KiB, MiB or GiB), such as 128KiB'],
    ['relay: {limits: {circuits: {bytesPerDirection: 131072}}}', 'F:1:48: relay.limits.circuits.bytesPerDirection: 131072 has no unit; add a unit, such as 128KiB'],
    ['relay: {limits: {circuits: {bytesPerDirection: 0B}}}', 'F:1:48: relay.limits.circuits.bytesPerDirection: 0B is too small; at least 1B, or unlimited for no limit'],
    ['relay: {limits: {bandwidth: {total: 10MiB}}}', 'F:1:37: relay.limits.bandwidth.total: "10MiB" is a size, not a bandwidth; 10MiB/s'],
    ['relay: {limits: {rates: {reservePerPeer: 30}}}', 'F:1:42: relay.limits.rates.reservePerPeer: 30 has no unit; add a unit, such as 30/m'],
    ['relay: {memberLimits: {memory: {perDirection: 128KiB}}}', 'F:1:47: relay.memberLimits.memory.perDirection: 128KiB is too small; at least 256KiB'],
    ['relay: {prefixes: {ipv4: 33}}', 'F:1:26: relay.prefixes.ipv4: 33 is too large; at most 32'],
    ['relay: {prefixes: {ipv6: 64}}', 'F:1:26: relay.prefixes.ipv6: 64 is not a list; a list, such as [a, b], or one item a line after "- "'],
    ['relay: {prefixes: {ipv6: []}}', 'F:1:26: relay.prefixes.ipv6: an empty list; at least one'],
    ['relay: {prefixes: {ipv6: [56, 129]}}', 'F:1:31: relay.prefixes.ipv6[1]: 129 is too large; at most 128'],
    ['relay: {prefixes: {ipv6: [56, 56]}}', 'F:1:26: relay.prefixes.ipv6: the same value stands in it twice; each once'],
    ['relay:\n  access:\n    reserve:\n      deny:\n        - 10.0.0.0/33', 'F:5:11: relay.access.reserve.deny[0]: "10.0.0.0/33" has a prefix of 33 bits; at most /32'],
    ['network: {security: [tls, ssl]}', 'F:1:27: network.security[1]: "ssl" is not known here; tls or noise'],
    ['network: {listen: [/ip4/0.0.0.0/udp/1]}', 'F:1:20: network.listen[0]: "/ip4/0.0.0.0/udp/1" cannot be listened on; an address of this machine, such as /ip4/0.0.0.0/tcp/4001, /ip4/0.0.0.0/tcp/443/tls/ws for WebSocket, or /ip4/0.0.0.0/udp/4001/quic-v1 for QUIC'],
    ['discovery:\n  bootstrap:\n    - /ip4/1.2.3.4/tcp/1\n', "F:3:7: discovery.bootstrap[0]: \"/ip4/1.2.3.4/tcp/1\" does not say which peer answers there; end it in /p2p/ and the peer's id, as in /ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…"],
    ['realm: {name: 2024}', 'F:1:15: realm.name: 2024 is not a name; quotes, as in "2024"'],
    ['realm: {name: "a b"}', 'F:1:15: realm.name: "a b" is not a name; 1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit'],
    ['realm: {authority: key}', 'F:1:20: realm.authority: "key" is not the public key of a realm\'s authority; `ed25519:` and 43 characters, as `relayd realm init` prints it'],
    ['realm: {members: [PEER]}', 'F:1:19: realm.members[0]: "PEER" is not a peer id; a peer id, such as 12D3KooW… (`relayd key show` prints one)'],
    ['tunnels: {expose: [{name: ssh}]}', 'F:1:20: tunnels.expose[0].to: is missing; HOST:PORT, such as 127.0.0.1:22'],
    ['tunnels:\n  expose:\n    - name: ssh\n      to: 127.0.0.1:0', 'F:4:11: tunnels.expose[0].to: port 0 cannot be used; a port from 1 to 65535'],
    ['tunnels: {expose: [{name: ssh, to: a:22, alow: []}]}', 'F:1:42: tunnels.expose[0].alow: unknown key; did you mean allow?'],
    ['tunnels: {expose: [ssh]}', 'F:1:20: tunnels.expose[0]: "ssh" is not a map; a map, such as {name: ssh}'],
    ['tunnels: {forward: [{listen: 127.0.0.1:1, peer: x, name: a}]}', 'F:1:49: tunnels.forward[0].peer: "x" is not a peer id; a peer id, such as 12D3KooW… (`relayd key show` prints one)'],
    ['tracing: {sampleRatio: 10%}', 'F:1:24: tracing.sampleRatio: "10%" is not a share; a number from 0 to 1, such as 0.1'],
    ['tracing: {sampleRatio: 2}', 'F:1:24: tracing.sampleRatio: 2 is not a share; a number from 0 to 1, such as 0.1'],
    ['tracing: {endpoint: localhost:4318}', 'F:1:21: tracing.endpoint: "localhost:4318" is not a URL; an http or https URL without a name and password, such as http://127.0.0.1:4318'],
    ['tracing: {endpoint: "https://a:b@c.example"}', 'F:1:21: tracing.endpoint: there is a name or password in the URL; an http or https URL without a name and password, such as http://127.0.0.1:4318'],
    ['admin: {listen: "::1:80"}', 'F:1:17: admin.listen: "::1:80" is an IPv6 address without brackets; brackets and a port, such as "[::1]:9641"'],
    ['admin: {listen: unix:relayd.sock}', 'F:1:17: admin.listen: "relayd.sock" is not an absolute path; such as unix:/run/relayd/admin.sock'],
    [`admin: {listen: unix:/${'x'.repeat(110)}}`, 'F:1:17: admin.listen: a socket path of 111 bytes is too long for the system; at most 103 bytes'],
    ['dataDir: [a]', 'F:1:10: dataDir: a list is not a path; the path of a file or folder'],
  ];
  for (const [text, expected] of cases) {
    it(JSON.stringify(text), (t) => assert.deepEqual(fileErrors(t, text), [expected]));
  }

  it('are reported all at once, from top to bottom, with those of flags and variables', (t) => {
    const text = 'client:\n  desired: 99\nrelay:\n  open: 1\n  ttl: 1h\nlog: {level: loud}\n';
    assert.deepEqual(fileErrors(t, text, { set: ['drain.timeout=1'], env: { RELAYD_LOG__FORMAT: 'xml' } }), [
      '--set: drain.timeout: 1 has no unit; add a unit, such as 2m',
      'environment RELAYD_LOG__FORMAT: log.format: "xml" is not known here; json, pretty or auto',
      'F:2:12: client.desired: 99 is too large; at most 16',
      'F:4:9: relay.open: 1 is neither true nor false; true or false',
      'F:5:3: relay.ttl: unknown key; did you mean relay.limits.reservations.ttl?',
      'F:6:14: log.level: "loud" is not known here; trace, debug, info, warn, error or silent',
    ]);
  });

  it('are reported where a stronger layer would hide them', (t) => {
    assert.deepEqual(fileErrors(t, 'client: {desired: 99}', { set: ['client.desired=1'] }), ['F:1:19: client.desired: 99 is too large; at most 16']);
  });

  it('make one line each, whatever a key holds', (t) => {
    const [error = '', ...others] = fileErrors(t, '"a\\nb\\e[31m": 1');
    assert.deepEqual(others, []);
    assert.match(error, /^F:1:1: a\?b\?\[31m: unknown key; /);
  });

  it('are shortened when they are long', (t) => {
    assert.ok((fileErrors(t, `role: ${'x'.repeat(10_000)}`)[0] ?? '').length < 200);
  });
});

describe('aliases', () => {
  it('stand for what they name, and errors for where they stand', (t) => {
    const path = folder(t);
    const text = `realm: {members: &us [${PEERS[0]}]}\nrelay: {access: {reserve: {allow: *us}}}\n`;
    assert.deepEqual(load({ file: fileIn(path, 'a.yaml', text) }).config.relay.access.reserve.allow, [PEERS[0]]);
    assert.deepEqual(fileErrors(t, 'client: {desired: &n 17}\nrelay: {prefixes: {ipv4: *n}}\n'), ['F:1:22: client.desired: 17 is too large; at most 16']);
    assert.deepEqual(fileErrors(t, 'relay: {prefixes: {ipv4: &n 32}}\nclient: {desired: *n}\n'), ['F:2:19: client.desired: 32 is too large; at most 16']);
  });
});
