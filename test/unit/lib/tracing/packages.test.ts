import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { test } from 'node:test';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { loadOpenTelemetry } from '../../../../src/lib/tracing/packages.ts';

test('without the optional packages the error says which ones are wanted and what to do', async () => {
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      if (specifier.startsWith('@opentelemetry/')) throw new Error(`Cannot find package '${specifier}'`);
      return next(specifier, context);
    },
  });
  try {
    await assert.rejects(loadOpenTelemetry(), (error) => {
      assert.ok(error instanceof RelaydError && error.code === 'NOT_BUILT');
      assert.match(error.message, /tracing\.endpoint needs .*@opentelemetry.*leave out tracing\.endpoint/);
      return true;
    });
  } finally {
    hooks.deregister();
  }
});
