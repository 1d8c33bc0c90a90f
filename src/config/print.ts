import { stringify } from 'yaml';
import type { LoadedConfig } from './load.ts';
import type { EffectiveConfig } from './merge.ts';
import { encode } from './written.ts';

export interface PrintOptions {
  /** Says of every key who set it. */
  origin: boolean;
  json: boolean;
}

/**
 * Every effective value, as a person writes it. The YAML loads again to the same config, from any folder: paths are
 * absolute. JSON is the same tree, or with `origin` `{"key.path": {value, origin}}`. Nothing is secret: secrets are file names.
 */
export function printConfig(loaded: Pick<LoadedConfig, 'layers'>, options: PrintOptions): string {
  const tree = treeOf(loaded.layers);
  if (!options.json) {
    return yamlOf(tree, '', options.origin);
  }
  const flat = [...loaded.layers.values()].map((effective) => [effective.placed.name, { value: encode(effective), origin: effective.origin }]);
  return `${JSON.stringify(options.origin ? Object.fromEntries(flat) : plainOf(tree), undefined, 2)}\n`;
}

interface Leaf {
  value: unknown;
  origin: string;
}

type Tree = Map<string, Tree | Leaf>;

function treeOf(layers: EffectiveConfig): Tree {
  const root: Tree = new Map();
  for (const effective of layers.values()) {
    const { path } = effective.placed;
    const parent = path.slice(0, -1).reduce((tree, name) => {
      const child = tree.get(name) ?? new Map();
      tree.set(name, child);
      return child as Tree;
    }, root);
    parent.set(path.at(-1) ?? '', { value: encode(effective), origin: effective.origin });
  }
  return root;
}

function plainOf(tree: Tree): Record<string, unknown> {
  return Object.fromEntries([...tree].map(([name, child]) => [name, child instanceof Map ? plainOf(child) : child.value]));
}

function yamlOf(tree: Tree, indent: string, origin: boolean): string {
  return [...tree].map(([name, child]) => (child instanceof Map ? `${indent}${name}:\n${yamlOf(child, `${indent}  `, origin)}` : leafLines(name, child, indent, origin))).join('');
}

/** Wider lists are written one entry a line. */
const MAX_LIST_WIDTH = 80;

function leafLines(name: string, { value, origin }: Leaf, indent: string, withOrigin: boolean): string {
  const comment = withOrigin ? ` # ${oneLine(origin)}` : '';
  const text = value === null ? '' : ` ${inline(value)}`;
  if (!Array.isArray(value) || value.length === 0 || text.length <= MAX_LIST_WIDTH) {
    return `${indent}${name}:${text}${comment}\n`;
  }
  return `${indent}${name}:${comment}\n${value.map((item) => `${indent}  - ${inline(item)}\n`).join('')}`;
}

/** A file name may hold anything; a comment ends with its line. */
function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
}

/** A value in one line of YAML. */
export function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0, blockQuote: false, flowCollectionPadding: false }).trimEnd();
}
