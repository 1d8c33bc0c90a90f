/** The rules for files that hold a secret: the same where a configuration is checked and where it is used. */

export interface SecretFile {
  path: string;
  /** As `stat` says it. */
  mode: number;
  text: string;
}

export interface SecretProblem {
  problem: string;
  expected: string;
}

/** Short enough to type, long enough not to be guessed over HTTP. */
const MIN_TOKEN_CHARS = 16;
/** Permission bits for people outside the owner and the group: a group may be the operators'. */
const EVERYONE = 0o006;
/** Permission bits for anyone but the owner. */
const OTHERS = 0o077;
/** go-ipfs's format: a header of two lines and 64 hex digits. */
const SWARM_KEY = /^\/key\/swarm\/psk\/1\.0\.0\/\s+\/base16\/\s+[0-9a-f]{64}\s*$/i;

/** 256 bits, as `openssl rand -hex 32` prints them. */
const CLUSTER_SECRET = /^[0-9a-f]{64}$/i;

/** What comes of a line that is put behind one without an end. */
const SECRETS_IN_ONE_LINE = /^[0-9a-f]{128}$/i;

/** The one that a relay speaks with, and the one before or after it: each more would be one that opens the cluster, and that nobody thinks of. */
export const MAX_CLUSTER_SECRETS = 2;

/** A membership token as it is written: a prefix and base64url. */
const MEMBER_TOKEN = /^relaytoken1\.[A-Za-z0-9_-]{20,4096}$/;

/** What is wrong with the token of the admin server; white space around it does not count. */
export function tokenProblem({ path, mode, text }: SecretFile): SecretProblem | undefined {
  const token = text.trim();
  const open = openToEveryone(path, mode, 'token');
  if (open !== undefined) {
    return open;
  }
  if (token.length < MIN_TOKEN_CHARS) {
    return { problem: `${path} has ${token.length} characters`, expected: `a token has at least ${MIN_TOKEN_CHARS} (openssl rand -hex 32 makes a good one)` };
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return { problem: `${path} has characters that an Authorization header cannot carry`, expected: 'use printable ASCII without spaces' };
  }
  return undefined;
}

/** What is wrong with the key of a private network. */
export function swarmKeyProblem({ path, mode, text }: SecretFile): SecretProblem | undefined {
  if ((mode & OTHERS) !== 0) {
    return { problem: `${path} has mode ${octal(mode)}, so others than its owner can use the key`, expected: `run: chmod 600 ${path}` };
  }
  return SWARM_KEY.test(text) ? undefined : { problem: `${path} is not a swarm key`, expected: 'a file with the lines /key/swarm/psk/1.0.0/, /base16/ and 64 hex digits' };
}

/** What is wrong with the secrets of a cluster. */
export function clusterSecretProblem({ path, mode, text }: SecretFile): SecretProblem | undefined {
  if ((mode & OTHERS) !== 0) {
    return { problem: `${path} has mode ${octal(mode)}, so others than its owner can use the secret`, expected: `run: chmod 600 ${path}` };
  }
  const lines = linesOf(text);
  const problems = lines.map(({ secret, number }, i) => clusterLineProblem(`${path}:${number}`, secret, lines.slice(0, i)));
  return lines.length === 0 ? { problem: `${path} is empty`, expected: ONE_SECRET } : problems.find((problem) => problem !== undefined);
}

/** The secrets in a file that has no {@link clusterSecretProblem}; the first is the one that is spoken with. */
export function clusterSecrets(text: string): string[] {
  return linesOf(text).map(({ secret }) => secret);
}

const ONE_SECRET = 'a line with 64 hex digits, as `openssl rand -hex 32` prints them';

interface Line {
  readonly number: number;
  readonly secret: string;
}

/** Those that are not blank. */
function linesOf(text: string): Line[] {
  return text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [{ number: i + 1, secret: line.trim().toLowerCase() }]));
}

function clusterLineProblem(where: string, secret: string, before: readonly Line[]): SecretProblem | undefined {
  if (SECRETS_IN_ONE_LINE.test(secret)) return { problem: `${where} has two secrets`, expected: 'a line for each' };
  if (!CLUSTER_SECRET.test(secret)) return { problem: `${where} is not the secret of a cluster`, expected: ONE_SECRET };
  const same = before.find((line) => line.secret === secret);
  if (same !== undefined) return { problem: `${where} is the same secret as line ${same.number}`, expected: 'another one, or this line taken out' };
  return before.length < MAX_CLUSTER_SECRETS ? undefined : { problem: `${where} is one secret too many`, expected: `at most ${MAX_CLUSTER_SECRETS}: the one that this relay speaks with, and one that it accepts besides` };
}

/** What is wrong with the password for a store. White space around it does not count. */
export function passwordProblem({ path, mode, text }: SecretFile): SecretProblem | undefined {
  const open = openToEveryone(path, mode, 'password');
  if (open !== undefined) {
    return open;
  }
  return /^\S.*$/.test(text.trim()) ? undefined : { problem: `${path} holds ${text.trim() === '' ? 'nothing' : 'more than one line'}`, expected: 'the password, in one line' };
}

/** What is wrong with a file that holds a member's token, as far as can be seen without the realm's key. */
export function memberTokenProblem({ path, mode, text }: SecretFile): SecretProblem | undefined {
  const open = openToEveryone(path, mode, 'token');
  if (open !== undefined) {
    return open;
  }
  return MEMBER_TOKEN.test(text.trim()) ? undefined : { problem: `${path} does not hold a membership token`, expected: 'the line that `relayd realm issue` prints' };
}

/** What is wrong with the mode of a file whose secret the owner's group may have too. */
export function openToEveryone(path: string, mode: number, what: string): SecretProblem | undefined {
  return (mode & EVERYONE) === 0 ? undefined : { problem: `${path} has mode ${octal(mode)}, so every user of this machine can use the ${what}`, expected: `run: chmod 600 ${path}` };
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}
