import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** Where stores keep their data: in memory where the machine has such a folder, since etcd 3.4 waits for the disc at every write. */
export const SCRATCH = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
