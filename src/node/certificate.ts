import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { NetworkConfig } from '../config/domain.ts';
import { spokenAt } from '../config/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { CertificateFiles } from '../transport/index.ts';

interface CertificateOptions {
  clock: Clock;
  log: Logger;
  registry: Registry;
}

/** The certificate of WebSocket over TLS, where the configuration names one, and the series that tells of its end. */
export function certificateFor({ listen, announce, websocket: { certFile, keyFile } }: Pick<NetworkConfig, 'listen' | 'announce' | 'websocket'>, { clock, log, registry }: CertificateOptions): CertificateFiles | undefined {
  const files = certFile === undefined || keyFile === undefined ? undefined : new CertificateFiles({ certFile, keyFile, clock, log });
  new Gauge({
    name: 'relayd_certificate_expires_seconds',
    help: 'When the certificate of WebSocket over TLS expires, in Unix seconds; no value without one',
    registers: [registry],
    collect() {
      this.remove();
      if (files?.expiresAt !== undefined) this.set(files.expiresAt / 1_000);
    },
  });
  const isSecure = (addr: string): boolean => spokenAt(addr) === 'tls/ws';
  if (listen.some(isSecure) && !announce.some(isSecure)) {
    log.warn('network.announce: browsers find this node only under a name of its certificate: add /dns4/NAME/tcp/PORT/tls/ws, and the other addresses, which are then no longer found by themselves');
  }
  return files;
}
