import type { Assets } from './assets.ts';
import { pageAssets } from './assets.ts';
import type { Reply } from './http.ts';

/** Its own scripts and style, the API of the daemon it came from, and nothing else; nothing inline. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export async function statusPageReply(status: 200 | 401): Promise<Reply> {
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY, 'x-frame-options': 'DENY' };
  return { status, body: pageText(await pageAssets()), headers };
}

/** The frame that the scripts fill. What is here has its place from the first moment, so that nothing jumps. */
function pageText({ folder, main }: Assets): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>relayd</title>
<link rel="icon" href="${folder}icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${folder}uplot.css">
<link rel="stylesheet" href="${folder}page.css">
<script src="${folder}uplot.js" defer></script>
<script src="${folder}${main}" type="module"></script>
</head>
<body>
<a class="skip" href="#tables">Skip to the tables</a>
<header>
<div class="brand"><img src="${folder}icon.svg" alt="" width="28" height="28"><h1>relayd</h1><span id="state" class="badge" role="status">…</span></div>
<p id="about" class="about"></p>
<div class="tools">
<span id="link" class="link" role="status">connecting</span>
<div id="theme"></div>
<button id="drain" type="button" class="danger" hidden>Drain…</button>
</div>
</header>
<p id="notice" class="notice" role="alert" hidden></p>
<form id="ask" class="card ask" hidden>
<h2>Token needed</h2>
<p>This daemon shows its state only to those who have its token: the text in the file that <code>admin.tokenFile</code> names. It is kept for this tab only.</p>
<label for="token">Token</label>
<div class="row"><input id="token" type="password" autocomplete="off" spellcheck="false" required><button>Show</button></div>
</form>
<main id="main" hidden>
<section id="facts" class="facts" aria-label="Now"></section>
<section id="identity" class="card identity" aria-label="Identity and addresses"></section>
<section id="plots" aria-label="Over time"></section>
<section id="tables" class="card tables" aria-label="Tables" tabindex="-1"></section>
</main>
<noscript><p class="notice">This page needs JavaScript. The same facts: <code>relayd status</code>, or <code>/api/v1/status</code>.</p></noscript>
</body>
</html>
`;
}
