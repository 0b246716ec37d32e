// A shot is the fold of its channel's messages. That it folds as the dispatcher does: histories.test.js.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Shot } from '../../monitor/static/model/shot.js';

const PENDING = { state: 'NOT_DISPATCHED' };

function action(path, phase = 'INIT', more = {}) {
  return { path, name: path, server_class: 'A', phase, last: { ...PENDING }, colour: 'blue', category: 'pending', ...more };
}

function run(number, phase, state = 'open', more = {}) {
  return { tree: 'T', shot: 1, run: number, kind: 'phase', phase, state, opened_at: 10, ...more };
}

function shotOf(...actions) {
  const shot = new Shot('T', 1);
  shot.apply({
    command: 'WHOLE',
    seq: 1,
    shot: { tree: 'T', shot: 1, phases: ['INIT', 'PULSE'] },
    actions,
    medians: { A: 2 },
    estimate: null,
  });
  return shot;
}

function changed(path, last, more = {}) {
  return { command: last.cause ? 'TASK' : 'ACTION', seq: 2, task_id: path, action: last, ...more };
}

test('a whole state replaces what came before', () => {
  const shot = shotOf(action('A'), action('B'));
  shot.apply({ command: 'WHOLE', seq: 2, shot: { tree: 'T', shot: 1 }, actions: [action('C')] });
  assert.deepEqual(shot.rows.map((row) => row.path), ['C']);
  assert.equal(shot.byPath.has('A'), false);
  assert.equal(shot.medians.size, 0);
});

test('a change gives its row a new version, and no other', () => {
  const shot = shotOf(action('A'), action('B'));
  const before = shot.byPath.get('B').version;
  shot.apply(changed('A', { state: 'DOING', attempt: 1, server: 'A:1' }, { colour: 'orange', category: 'in_progress' }));
  assert.equal(shot.byPath.get('A').category, 'in_progress');
  assert.equal(shot.byPath.get('B').version, before);
  assert.ok(shot.byPath.get('A').version > before);
});

test('how many there are is what the monitor says, of each phase and of all', () => {
  const shot = shotOf(action('P', 'PULSE'), action('A'), action('X', 'OTHER'));
  shot.apply({ command: 'COUNTS', seq: 2, phase: 'OTHER', counts: { failed: 2 } });
  shot.apply({ command: 'COUNTS', seq: 3, phase: 'INIT', counts: { failed: 1, success: 4 } });
  shot.apply({ command: 'COUNTS', seq: 4, phase: 'OTHER', counts: { pending: 1 } });
  assert.deepEqual([...shot.countsByPhase().keys()], ['INIT', 'OTHER']);
  assert.deepEqual(shot.total(), { failed: 1, server_off: 0, in_progress: 0, pending: 1, success: 4, not_dispatched: 0 });
});

test('the current phase is that of the open run, then of the last one', () => {
  const shot = shotOf(action('A'), action('P', 'PULSE'));
  assert.equal(shot.phase, 'INIT');
  shot.apply({ command: 'RUN_OPENED', seq: 2, run: run(1, 'PULSE') });
  assert.deepEqual(shot.activeRows().map((row) => row.path), ['P']);
  shot.apply({ command: 'RUN_CHANGED', seq: 3, run: run(1, 'PULSE', 'ended', { outcome: 'completed' }) });
  assert.equal(shot.phase, 'PULSE');
  assert.equal(shot.busy, false);
});

test('progress is that of the attempt that runs, and goes with it', () => {
  const shot = shotOf(action('A'));
  const progress = { command: 'PROGRESS', seq: 3, task_id: 'A', progress: 0.5, text: 'half' };
  shot.apply(progress);
  assert.equal(shot.byPath.get('A').progress, null);
  shot.apply(changed('A', { state: 'DOING', attempt: 1 }));
  shot.apply(progress);
  assert.equal(shot.byPath.get('A').progress, 0.5);
  shot.apply(changed('A', { state: 'DOING', attempt: 1, aborting: true }));
  assert.equal(shot.byPath.get('A').progress, 0.5);
  shot.apply(changed('A', { state: 'ABORTED', cause: 'operator', attempt: 1 }));
  assert.equal(shot.byPath.get('A').progress, null);
});

test('waits are shown while an action is open, and forgotten once it settles', () => {
  const shot = shotOf(action('A'), action('B'));
  shot.apply({ command: 'WAITS', seq: 2, waits: { A: 'number 10', GONE: 'nothing' } });
  assert.equal(shot.byPath.get('A').waits, 'number 10');
  shot.apply(changed('A', { state: 'DOING' }));
  assert.equal(shot.byPath.get('A').waits, '');
});

test('an estimate ends with its run, what limited the run stays until the next', () => {
  const shot = shotOf(action('A'));
  shot.apply({ command: 'RUN_OPENED', seq: 2, run: run(1, 'INIT') });
  shot.apply({ command: 'LIMITS', seq: 3, run: 1, critical: ['A'], slow: ['A'] });
  shot.apply({ command: 'ESTIMATE', seq: 4, run: 1, remaining_s: 4, known: 1 });
  assert.equal(shot.estimate.remaining_s, 4);
  shot.apply({ command: 'RUN_CHANGED', seq: 5, run: run(1, 'INIT', 'ended') });
  assert.equal(shot.estimate.remaining_s, null);
  assert.deepEqual(shot.estimate.slow, ['A']);
  shot.apply({ command: 'ESTIMATE', seq: 6, run: 2, remaining_s: 9, known: 1 });
  assert.deepEqual(shot.estimate, { run: 2, remaining_s: 9, known: 1 });
});

test('messages about actions and commands that are not known change nothing', () => {
  const shot = shotOf(action('A'));
  shot.apply(changed('GONE', { state: 'DOING' }));
  shot.apply({ command: 'SOMETHING_NEW', seq: 9 });
  assert.deepEqual(shot.rows.map((row) => row.last.state), ['NOT_DISPATCHED']);
});
