import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGES = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: ROOT, exclude: (path) => path.includes('node_modules') })];

interface Link {
  page: string;
  target: string;
  /** Of the checkout, without the anchor. */
  path: string;
  anchor: string;
}

/** A page without its code blocks and comments, which have neither links nor headings. */
function proseOf(page: string): string {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return text.replaceAll(/<!--[\s\S]*?-->/g, '').replaceAll(/^ *```[\s\S]*?^ *```$/gm, '');
}

/** Links to elsewhere in the checkout; those to the web are nothing that can be looked up offline. */
function linksOf(page: string): Link[] {
  const prose = proseOf(page).replaceAll(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '');
  return targets.filter((target) => !/^(https?|mailto):/.test(target)).map((target) => linkTo(page, target));
}

function linkTo(page: string, target: string): Link {
  const [path = '', anchor = ''] = target.split('#');
  return { page, target, path: path === '' ? page : normalize(join(dirname(page), path)).replace(/\/$/, ''), anchor };
}

/** The anchors that a code host makes from headings: letters, digits, `-` and `_`, a second of a name with -1. */
function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>();
  const headings = [...proseOf(page).matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading]) => heading ?? '');
  return new Set(headings.map((heading) => {
    const name = heading.toLowerCase().replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').trim().replaceAll(' ', '-');
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    return before === 0 ? name : `${name}-${before}`;
  }));
}

/** Files and folders of the checkout that a page names as code: `configs/tier1-relay.yaml`. */
function namedPaths(page: string): string[] {
  const words = [...proseOf(page).matchAll(/`([^`\n]+)`/g)].flatMap(([, code]) => (code ?? '').split(' '));
  return words.filter((word) => /^(configs|docs|scripts|src|test)\/[\w./-]*$/.test(word));
}

function pagesReachedFrom(start: string): Set<string> {
  const reached = new Set([start]);
  for (const page of reached) {
    linksOf(page).flatMap(pagesBehind).forEach((path) => reached.add(path));
  }
  return reached;
}

/** A folder that has no page to say what is in it shows all of its pages. */
function pagesBehind({ path }: Link): string[] {
  const index = join(path, 'README.md');
  const isIn = (page: string): boolean => page === path || (PAGES.includes(index) ? page === index : dirname(page) === path);
  return PAGES.filter(isIn);
}

describe('the links of README.md and docs', () => {
  const links = PAGES.flatMap(linksOf);

  it('lead to files that are there', () => {
    assert.ok(links.length > 100, 'links are found at all');
    const broken = links.filter(({ path }) => path.startsWith('..') || !existsSync(join(ROOT, path)));
    assert.deepEqual(broken.map(({ page, target }) => `${page}: ${target}`), []);
  });

  it('lead to headings that are there', () => {
    const broken = links.filter(({ path, anchor }) => anchor !== '' && PAGES.includes(path) && !anchorsOf(path).has(anchor));
    assert.deepEqual(broken.map(({ page, target }) => `${page}: ${target}`), []);
  });

  it('lead from README.md to every page', () => {
    const reached = pagesReachedFrom('README.md');
    assert.deepEqual(PAGES.filter((page) => !reached.has(page)), []);
  });
});

it('files of the checkout that README.md and docs name are there', () => {
  const named = PAGES.flatMap((page) => namedPaths(page).map((path) => ({ page, path })));
  assert.ok(named.length > 20, 'names are found at all');
  assert.deepEqual(named.filter(({ path }) => !existsSync(join(ROOT, path))).map(({ page, path }) => `${page}: ${path}`), []);
});
