import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { acceptUpgrade, checkAnswer, HeadReader, HttpError, refusal, upgradeRequest } from '../../../src/transport/websocket/upgrade.ts';

/** The example of RFC 6455, 1.3. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ANSWER = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const linesOf = (text: string): string[] => text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n');

const REQUEST = linesOf(upgradeRequest('relay.example.org:443', KEY));

function changed(change: (lines: string[]) => string[]): string[] {
  return change([...REQUEST]);
}

function statusOf(lines: string[]): string {
  try {
    acceptUpgrade(lines);
    return '101';
  } catch (error) {
    return error instanceof HttpError ? error.status : assert.fail(String(error));
  }
}

describe('the upgrade to WebSocket', () => {
  it('is accepted as the RFC has it, and a client knows its answer', () => {
    const answer = acceptUpgrade(REQUEST);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 101 [^\\r]+\\r\\n(.+\\r\\n)*Sec-WebSocket-Accept: ${ANSWER.replaceAll('+', '\\+')}\\r\\n`));
    checkAnswer(linesOf(answer), KEY);
  });

  it('is accepted from browsers and proxies, which write it in their own way', () => {
    const browser = ['GET /any/path?x HTTP/1.1', 'HOST: relay.example.org', 'connection: keep-alive, Upgrade', 'Upgrade: WebSocket', 'Sec-WebSocket-Version:13', `sec-websocket-key: \t${KEY} `, 'Origin: https://app.example.org', 'Cookie: a=b; c="d"', 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits', 'X-Forwarded-For: 192.0.2.1', 'X-Empty:'];
    const answer = acceptUpgrade(browser);
    assert.doesNotMatch(answer, /extensions|protocol:/i, 'nothing is agreed on');
  });

  for (const [what, request, status] of [
    ['a page', ['GET / HTTP/1.1', 'Host: a'], '426 Upgrade Required'],
    ['another upgrade', changed((lines) => lines.map((line) => line.replace('websocket', 'h2c'))), '426 Upgrade Required'],
    ['an old version', changed((lines) => lines.map((line) => line.replace('13', '8'))), '426 Upgrade Required'],
    ['no key', changed((lines) => lines.filter((line) => !line.includes('Key'))), '400 Bad Request'],
    ['a key that is too short', changed((lines) => lines.map((line) => line.replace(KEY, 'YWJj'))), '400 Bad Request'],
    ['two keys', changed((lines) => [...lines, `Sec-WebSocket-Key: ${KEY}`]), '400 Bad Request'],
    ['no host', changed((lines) => lines.filter((line) => !line.includes('Host'))), '400 Bad Request'],
    ['a POST', changed((lines) => lines.map((line) => line.replace('GET', 'POST'))), '400 Bad Request'],
    ['HTTP/1.0', changed((lines) => lines.map((line) => line.replace('HTTP/1.1', 'HTTP/1.0'))), '400 Bad Request'],
    ['a header in two lines', changed((lines) => [...lines, ' more']), '400 Bad Request'],
    ['a space before the colon', changed((lines) => [...lines, 'X : y']), '400 Bad Request'],
    ['a bare line feed in a header', changed((lines) => [...lines, 'X: y\nUpgrade: z']), '400 Bad Request'],
    ['nothing', [''], '400 Bad Request'],
  ] as const) {
    it(`is refused: ${what}`, () => {
      assert.equal(statusOf([...request]), status);
      assert.match(refusal(new HttpError(status)), new RegExp(`^HTTP/1\\.1 ${status}\\r\\n`));
    });
  }

  for (const [what, answer] of [
    ['a page', 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n'],
    ['something else than HTTP', '\u0013/multistream/1.0.0\n\r\n\r\n'],
    ['the answer to another key', acceptUpgrade(linesOf(upgradeRequest('a', 'AAAAAAAAAAAAAAAAAAAAAA==')))],
    ['an extension that was not asked for', acceptUpgrade(REQUEST).replace('\r\n\r\n', '\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n')],
  ] as const) {
    it(`is refused by a client that gets ${what}`, () => {
      assert.throws(() => checkAnswer(linesOf(answer), KEY), /no WebSocket there/);
    });
  }
});

describe('the head of an HTTP message', () => {
  it('is found wherever it is cut, with what stands behind it', () => {
    const text = Buffer.from(`${upgradeRequest('a', KEY)}behind`);
    for (let cut = 1; cut < text.length - 6; cut++) {
      const reader = new HeadReader();
      const first = reader.read(text, 0, cut);
      const found = first ?? reader.read(text, cut, text.length);
      assert.deepEqual([found?.lines, text.toString('latin1', found?.end)], [linesOf(upgradeRequest('a', KEY)), 'behind']);
    }
  });

  it('is bounded: 16 KiB without an end are refused', () => {
    const reader = new HeadReader();
    const piece = Buffer.from(`X: ${'y'.repeat(1_000)}\r\n`);
    assert.throws(() => { for (let i = 0; i < 17; i++) reader.read(piece, 0, piece.length); }, (error: unknown) => error instanceof HttpError && error.status.startsWith('431'));
    const late = Buffer.from(`${'z'.repeat(20_000)}\r\n\r\n`);
    assert.throws(() => new HeadReader().read(late, 0, late.length), HttpError);
  });
});
