import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's young generation as large as it is when a daemon begins: some 4 MiB a half. Node 24 lets it grow to 64 MiB a half, and as almost all that
 * a new reservation makes survives, one collection then copies tens of megabytes while every circuit waits (docs/decisions). The size itself can
 * only be given on the command line (--max-semi-space-size, which goes before this); how it grows, also to a program that runs.
 */
export function holdYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
