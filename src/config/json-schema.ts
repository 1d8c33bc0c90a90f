import { z } from 'zod';
import type { Key, Section } from './key.ts';
import { SCHEMA } from './schema.ts';

/** The JSON Schema of the config file, for editors. It knows the written forms; what holds between keys, `relayd config check` says. */
export function configJsonSchema(): object {
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'p2p-relayd configuration', ...sectionSchema(SCHEMA), type: 'object' };
}

/** A section whose keys are all commented out is empty, which YAML calls null. */
function sectionSchema(node: Section): object {
  const properties = Object.fromEntries(Object.entries(node.fields).map(([name, child]) => [name, child.kind === 'section' ? sectionSchema(child) : keySchema(child)]));
  return { description: node.doc, type: ['object', 'null'], additionalProperties: false, properties };
}

function keySchema(key: Key<unknown>): object {
  const { $schema: _, ...written } = z.toJSONSchema(key.type.codec, { io: 'input' });
  const described = { description: `${key.doc}\n\n${key.type.label}; a change ${key.live ? 'applies on SIGHUP' : 'needs a restart'}`, ...(key.default === undefined ? {} : { default: key.default }) };
  return key.optional || key.type.isList ? { ...described, anyOf: [written, { type: 'null' }] } : { ...described, ...written };
}
