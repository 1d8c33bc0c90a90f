import { existsSync, globSync, renameSync, writeFileSync } from 'node:fs';

/** The wall clock of some processes, an hour off: libfaketime (Debian: faketime). Their monotonic clock goes on as it is. */
export class FakeClock {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
    this.step(0);
  }

  /** Sets it to the true time and so many seconds. */
  step(seconds: number): void {
    // The processes read it whenever they like, and end when they find it empty.
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** Before a program that is to live by it. */
  get prefix(): string[] {
    // The file is read again each second.
    return ['env', `LD_PRELOAD=${library() ?? ''}`, `FAKETIME_TIMESTAMP_FILE=${this.#file}`, 'FAKETIME_CACHE_DURATION=1', 'FAKETIME_DONT_FAKE_MONOTONIC=1', 'DONT_FAKE_MONOTONIC=1'];
  }
}

/** Where Debian, and others, keep it. */
const PLACES = ['/usr/lib/*/faketime/libfaketimeMT.so.1', '/usr/lib/faketime/libfaketimeMT.so.1', '/usr/lib64/faketime/libfaketimeMT.so.1', '/usr/local/lib/faketime/libfaketimeMT.so.1'];

function library(): string | undefined {
  return PLACES.flatMap((place) => globSync(place)).find((file) => existsSync(file));
}

export function noFakeClock(): string | false {
  return library() === undefined ? 'libfaketime is not installed: apt-get install faketime' : false;
}
