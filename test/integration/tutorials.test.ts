import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { noNamespaces, toolPath } from '../support/netns/why-not.ts';
import { parseTutorial } from '../support/tutorial/parse.ts';
import { Play } from '../support/tutorial/play.ts';

const DOCS = fileURLToPath(new URL('../../docs/tutorials/', import.meta.url));

for (const file of globSync(`${DOCS}*.md`).toSorted()) {
  const name = basename(file);
  if (name === 'README.md') continue;
  const tutorial = parseTutorial(readFileSync(file, 'utf8'));
  describe(`docs/tutorials/${name}`, { skip: noNamespaces() || missing(tutorial.needs) }, () => {
    let play: Play;
    let broken = false;

    before(async () => {
      play = await Play.open(tutorial);
    });

    after(() => play.close());

    for (const step of tutorial.steps) {
      it(`line ${step.line}: ${step.kind}${'on' in step ? ` on ${step.on}` : ''}`, async (t) => {
        if (broken) {
          t.skip('a step before it failed');
          return;
        }
        broken = true;
        await play.step(step);
        broken = false;
      });
    }
  });
}

/** For `skip`. */
function missing(needs: readonly string[]): string | false {
  const absent = needs.find((name) => toolPath(name) === undefined);
  return absent === undefined ? false : `${absent} is not installed`;
}
