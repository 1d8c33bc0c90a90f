import { createHash } from 'node:crypto';
import type { Reply } from './http.ts';
import { pageScript } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';

/**
 * The status page is one document: nothing to build, nothing else to fetch but the API. Its script is a function of this
 * program, sent as its source text, so that the compiler checks it too; the policy allows that text and no other.
 */
const SCRIPT = `(${pageScript.toString()})();`;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>relayd</title>
<link rel="icon" href="data:,">
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>relayd</h1>
<span id="state" class="badge" role="status">…</span>
</header>
<p id="notice" class="notice" role="alert" hidden></p>
<form id="ask" hidden>
<label for="token">Token (from the file that <code>admin.tokenFile</code> names)</label>
<input id="token" type="password" autocomplete="off" required>
<button>Show</button>
</form>
<main id="main" hidden></main>
<noscript><p class="notice">This page needs JavaScript. The same facts: <code>relayd status</code>, or <code>/api/v1/status</code>.</p></noscript>
<script>${SCRIPT}</script>
</body>
</html>
`;

const POLICY = [
  "default-src 'none'",
  `script-src '${hash(SCRIPT)}'`,
  `style-src '${hash(PAGE_STYLE)}'`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function statusPageReply(status: 200 | 401): Reply {
  return { status, body: PAGE, headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY, 'x-frame-options': 'DENY' } };
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
