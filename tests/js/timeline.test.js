// The timeline: lanes, medians, what limits a phase.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Shot } from '../../monitor/static/model/shot.js';
import { criticalPath, layout, limiting, slowPaths, slowness, ticks, zoomed } from '../../monitor/static/model/timeline.js';

function done(server, start, end, more = {}) {
  return { state: 'DONE', status: 'Success', cause: 'result', run: 1, attempt: 1, server, started_at: start, ended_at: end, duration_s: end - start, ...more };
}

function shotOf(actions) {
  const shot = new Shot('T', 1);
  const views = Object.entries(actions).map(([path, { last, ...more }]) => ({ path, name: path, phase: 'INIT', server_class: 'A', last, ...more }));
  shot.apply({ command: 'WHOLE', seq: 1, shot: { tree: 'T', shot: 1, runs: [{ tree: 'T', shot: 1, run: 1, kind: 'phase', phase: 'INIT', state: 'ended', opened_at: 0 }] }, actions: views });
  return shot;
}

test('each server has a lane, and what runs side by side stands one below the other', () => {
  const shot = shotOf({
    X: { last: done('A:10', 0, 5) },
    Y: { last: done('A:2', 1, 3) },
    Z: { last: done('A:10', 2, 4) },
    W: { last: done('A:10', 5, 6) },
    P: { last: { state: 'NOT_DISPATCHED' } },
  });
  const drawn = layout(shot.rows, new Map(), ['B:1']);
  assert.deepEqual(drawn.lanes.map((lane) => [lane.name, lane.lines, lane.top]), [['A:2', 1, 0], ['A:10', 2, 1], ['B:1', 1, 3]]);
  const line = (path) => drawn.byPath.get(path).line;
  assert.deepEqual([line('X'), line('Z'), line('W')], [0, 1, 0]);
  assert.equal(drawn.byPath.has('P'), false);
  assert.equal(drawn.lines, 4);
});

test('what runs has no end yet, and shares its line with nobody', () => {
  const shot = shotOf({
    X: { last: { state: 'DOING', server: 'A:1', started_at: 0, run: 1 } },
    Y: { last: done('A:1', 10, 11) },
  });
  const drawn = layout(shot.rows, new Map(), []);
  assert.equal(drawn.byPath.get('X').end, null);
  assert.equal(drawn.byPath.get('Y').line, 1);
});

test('an action is slow against the median of its last shots, also while it runs', () => {
  const shot = shotOf({
    X: { last: done('A:1', 0, 6) },
    Y: { last: { state: 'DOING', server: 'A:2', started_at: 0, run: 1 } },
    Z: { last: done('A:1', 6, 8.1) },
    N: { last: done('A:1', 9, 10) },
    S: { last: done('A:1', 11, 11.02) },
  });
  const drawn = layout(shot.rows, new Map([['X', 2], ['Y', 2], ['Z', 2], ['S', 0.01]]), []);
  assert.equal(slowness(drawn.byPath.get('X'), 100), 3);
  assert.equal(slowness(drawn.byPath.get('N'), 100), null);
  assert.deepEqual([...slowPaths(drawn, null, 2.5)].sort(), ['X']);
  assert.deepEqual([...slowPaths(drawn, null, 3.5)].sort(), ['X', 'Y']);
  assert.deepEqual([...slowPaths(drawn, { slow: ['Z'] }, 2.5)].sort(), ['X', 'Z']);
});

test('the critical path goes back over conditions, sequence numbers and servers', () => {
  const shot = shotOf({
    A1: { number: 10, last: done('A:1', 0, 3) },
    A2: { number: 20, last: done('A:1', 3, 4) },
    B1: { server_class: 'B', number: 10, last: done('B:1', 0, 1) },
    C: { server_class: 'C', references: ['A2', 'B1'], last: done('C:1', 4, 9) },
    D: { server_class: 'B', number: 20, last: done('B:1', 1, 8) },
  });
  const drawn = layout(shot.rows, new Map(), []);
  assert.deepEqual(criticalPath(drawn, shot.run), ['A1', 'A2', 'C']);
  assert.deepEqual(limiting(shot, drawn), ['A1', 'A2', 'C']);
});

test('while a run goes on the monitor says what limits it', () => {
  const shot = shotOf({ X: { last: done('A:1', 0, 1) } });
  shot.apply({ command: 'RUN_CHANGED', seq: 2, run: { tree: 'T', shot: 1, run: 2, kind: 'phase', phase: 'INIT', state: 'open', opened_at: 0 } });
  shot.apply({ command: 'ESTIMATE', seq: 3, run: 2, critical: ['Q'] });
  assert.deepEqual(limiting(shot, layout(shot.rows, new Map(), [])), ['Q']);
});

test('references in a circle do not hang', () => {
  const shot = shotOf({
    X: { references: ['Y'], last: done('A:1', 0, 2) },
    Y: { references: ['X'], last: done('A:2', 0, 2) },
  });
  assert.equal(criticalPath(layout(shot.rows, new Map(), []), shot.run).length, 2);
});

test('zoom keeps the moment under the pointer where it is', () => {
  const span = zoomed({ start: 0, end: 100 }, 0.5, 25);
  assert.deepEqual(span, { start: 12.5, end: 62.5 });
  assert.ok(zoomed({ start: 0, end: 1 }, 1e-9, 0.5).end > 0.5);
});

test('the ruler has round marks', () => {
  const texts = (end, most) => ticks({ start: 0, end }, 0, most).map((mark) => mark.text);
  assert.deepEqual(texts(1, 5), ['0.0 s', '0.2 s', '0.4 s', '0.6 s', '0.8 s', '1.0 s']);
  assert.deepEqual(texts(180, 4), ['0 s', '1:00', '2:00', '3:00']);
  assert.ok(ticks({ start: 1e9, end: 1e9 + 0.001 }, 1e9, 10).length > 3);
});
