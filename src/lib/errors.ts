/**
 * Every error that relayd itself raises carries a code from this table, so that a
 * caller (a command, the admin HTTP server, a log reader) acts on the code and never on text.
 */
export const ERROR_CODES = {
  CONFIG_INVALID: { exit: 78, http: 400 },
  NOT_BUILT: { exit: 78, http: 501 },
  DAEMON_UNREACHABLE: { exit: 69, http: 503 },
  IDENTITY_INVALID: { exit: 78, http: 500 },
  FILE_UNREADABLE: { exit: 78, http: 500 },
  FILE_UNWRITABLE: { exit: 78, http: 500 },
  DATA_DIR_UNWRITABLE: { exit: 78, http: 500 },
  DATA_DIR_IN_USE: { exit: 1, http: 500 },
  ADDRESS_IN_USE: { exit: 1, http: 500 },
  ADDRESS_UNAVAILABLE: { exit: 1, http: 500 },
  START_FAILED: { exit: 1, http: 500 },
  UNAUTHORIZED: { exit: 1, http: 401 },
  FORBIDDEN: { exit: 1, http: 403 },
  NOT_FOUND: { exit: 1, http: 404 },
  METHOD_NOT_ALLOWED: { exit: 1, http: 405 },
  BAD_REQUEST: { exit: 1, http: 400 },
  BODY_TOO_LARGE: { exit: 1, http: 413 },
  BUSY: { exit: 1, http: 503 },
  MALFORMED_MESSAGE: { exit: 1, http: 502 },
  UNEXPECTED_END: { exit: 1, http: 502 },
  VOUCHER_INVALID: { exit: 1, http: 502 },
  STATEMENT_INVALID: { exit: 1, http: 502 },
  RESERVATION_REFUSED: { exit: 1, http: 502 },
  CONNECT_REFUSED: { exit: 1, http: 502 },
  DIAL_FAILED: { exit: 1, http: 502 },
  NO_ADDRESS: { exit: 1, http: 502 },
  TUNNEL_REFUSED: { exit: 1, http: 502 },
  TOKEN_INVALID: { exit: 1, http: 400 },
  REALM_MISSING: { exit: 1, http: 404 },
  REALM_EXISTS: { exit: 1, http: 409 },
  INVITATION_INVALID: { exit: 1, http: 400 },
  STORE_UNAVAILABLE: { exit: 1, http: 503 },
  FENCED: { exit: 1, http: 409 },
  NO_CLUSTER: { exit: 1, http: 404 },
  TIMEOUT: { exit: 1, http: 504 },
  CLOSED: { exit: 1, http: 503 },
  INTERNAL: { exit: 1, http: 500 },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface RelaydErrorOptions {
  cause?: unknown;
  /** Facts about the failure for machines: addresses, limits, statuses. Never secrets. */
  data?: Record<string, unknown>;
}

export class RelaydError extends Error {
  readonly code: ErrorCode;
  readonly data: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: RelaydErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'RelaydError';
    this.code = code;
    this.data = options.data ?? {};
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }

  get httpStatus(): number {
    return ERROR_CODES[this.code].http;
  }
}

/** The text of anything thrown, without a stack, with the causes behind it. */
export function errorMessage(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const own = error.message === '' ? error.name : error.message;
  return error.cause === undefined ? own : `${own}: ${errorMessage(error.cause)}`;
}

/** `error` as an `Error`, for APIs (abort, reject) that want one. */
export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
