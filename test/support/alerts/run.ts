import { within } from '../waiting.ts';
import type { Prometheus } from '../prometheus.ts';
import type { Scene } from './scene.ts';
import { Stage } from './stage.ts';
import type { Measured } from './stage.ts';

/** Every wait in a scene is shorter by itself. */
export const SCENE_MS = 240_000;

export interface Outcome {
  readonly name: string;
  readonly measured: readonly Measured[];
  /** It was not run. */
  readonly skipped?: string;
  /** It was not run to its end. */
  readonly error?: string;
}

/** Runs one scene and cleans up behind it. Never throws. */
export async function runScene(prometheus: Prometheus, scene: Scene): Promise<Outcome> {
  const { name } = scene;
  const skipped = scene.skip?.() ?? false;
  if (skipped !== false) return { name, measured: [], skipped };
  const stage = await Stage.open(prometheus);
  try {
    await within(scene.run(stage), `the end of ${name}`, SCENE_MS);
    return { name, measured: stage.measured };
  } catch (error) {
    return { name, measured: stage.measured, error: (error as Error).message };
  } finally {
    await stage.close();
  }
}
