import { ACKNOWLEDGEMENTS } from '../lib/acknowledgements.ts';
import { LOG_LEVELS } from '../lib/logger.ts';
import { adminListen } from './address-types.ts';
import { key, optional, section } from './key.ts';
import { list } from './list-types.ts';
import { duration, ratio } from './number-types.ts';
import { oneOf, path, url } from './plain-types.ts';

/** What an operator deals with: identity, administration, logs, the end of the process. */

export const identity = section('Who this node is.', {
  keyFile: key(path(), {
    default: 'identity.key',
    relativeTo: 'dataDir',
    doc: 'The private key, made on the first start. Its peer id is what others know this node by: back it up.',
  }),
});

export const admin = section('The HTTP server for health checks, metrics, the API and the status page.', {
  listen: key(adminListen(), {
    // Loopback: whoever reaches it can see every peer and drain the node.
    default: '127.0.0.1:9641',
    doc: 'HOST:PORT or `unix:/path`; port 0 takes a free one. An address that other machines can reach needs `tokenFile`.',
  }),
  tokenFile: optional(path(), {
    relativeTo: 'file',
    doc: 'A file with the token that clients must send (`Authorization: Bearer …`): at least 16 printable ASCII characters without spaces, such as `openssl rand -hex 32` prints; not open to every user (mode 0600).',
  }),
});

export const log = section('Log lines on standard output.', {
  level: key(oneOf(LOG_LEVELS), { default: 'info', live: true, doc: "The least that is logged; `trace` includes the library's own lines." }),
  format: key(oneOf(['json', 'pretty', 'auto']), { default: 'auto', doc: '`auto`: pretty on a terminal, else JSON, one object a line.' }),
});

export const tracing = section('Traces of RESERVE and CONNECT, sent to an OpenTelemetry collector. They name no peer and no address.', {
  endpoint: optional(url(), {
    doc: 'Where the collector takes OTLP over HTTP, such as `http://127.0.0.1:4318`; without a path `/v1/traces` is added. Nothing is traced without it, nor by a client. It needs the optional packages `@opentelemetry/…`.',
  }),
  sampleRatio: key(ratio(), {
    // A relay that is busy answers some hundred requests a second; a tenth shows where the time goes.
    default: 0.1,
    doc: 'The share of requests that are traced.',
  }),
});

export const drain = section('How the node leaves.', {
  timeout: key(duration({ max: 86_400_000 }), {
    // What a process manager grants before it kills (Docker 10 s, Kubernetes 30 s, systemd 90 s).
    default: '30s',
    live: true,
    doc: 'Circuits, and tunnels in which bytes move, have this long to finish after SIGTERM; then they are cut.',
  }),
});

export const doctor = section('The checklists of `relayd doctor`.', {
  acknowledge: key(list(oneOf(ACKNOWLEDGEMENTS), { unique: true }), {
    default: [],
    live: true,
    doc: 'Warnings that are known and meant, by the name of the item (docs/reference/doctor.md): they count as ok.',
  }),
});
