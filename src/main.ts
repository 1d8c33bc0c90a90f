#!/usr/bin/env node
import { runCli } from './cli/index.ts';

// A reader that has seen enough (`relayd peers | head -1`) closes the pipe: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exit(
  await runCli(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signals: process,
    exitNow: (code) => process.exit(code),
  }),
);
