/** The codes a command ends with: part of the contract with scripts (sysexits.h where it has one). */
export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 64;
export const EXIT_CONFIG = 78;

export const EXIT_CODES_HELP = `Exit codes:
  0   done; stopped cleanly
  1   failed
  64  wrong usage
  69  the daemon could not be reached
  78  wrong config`;
