import type { Stream } from '@libp2p/interface';

/**
 * Flow control of a libp2p stream by its window credit alone.
 *
 * `stream.pause()` and `resume()` of the stock streams are not used for a pump: `resume()` delivers what waits
 * before it tells the muxer, and a pause inside that delivery leaves the two out of step (docs/decisions/0003).
 * The credit calls underneath have no such order: data that comes is always delivered at once, and while credit is
 * held the other side can send no more than the window that it already has.
 */
interface CreditControl {
  /** The muxer stops giving window credit back. */
  sendPause(): void;
  /** The muxer gives credit for all that has been delivered. */
  sendResume(): void;
}

/** Stops giving credit: at most one window (256 KiB to begin with) more can arrive. */
export function holdCredit(stream: Stream): void {
  if (stream.status === 'open' && hasCredit(stream)) {
    stream.sendPause();
  }
}

/** Gives credit for everything that has been delivered so far. */
export function giveCredit(stream: Stream): void {
  if (stream.status === 'open' && hasCredit(stream)) {
    stream.sendResume();
  }
}

function hasCredit(stream: Stream): stream is Stream & CreditControl {
  const control = stream as Partial<CreditControl>;
  return typeof control.sendPause === 'function' && typeof control.sendResume === 'function';
}
