import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';

/** Of RFC 1035: a header's length, the flags of an answer, "no such name", and the type and class of what is answered. */
const HEADER_BYTES = 12;
const ANSWER = 0x8580;
const NO_SUCH_NAME = 3;
const TXT = 16;
const IN = 1;
/** Where the question's name is, for an answer to point to. */
const POINTER_TO_QUESTION = 0xc000 | HEADER_BYTES;
const TTL_SECONDS = 60;
/** A TXT record is made of pieces, each with a byte of length. */
const MAX_PIECE = 255;

/** A DNS server on loopback that has TXT records and nothing else. */
export class DnsServer {
  /** By name, in small letters; a name that is not there does not exist. */
  readonly txt = new Map<string, string[]>();
  /** The names that were asked for. */
  readonly asked: string[] = [];
  /** While it is set, nothing is answered. */
  silent = false;
  readonly #socket: Socket;

  static async start(): Promise<DnsServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new DnsServer(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (message, from) => {
      const answer = this.#answer(message);
      if (!this.silent) socket.send(answer, from.port, from.address);
    });
  }

  /** As `discovery.dnsServers` takes it. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  /** Lists `addrs` under `/dnsaddr/NAME`. */
  list(name: string, addrs: readonly string[]): void {
    this.txt.set(`_dnsaddr.${name}`, addrs.map((addr) => `dnsaddr=${addr}`));
  }

  stop(): void {
    this.#socket.close();
  }

  #answer(query: Buffer): Buffer {
    const { name, end } = nameAt(query, HEADER_BYTES);
    const question = query.subarray(HEADER_BYTES, end + 4);
    this.asked.push(name);
    const records = question.readUInt16BE(question.length - 4) === TXT ? this.txt.get(name) : [];
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt16BE(query.readUInt16BE(0), 0);
    header.writeUInt16BE(ANSWER | (records === undefined ? NO_SUCH_NAME : 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records?.length ?? 0, 6);
    return Buffer.concat([header, question, ...(records ?? []).map(txtRecord)]);
  }
}

function nameAt(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  return { name: labels.join('.'), end: at + 1 };
}

function txtRecord(text: string): Buffer {
  const pieces = Array.from({ length: Math.ceil(text.length / MAX_PIECE) }, (_, i) => Buffer.from(text.slice(i * MAX_PIECE, (i + 1) * MAX_PIECE)));
  const data = Buffer.concat(pieces.flatMap((piece) => [Buffer.from([piece.length]), piece]));
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt16BE(POINTER_TO_QUESTION, 0);
  head.writeUInt16BE(TXT, 2);
  head.writeUInt16BE(IN, 4);
  head.writeUInt32BE(TTL_SECONDS, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
