import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { certificateFacts, certificateKeyProblem, certificateProblem } from '../../lib/certificate.ts';
import type { CertificateFacts } from '../../lib/certificate.ts';
import type { Clock, TimerHandle } from '../../lib/clock.ts';
import { errorMessage, RelaydError } from '../../lib/errors.ts';
import type { Part } from '../../lib/lifecycle.ts';
import type { Logger } from '../../lib/logger.ts';

export interface CertificateFilesOptions {
  certFile: string;
  keyFile: string;
  clock: Clock;
  log: Logger;
}

/** A tool that renews certificates writes two files one after the other: they are read when nothing has changed from one look to the next. */
const LOOK_MS = 5_000;

const DAY_MS = 24 * 3_600_000;
/** The people who renew by hand want weeks; a tool that renews by itself does so 30 days before, and has failed by then. */
const WARN_DAYS = [30, 7, 1] as const;

interface Loaded {
  context: SecureContext;
  facts: CertificateFacts;
}

/**
 * The certificate that listeners of WebSocket over TLS show, read again when its files change; what is open goes on with the one that it has.
 * A pair that is not right is not taken, and the log says why.
 */
export class CertificateFiles implements Part {
  readonly name = 'certificate';
  readonly #o: CertificateFilesOptions;
  #loaded: Loaded | undefined;
  /** What the files looked like when they were read, and at the last look. */
  #read = '';
  #seen = '';
  #timer: TimerHandle | undefined;
  #running = false;
  /** The last warning of the end: how near it was, and when it was given, by the wall clock. */
  #warned: { days: number; at: number } | undefined;

  constructor(options: CertificateFilesOptions) {
    this.#o = options;
  }

  /** Unix milliseconds; undefined before the first start. */
  get expiresAt(): number | undefined {
    return this.#loaded?.facts.expiresAt;
  }

  /** @throws RelaydError FILE_UNREADABLE when the files are missing, open to others or do not belong together */
  async start(): Promise<void> {
    this.#seen = this.#read = await this.#look();
    this.#loaded = await this.#load();
    this.#running = true;
    this.#warnOfEnd();
    this.#arm();
  }

  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
    this.#warned = undefined;
  }

  /** For new connections. @throws RelaydError CLOSED before the first start */
  readonly context = (): SecureContext => {
    if (this.#loaded === undefined) {
      throw new RelaydError('CLOSED', 'the certificate has not been read');
    }
    return this.#loaded.context;
  };

  #arm(): void {
    this.#timer = this.#o.clock.setTimer(() => void this.#check(), LOOK_MS);
  }

  async #check(): Promise<void> {
    try {
      await this.#reloadIfChanged();
    } catch (error) {
      this.#o.log.warn({ error: errorMessage(error), expires: day(this.expiresAt) }, 'the new certificate is not taken; the old one stays');
    }
    if (this.#running) {
      this.#warnOfEnd();
      this.#arm();
    }
  }

  async #reloadIfChanged(): Promise<void> {
    const now = await this.#look();
    const settled = now === this.#seen;
    this.#seen = now;
    if (!settled || now === this.#read) {
      return;
    }
    // Whatever comes of it, the same files are not read twice.
    this.#read = now;
    this.#loaded = await this.#load();
    this.#warned = undefined;
    this.#o.log.info({ names: this.#loaded.facts.names, expires: day(this.expiresAt) }, 'a new certificate is in force');
  }

  /** Changes when one of the files does. A name that leads nowhere for a moment is no change to act upon, and shows as one. */
  async #look(): Promise<string> {
    const files = [this.#o.certFile, this.#o.keyFile].map(async (file) => {
      const found = await stat(file).catch(() => undefined);
      return found === undefined ? 'missing' : `${found.ino} ${found.size} ${found.mtimeMs} ${found.mode}`;
    });
    return (await Promise.all(files)).join();
  }

  async #load(): Promise<Loaded> {
    const { certFile, keyFile } = this.#o;
    const [cert, key, { mode }] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8'), stat(keyFile)]).catch((cause: unknown) => {
      throw new RelaydError('FILE_UNREADABLE', `network.websocket: ${errorMessage(cause)}`, { cause });
    });
    const wrong = certificateProblem(certFile, cert) ?? certificateKeyProblem({ path: keyFile, mode, text: key }, cert);
    if (wrong !== undefined) {
      throw new RelaydError('FILE_UNREADABLE', `network.websocket: ${wrong.problem}; ${wrong.expected}`);
    }
    return { context: createSecureContext({ cert, key }), facts: certificateFacts(cert) };
  }

  /** At 30, 7 and 1 days, and every day in between. */
  #warnOfEnd(): void {
    const { clock, log } = this.#o;
    const left = (this.expiresAt ?? Infinity) - clock.wall();
    const days = WARN_DAYS.findLast((limit) => left <= limit * DAY_MS);
    if (days === undefined || (this.#warned?.days === days && clock.wall() - this.#warned.at < DAY_MS)) {
      return;
    }
    this.#warned = { days, at: clock.wall() };
    const expires = day(this.expiresAt);
    if (left <= 0) {
      log.error({ expires }, 'the certificate has expired: browsers no longer connect; renew it, it is read again by itself');
    } else {
      log.warn({ expires, daysLeft: Math.floor(left / DAY_MS) }, 'the certificate expires soon; renew it, it is read again by itself');
    }
  }
}

function day(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}
