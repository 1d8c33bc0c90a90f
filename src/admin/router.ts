import type { Call, Reply } from './http.ts';
import { RelaydError } from '../lib/errors.ts';

export type Handler = (call: Call) => Reply | Promise<Reply>;
export type Method = 'GET' | 'POST';
/** By path, then by method; a path that ends in a slash, but for the root, stands for all that begin with it. */
export type Routes = ReadonlyMap<string, Readonly<Partial<Record<Method, Handler>>>>;

/** @throws RelaydError NOT_FOUND, METHOD_NOT_ALLOWED (with `data.allow`, the value of an Allow header) */
export function findHandler(routes: Routes, method: string, path: string): Handler {
  const route = routes.get(path) ?? routes.get(folderOf(path));
  if (route === undefined) {
    throw new RelaydError('NOT_FOUND', `there is nothing at ${JSON.stringify(path.slice(0, 200))}`);
  }
  // HEAD is GET without the body.
  const handler = method === 'HEAD' ? route.GET : Object.entries(route).find(([name]) => name === method)?.[1];
  if (handler === undefined) {
    const allow = Object.keys(route).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name])).join(', ');
    throw new RelaydError('METHOD_NOT_ALLOWED', `${path} takes ${allow}`, { data: { allow } });
  }
  return handler;
}

function folderOf(path: string): string {
  return path.slice(0, path.indexOf('/', 1) + 1);
}
