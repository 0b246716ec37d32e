// A shot is the fold of its channel's messages: what the page then shows.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Shot } from '../../monitor/static/model/shot.js';

const PENDING = { state: 'NOT_DISPATCHED' };

function action(path, phase = 'INIT', more = {}) {
  return { path, name: path, server_class: 'A', phase, last: { ...PENDING }, ...more };
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

test('a change moves an action from one category to another, and only its version', () => {
  const shot = shotOf(action('A'), action('B'));
  const before = shot.byPath.get('B').version;
  shot.apply(changed('A', { state: 'DOING', attempt: 1, server: 'A:1' }, { colour: 'orange' }));
  assert.equal(shot.counts().in_progress, 1);
  assert.equal(shot.counts().pending, 1);
  assert.equal(shot.byPath.get('B').version, before);
  assert.ok(shot.byPath.get('A').version > before);
});

test('what has failed is counted so, whatever its state', () => {
  const shot = shotOf(action('A'), action('B'), action('C'), action('D', 'INIT', {
    last: { state: 'NOT_DISPATCHED', cause: 'unreadable' }, failed: true, colour: 'grey-outlined',
  }));
  shot.apply(changed('A', { state: 'DONE', status: 'Failure', cause: 'result' }, { failed: true }));
  shot.apply(changed('B', { state: 'SERVER_OFF', cause: 'no_server' }, { failed: true }));
  shot.apply(changed('C', { state: 'ABORTED', cause: 'operator' }, { failed: true }));
  assert.deepEqual(shot.counts(), {
    failed: 3, server_off: 1, in_progress: 0, pending: 0, success: 0, not_dispatched: 0,
  });
});

test('a run without paths resets its phase, but not what can never be dispatched', () => {
  const shot = shotOf(
    action('A', 'INIT', { last: { state: 'DONE', status: 'Success', cause: 'result', attempt: 2 } }),
    action('OFF', 'INIT', { last: { state: 'NOT_DISPATCHED', cause: 'off' } }),
    action('P', 'PULSE', { last: { state: 'DONE', status: 'Success', cause: 'result' } }),
  );
  shot.apply({ command: 'RUN_OPENED', seq: 2, run: run(2, 'INIT'), paths: null });
  assert.equal(shot.byPath.get('A').category, 'pending');
  assert.equal(shot.byPath.get('A').last.attempt, 2);
  assert.equal(shot.byPath.get('OFF').category, 'not_dispatched');
  assert.equal(shot.byPath.get('P').category, 'success');
});

test('a run with paths resets those and no others', () => {
  const done = { state: 'DONE', status: 'Success', cause: 'result' };
  const shot = shotOf(action('A', 'INIT', { last: done }), action('B', 'INIT', { last: done }));
  shot.apply({ command: 'RUN_OPENED', seq: 2, run: run(2, 'INIT'), paths: ['B'] });
  assert.equal(shot.byPath.get('A').category, 'success');
  assert.equal(shot.byPath.get('B').category, 'pending');
});

test('the current phase is that of the open run, then of the last one', () => {
  const shot = shotOf(action('A'), action('P', 'PULSE'));
  assert.equal(shot.phase, 'INIT');
  shot.apply({ command: 'RUN_OPENED', seq: 2, run: run(1, 'PULSE'), paths: null });
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

test('an estimate ends with its run', () => {
  const shot = shotOf(action('A'));
  shot.apply({ command: 'RUN_OPENED', seq: 2, run: run(1, 'INIT'), paths: null });
  shot.apply({ command: 'ESTIMATE', seq: 3, run: 1, remaining_s: 4, known: 1, critical: ['A'], slow: ['A'] });
  assert.equal(shot.estimate.remaining_s, 4);
  shot.apply({ command: 'RUN_CHANGED', seq: 4, run: run(1, 'INIT', 'ended') });
  assert.equal(shot.estimate.remaining_s, null);
  assert.deepEqual(shot.estimate.slow, ['A']);
});

test('messages about actions and commands that are not known change nothing', () => {
  const shot = shotOf(action('A'));
  shot.apply(changed('GONE', { state: 'DOING' }));
  shot.apply({ command: 'SOMETHING_NEW', seq: 9 });
  assert.equal(shot.counts().pending, 1);
});

test('phases are counted in their order, empty ones left out', () => {
  const shot = shotOf(action('P', 'PULSE'), action('A'), action('X', 'OTHER'));
  assert.deepEqual([...shot.countsByPhase().keys()], ['INIT', 'PULSE', 'OTHER']);
  const none = shotOf(action('P', 'PULSE'));
  assert.deepEqual([...none.countsByPhase().keys()], ['PULSE']);
});
