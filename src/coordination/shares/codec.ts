import { MessageWriter, bytesOf, malformed, numberOf, readFields, textOf } from '../../lib/protobuf.ts';
import { ANSWER_STATUSES, STATUSES } from './messages.ts';
import type { Answer, HoldOp, HoldResult, Holding, Level, Question, RateOp, RateResult, Stamp } from './messages.ts';

export function encodeQuestion(question: Question): Uint8Array {
  switch (question.type) {
    case 'report':
      return new MessageWriter().bytes(1, encodeReport(question)).finish();
    case 'ask':
      return new MessageWriter().bytes(2, encodeAsk(question)).finish();
    case 'recall':
      return new MessageWriter().bytes(3, question.keys.reduce((writer, key) => writer.text(1, key), new MessageWriter()).finish()).finish();
  }
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeQuestion(bytes: Uint8Array): Question {
  for (const field of readFields(bytes)) {
    if (field.number === 1) return decodeReport(bytesOf(field));
    if (field.number === 2) return decodeAsk(bytesOf(field));
    if (field.number === 3) return { type: 'recall', keys: [...readFields(bytesOf(field))].filter(({ number }) => number === 1).map(textOf) };
  }
  throw malformed('a question about shares of no known type');
}

export function encodeAnswer({ status, holds, rates }: Answer): Uint8Array {
  const writer = new MessageWriter().varint(1, ANSWER_STATUSES.indexOf(status));
  for (const result of holds) {
    writer.bytes(2, numbers([STATUSES.indexOf(result.status), result.granted, result.current, result.maximum, result.contended ? 1 : 0]));
  }
  for (const result of rates) {
    writer.bytes(3, numbers([STATUSES.indexOf(result.status), result.granted, result.retryAfterMs]));
  }
  return writer.finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeAnswer(bytes: Uint8Array): Answer {
  let status: Answer['status'] = 'ok';
  const holds: HoldResult[] = [];
  const rates: RateResult[] = [];
  for (const field of readFields(bytes)) {
    if (field.number === 1) {
      status = named(ANSWER_STATUSES, numberOf(field));
    } else if (field.number === 2) {
      const [result, granted, current, maximum, contended] = readNumbers(bytesOf(field));
      holds.push({ status: named(STATUSES, result), granted, current, maximum, contended: contended === 1 });
    } else if (field.number === 3) {
      const [result, granted, retryAfterMs] = readNumbers(bytesOf(field));
      rates.push({ status: named(STATUSES, result), granted, retryAfterMs });
    }
  }
  return { status, holds, rates };
}

function encodeReport({ stamp, holdings, levels, last }: Extract<Question, { type: 'report' }>): Uint8Array {
  const writer = new MessageWriter().bytes(1, encodeStamp(stamp)).varint(2, last ? 1 : 0);
  holdings.forEach(({ key, count }) => writer.bytes(3, keyed(key, [count])));
  levels.forEach(({ key, missing, count, perMs }) => writer.bytes(4, keyed(key, [missing, count, perMs])));
  return writer.finish();
}

function decodeReport(bytes: Uint8Array): Question {
  const report = { type: 'report' as const, stamp: NO_STAMP, last: false, holdings: [] as Holding[], levels: [] as Level[] };
  for (const field of readFields(bytes)) {
    if (field.number === 1) {
      report.stamp = decodeStamp(bytesOf(field));
    } else if (field.number === 2) {
      report.last = numberOf(field) === 1;
    } else if (field.number === 3) {
      const { key, values: [count] } = readKeyed(bytesOf(field));
      report.holdings.push({ key, count });
    } else if (field.number === 4) {
      const { key, values: [missing, count, perMs] } = readKeyed(bytesOf(field));
      report.levels.push({ key, missing, count, perMs });
    }
  }
  return report;
}

function encodeAsk({ stamp, wait, holds, rates }: Extract<Question, { type: 'ask' }>): Uint8Array {
  const writer = new MessageWriter().bytes(1, encodeStamp(stamp)).varint(2, wait ? 1 : 0);
  holds.forEach(({ key, maximum, want, extra, give, claim }) => writer.bytes(3, keyed(key, [maximum, want, extra, give, claim])));
  rates.forEach(({ key, count, perMs, want, extra, give }) => writer.bytes(4, keyed(key, [count, perMs, want, extra, give])));
  return writer.finish();
}

function decodeAsk(bytes: Uint8Array): Question {
  const ask = { type: 'ask' as const, stamp: NO_STAMP, wait: false, holds: [] as HoldOp[], rates: [] as RateOp[] };
  for (const field of readFields(bytes)) {
    if (field.number === 1) {
      ask.stamp = decodeStamp(bytesOf(field));
    } else if (field.number === 2) {
      ask.wait = numberOf(field) === 1;
    } else if (field.number === 3) {
      const { key, values: [maximum, want, extra, give, claim] } = readKeyed(bytesOf(field));
      ask.holds.push({ key, maximum, want, extra, give, claim });
    } else if (field.number === 4) {
      const { key, values: [count, perMs, want, extra, give] } = readKeyed(bytesOf(field));
      ask.rates.push({ key, count, perMs, want, extra, give });
    }
  }
  return ask;
}

const NO_STAMP: Stamp = { instance: 0, session: 0, sequence: 0, view: 0 };

function encodeStamp({ instance, session, sequence, view }: Stamp): Uint8Array {
  return numbers([instance, session, sequence, view]);
}

function decodeStamp(bytes: Uint8Array): Stamp {
  const [instance, session, sequence, view] = readNumbers(bytes);
  return { instance, session, sequence, view };
}

/** Small whole numbers as fields 1, 2, …; a 0 is left out. */
function numbers(values: readonly number[], writer = new MessageWriter(), first = 1): Uint8Array {
  values.forEach((value, i) => value === 0 || writer.varint(first + i, value));
  return writer.finish();
}

type Five = [number, number, number, number, number];

function readNumbers(bytes: Uint8Array, first = 1): Five {
  const values: Five = [0, 0, 0, 0, 0];
  for (const field of readFields(bytes)) {
    const at = field.number - first;
    if (at >= 0 && at < values.length && field.varint !== undefined) values[at] = numberOf(field);
  }
  return values;
}

/** A key as field 1, and numbers behind it. */
function keyed(key: string, values: readonly number[]): Uint8Array {
  return numbers(values, new MessageWriter().text(1, key), 2);
}

function readKeyed(bytes: Uint8Array): { key: string; values: Five } {
  let key: string | undefined;
  for (const field of readFields(bytes)) {
    if (field.number === 1) key = textOf(field);
  }
  if (key === undefined) {
    throw malformed('an operation without a key');
  }
  return { key, values: readNumbers(bytes, 2) };
}

function named<T>(names: readonly T[], index: number): T {
  const name = names[index];
  if (name === undefined) {
    throw malformed(`a status ${index} that is not known`);
  }
  return name;
}
