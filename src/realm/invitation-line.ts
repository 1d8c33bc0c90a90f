import { createHash } from 'node:crypto';
import { RelaydError } from '../lib/errors.ts';
import { concat } from '../lib/protobuf.ts';

/**
 * The text around an invitation: `relayd:` and the base64url of a header, the content and a checksum. What people do to a line on its way (cut it,
 * wrap it, lose a character) is told apart here, before anybody asks what the content means. docs/reference/invitations.md describes the bytes.
 */
const LINE_PREFIX = 'relayd:';

const VERSION = 1;

/** Version, length of everything in bytes (16 bits, big-endian), and a checksum of those three: a whole number of characters in base64. */
const HEADER_BYTES = 6;
const HEADER_CHARS = 8;
const HEADER_FACTS_BYTES = 3;

/** Of SHA-256: an altered line passes once in 2^48. Nobody is kept out by it; the token's signature does that. */
const CHECKSUM_BYTES = 6;

/** A line of four relays and a tunnel has 450; what is far from that is none. */
export const MAX_LINE_BYTES = 4096;

const BASE64URL = /^[A-Za-z0-9_-]*$/;

export const LINE_PROBLEMS = ['not an invitation', 'truncated', 'altered', 'newer version'] as const;
export type LineProblem = (typeof LINE_PROBLEMS)[number];

/** @param content at most {@link MAX_LINE_BYTES} with what goes around it */
export function writeLine(content: Uint8Array): string {
  const length = HEADER_BYTES + content.byteLength + CHECKSUM_BYTES;
  if (length > MAX_LINE_BYTES) {
    throw new RelaydError('BAD_REQUEST', `an invitation of ${length} bytes is too long; at most ${MAX_LINE_BYTES} are possible: name fewer relays`);
  }
  const body = concat([header(length), content]);
  return LINE_PREFIX + Buffer.from(concat([body, digest(body, CHECKSUM_BYTES)])).toString('base64url');
}

/**
 * The content of a line; white space anywhere in it does not count.
 *
 * @throws RelaydError INVITATION_INVALID with `data.problem`, one of {@link LINE_PROBLEMS}
 */
export function readLine(text: string): Uint8Array {
  const line = text.replaceAll(/\s/g, '');
  if (!line.startsWith(LINE_PREFIX)) {
    throw notWhole(line);
  }
  const encoded = line.slice(LINE_PREFIX.length);
  if (!BASE64URL.test(encoded)) {
    throw altered('it has characters that no invitation has');
  }
  const bytes = checkLength(encoded, line.length);
  const body = bytes.subarray(0, -CHECKSUM_BYTES);
  if (!digest(body, CHECKSUM_BYTES).equals(bytes.subarray(-CHECKSUM_BYTES))) {
    throw altered('its checksum does not fit');
  }
  return body.subarray(HEADER_BYTES);
}

/** @throws RelaydError INVITATION_INVALID when there are more or fewer characters than the header says */
function checkLength(encoded: string, lineChars: number): Buffer {
  const wantedChars = LINE_PREFIX.length + charsOf(readHeader(encoded));
  if (lineChars < wantedChars) {
    throw problem('truncated', `the line ends early: ${lineChars} of ${wantedChars} characters; copy all of it`);
  }
  const bytes = Buffer.from(encoded, 'base64url');
  // Of the last character some bits may be spare: nobody but us sets them, and we set none.
  if (lineChars > wantedChars || bytes.toString('base64url') !== encoded) {
    throw altered(lineChars > wantedChars ? `it has ${lineChars} characters, ${lineChars - wantedChars} more than it should` : 'its last character is wrong');
  }
  return bytes;
}

/** How many bytes there should be. */
function readHeader(encoded: string): number {
  if (encoded.length < HEADER_CHARS) {
    throw problem('truncated', `the line ends early, after ${LINE_PREFIX.length + encoded.length} characters; copy all of it`);
  }
  const bytes = Buffer.from(encoded.slice(0, HEADER_CHARS), 'base64url');
  const length = bytes.readUInt16BE(1);
  if (!digest(bytes.subarray(0, HEADER_FACTS_BYTES), HEADER_BYTES - HEADER_FACTS_BYTES).equals(bytes.subarray(HEADER_FACTS_BYTES))) {
    throw altered('its beginning does not fit together');
  }
  if (bytes[0] !== VERSION) {
    throw problem('newer version', `the line is of version ${bytes[0]}, and this relayd knows version ${VERSION}; install a newer relayd, or ask for a line made by this version`);
  }
  if (length < HEADER_BYTES + CHECKSUM_BYTES || length > MAX_LINE_BYTES) {
    throw altered(`it says that it has ${length} bytes`);
  }
  return length;
}

function header(length: number): Uint8Array {
  const facts = Uint8Array.of(VERSION, length >> 8, length & 0xff);
  return concat([facts, digest(facts, HEADER_BYTES - HEADER_FACTS_BYTES)]);
}

function digest(bytes: Uint8Array, length: number): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, length);
}

/** Of base64 without padding: 6 bits each. */
function charsOf(bytes: number): number {
  return Math.ceil((bytes * 8) / 6);
}

function notWhole(line: string): RelaydError {
  if (line !== '' && LINE_PREFIX.startsWith(line)) {
    return problem('truncated', `the line ends early, after ${line.length} characters; copy all of it`);
  }
  return problem('not an invitation', `this is no invitation: it does not begin with "${LINE_PREFIX}"; "relayd invite" and "relayd share" print one`);
}

function altered(why: string): RelaydError {
  return problem('altered', `the line was changed on its way: ${why}; copy it again`);
}

export function problem(kind: LineProblem, text: string): RelaydError {
  return new RelaydError('INVITATION_INVALID', text, { data: { problem: kind } });
}
