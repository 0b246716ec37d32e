// The page folds history as the dispatcher does: what it was told, beside what the dispatcher knew.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Shot, noCounts } from '../../monitor/static/model/shot.js';

const HISTORIES = JSON.parse(readFileSync(new URL('histories.json', import.meta.url), 'utf8'));

/** What a page shows, in the words of the histories. */
function shown(shot) {
  return {
    rows: shot.rows.map(({ path, last, failed, colour, category, progress, trouble, view }) => ({
      path,
      state: last.state,
      status: last.status ?? null,
      cause: last.cause ?? null,
      run: last.run ?? null,
      attempt: last.attempt ?? 0,
      aborting: last.aborting ?? false,
      outcome_unknown: last.outcome_unknown ?? false,
      failed,
      colour,
      category,
      progress,
      trouble,
      on: view.on ?? true,
    })),
    counts: Object.fromEntries([...shot.counts].map(([phase, counts]) => [phase, { ...noCounts(), ...counts }])),
    runs: [...shot.runs.values()].map(({ run, state, outcome }) => [run, state, outcome ?? null]),
    source: shot.view?.source_changed ?? '',
  };
}

/** Take messages one by one; number them as the monitor does. */
function told(shot, messages) {
  for (const message of messages) shot.apply({ seq: 0, ...message });
  return shot;
}

for (const { title, steps, behind, whole } of HISTORIES) {
  test(`${title}: told as it happens`, () => {
    const shot = new Shot('T', 1);
    for (const { what, messages, expected } of steps) {
      assert.deepEqual(shown(told(shot, messages)), expected, what);
    }
  });

  test(`${title}: told to who comes at its end, or reads late`, () => {
    const { expected } = steps.at(-1);
    assert.deepEqual(shown(told(new Shot('T', 1), [whole])), expected, 'the whole state');
    const first = told(new Shot('T', 1), steps[0].messages);
    assert.deepEqual(shown(told(first, behind)), expected, 'merged updates');
  });
}
