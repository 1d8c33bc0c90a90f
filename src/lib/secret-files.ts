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

/** What is wrong with the secret of a cluster. */
export function clusterSecretProblem({ path, mode, text }: SecretFile): SecretProblem | undefined {
  if ((mode & OTHERS) !== 0) {
    return { problem: `${path} has mode ${octal(mode)}, so others than its owner can use the secret`, expected: `run: chmod 600 ${path}` };
  }
  return CLUSTER_SECRET.test(text.trim()) ? undefined : { problem: `${path} is not the secret of a cluster`, expected: 'a file with 64 hex digits, as `openssl rand -hex 32` prints them' };
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
