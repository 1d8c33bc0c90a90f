import { MessageWriter, bytesOf, malformed, readFields } from '../protobuf.ts';

/**
 * The messages of `/relayd/directory/1.0.0`, protobuf, each behind a varint length: a client asks a relay for its statement about
 * itself, or the relay brings it. docs/reference/protocol-directory.md is the description for other implementations.
 */
export const DIRECTORY_PROTOCOL = '/relayd/directory/1.0.0';

/** The longest message, in bytes, without its length prefix: a statement with all that it may hold, signed with the longest RSA key. */
export const MAX_DIRECTORY_FRAME_BYTES = 4096;

export type DirectoryMessage = { readonly type: 'get' } | { readonly type: 'statement'; readonly statement: Uint8Array };

const GET_FIELD = 1;
const STATEMENT_FIELD = 2;
const NOTHING = new Uint8Array();
const GET: DirectoryMessage = { type: 'get' };

/** @throws RelaydError MALFORMED_MESSAGE for a statement that does not fit a frame */
export function encodeMessage(message: DirectoryMessage): Uint8Array {
  const writer = new MessageWriter();
  const body = (message.type === 'get' ? writer.bytes(GET_FIELD, NOTHING) : writer.bytes(STATEMENT_FIELD, message.statement)).finish();
  if (body.byteLength > MAX_DIRECTORY_FRAME_BYTES) {
    throw malformed(`a message of ${body.byteLength} bytes; at most ${MAX_DIRECTORY_FRAME_BYTES} fit`);
  }
  return body;
}

/** Of two requests in one message the last counts. @throws RelaydError MALFORMED_MESSAGE when there is none */
export function decodeMessage(body: Uint8Array): DirectoryMessage {
  let message: DirectoryMessage | undefined;
  for (const field of readFields(body)) {
    if (field.number === GET_FIELD) message = GET;
    else if (field.number === STATEMENT_FIELD) message = { type: 'statement', statement: bytesOf(field) };
  }
  if (message === undefined) {
    throw malformed('a message that asks and tells nothing');
  }
  return message;
}
