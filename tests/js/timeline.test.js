// The timeline: lanes, and how long an action took beside its usual.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Shot } from '../../monitor/static/model/shot.js';
import { contrast, inkOn, mixed } from '../../monitor/static/model/contrast.js';
import { beyond, beyondWords, layout, layoutWords, ticks, timesUsual, zoomed } from '../../monitor/static/model/timeline.js';

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

test('how long an action took is told beside its usual, not how long it waited', () => {
  const shot = shotOf({
    X: { last: done('A:1', 0, 6) },
    Y: { last: { state: 'DOING', server: 'A:2', dispatched_at: 0, started_at: 1, run: 1 } },
    N: { last: done('A:1', 9, 10) },
    Q: { last: { state: 'DISPATCHED', server: 'A:2', dispatched_at: 0, run: 1 } },
  });
  const drawn = layout(shot.rows, new Map([['X', 2], ['Y', 2], ['Q', 2]]), []);
  const times = (path) => timesUsual(drawn.byPath.get(path), 5);
  assert.deepEqual([times('X'), times('Y'), times('N'), times('Q')], [3, 2, null, null]);
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

test('lanes can be left out; what has failed is known of each, and out of sight', () => {
  const shot = shotOf({
    X: { last: done('A:1', 0, 5), failed: true, category: 'failed' },
    Y: { last: done('B:1', 1, 3) },
  });
  const drawn = layout(shot.rows, new Map(), ['C:1'], (name) => name !== 'B:1');
  assert.deepEqual(drawn.lanes.map(({ name, failed }) => [name, failed]), [['A:1', 1], ['C:1', 0]]);
  assert.deepEqual([drawn.hidden, drawn.failed.length, drawn.bars.length], [1, 1, 1]);
  assert.equal(layoutWords(drawn), 'Timeline of the shot: 1 actions on 2 servers, 1 failed');
  const found = beyond(drawn, (lane) => ({ top: 100 * lane.top, end: 100 * lane.top + 20 }), { top: 50, end: 400 });
  assert.deepEqual(found, { above: { lanes: 1, failed: 1 }, below: { lanes: 0, failed: 0 } });
  assert.equal(beyondWords(found.above), '1 more lane, 1 failed');
});

test('labels on bars are readable in both themes: their contrast is at least 4.5', () => {
  const tokens = readFileSync(new URL('../../monitor/static/css/tokens.css', import.meta.url), 'utf8');
  const [dark, light] = tokens.split('[data-theme="light"]');
  for (const theme of [dark, light]) {
    const colour = (name) => new RegExp(`--${name}: (#[0-9a-f]{6});`).exec(theme)[1];
    for (const bar of ['blue', 'orange', 'green', 'red', 'grey'].map(colour)) {
      for (const ground of [bar, mixed(bar, colour('lane'), 0.45), mixed(colour('panel'), bar, 0.45)]) {
        assert.ok(contrast(inkOn(ground), ground) >= 4.5, `${bar} ${ground}`);
      }
    }
  }
  assert.equal(contrast('#fff', '#000000'), 21);
});
