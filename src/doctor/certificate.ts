import type { Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

const DAY_MS = 24 * 3_600_000;
/** Certificates of 90 days are renewed when 30 are left; at half of that, it does not happen any more. */
const SOON_MS = 14 * DAY_MS;

/** Of the secure WebSocket listener. */
export function checkCertificate({ files, nowMs }: Facts): Item | undefined {
  const certificate = files?.certificate;
  if (certificate === undefined) {
    return undefined;
  }
  const advice = 'renew it (certbot renew), and see that the new one reaches network.websocket.certFile: relayd reads it again by itself';
  if (certificate.problem !== undefined) {
    return failed('certificate', `${certificate.file}: ${certificate.problem}`, 'network.websocket.certFile needs a PEM certificate, with the chain behind it');
  }
  const leftMs = certificate.expiresAtMs - nowMs;
  const on = new Date(certificate.expiresAtMs).toISOString().slice(0, 10);
  if (leftMs <= 0) {
    return failed('certificate', `${certificate.file} expired on ${on}: browsers refuse it`, advice);
  }
  return leftMs < SOON_MS ? warning('certificate', `${certificate.file} expires on ${on}`, advice) : ok('certificate', `valid until ${on}`);
}
