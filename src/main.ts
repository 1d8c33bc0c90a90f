#!/usr/bin/env node
import { answerEarlySignals } from './cli/early-signals.ts';

/** libp2p imports on older versions and fails when it runs. */
const NEEDED = [22, 19] as const;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(`relayd: this is Node ${process.versions.node}; Node ${NEEDED.join('.')} or later is needed\n`);
  process.exit(1);
}

// Before the rest is loaded, which takes a good part of a second.
answerEarlySignals({
  argv: process.argv.slice(2),
  signals: process,
  exitNow: (code) => process.exit(code),
  dieOf: (signal) => process.kill(process.pid, signal),
});

// Only now: on an older version the import itself may fail, with a message that says nothing.
const { runCli } = await import('./cli/index.ts');

// A reader that has seen enough (`relayd peers | head -1`) closes the pipe: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exit(
  await runCli(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    // Opened by whoever asks something, and by nobody else.
    get stdin() {
      return process.stdin;
    },
    env: process.env,
    signals: process,
    exitNow: (code) => process.exit(code),
  }),
);
