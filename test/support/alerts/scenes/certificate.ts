import { mkdirSync } from 'node:fs';
import { WebAuthority, writeCertificate } from '../../certificate.ts';
import type { Scene } from '../scene.ts';

const DAY_MS = 24 * 3_600_000;
/** Long enough to be taken before it is over. */
const MOMENT_MS = 4_000;

export const CERTIFICATE: Scene = {
  name: 'certificate',
  title: 'the certificate of secure WebSocket comes to its end, and is renewed',
  alerts: ['RelaydCertificateExpiresSoon', 'RelaydCertificateExpired'],
  async run(stage) {
    const authority = new WebAuthority();
    const dir = stage.fleet.dataDir('certificate');
    mkdirSync(dir, { recursive: true });
    const issue = (leftMs: number): ReturnType<typeof writeCertificate> => writeCertificate(dir, authority.issue({ expiresAt: Date.now() + leftMs }));
    const renew = (): void => void issue(90 * DAY_MS);
    const websocket = issue(90 * DAY_MS);
    await stage.node('relay', { role: 'relay', config: { network: { listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/tls/ws'], websocket } } });
    await stage.measure(['RelaydCertificateExpiresSoon'], { what: 'a certificate with 10 days left is put in place; one with 90 days', break: () => void issue(10 * DAY_MS), repair: renew });
    await stage.measure(['RelaydCertificateExpired'], { what: `a certificate with ${MOMENT_MS / 1000} s left is put in place; one with 90 days`, break: () => void issue(MOMENT_MS), repair: renew });
  },
};
