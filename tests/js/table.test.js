// What a table shows: filters, search, order, and which rows exist.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Shot } from '../../monitor/static/model/shot.js';
import { TableView, matcher, nothingWanted, ordered, rowFilter, visible } from '../../monitor/static/model/table.js';
import { COLUMNS, styleOf } from '../../monitor/static/view/columns.js';

const DONE = { state: 'DONE', status: 'Success', cause: 'result', category: 'success' };
const ABORTED = { state: 'ABORTED', cause: 'operator', category: 'failed' };
const PENDING = { state: 'NOT_DISPATCHED', category: 'pending' };

/** Rows of these live states, each with the category that the monitor gives it. */
function rowsOf(...lasts) {
  const shot = new Shot('T', 7);
  const actions = lasts.map(({ category, ...last }, index) => ({
    path: `\\T::TOP:N${index}`,
    name: `N${index}`,
    server_class: index % 2 ? 'ODD' : 'EVEN',
    phase: 'INIT',
    number: index,
    when: String(index),
    category,
    last,
  }));
  shot.apply({ command: 'WHOLE', seq: 1, shot: { tree: 'T', shot: 7 }, actions });
  return { shot, rows: shot.rows };
}

const names = (rows) => rows.map((row) => row.view.name).join(' ');

test('failed and aborted come first, then what runs, what is pending, what is done', () => {
  const { rows } = rowsOf(DONE, PENDING, { state: 'DOING', category: 'in_progress' },
    { state: 'NOT_DISPATCHED', cause: 'off', category: 'not_dispatched' }, ABORTED,
    { state: 'SERVER_OFF', cause: 'no_server', category: 'server_off' });
  assert.equal(names(ordered(rows, nothingWanted(), 0, COLUMNS)), 'N4 N5 N2 N1 N0 N3');
  assert.equal(names(ordered(rows, { ...nothingWanted(), failedFirst: false }, 0, COLUMNS)), 'N0 N1 N2 N3 N4 N5');
});

test('a column sorts both ways, numbers as numbers, and what has failed stays first', () => {
  const lasts = Array.from({ length: 12 }, () => DONE);
  lasts[3] = ABORTED;
  const { rows } = rowsOf(...lasts);
  const down = ordered(rows, { ...nothingWanted(), sort: 'when', descending: true }, 0, COLUMNS);
  assert.equal(names(down), 'N3 N11 N10 N9 N8 N7 N6 N5 N4 N2 N1 N0');
  const node = ordered(rows, { ...nothingWanted(), sort: 'node', failedFirst: false }, 0, COLUMNS);
  assert.equal(names(node), 'N0 N1 N2 N3 N4 N5 N6 N7 N8 N9 N10 N11');
});

test('durations sort the longest first, those that run by what they have taken', () => {
  const { rows } = rowsOf({ ...DONE, duration_s: 3 }, { state: 'DOING', started_at: 90, category: 'in_progress' }, DONE, { ...DONE, duration_s: 5 });
  const wanted = { ...nothingWanted(), sort: 'duration', failedFirst: false };
  assert.equal(names(ordered(rows, wanted, 100, COLUMNS)), 'N1 N3 N0 N2');
});

test('filters take parts, alternatives, the opposite, and comparisons of numbers', () => {
  assert.ok(matcher('cam', false)('CAMERA:ARM'));
  assert.ok(matcher('nbi | cam', false)('CAMERA'));
  assert.ok(!matcher('!cam', false)('CAMERA'));
  assert.ok(matcher('!cam', false)('NBI'));
  assert.ok(matcher('>5', true)('6', 6));
  assert.ok(!matcher('>5', true)('5', 5));
  assert.ok(!matcher('>5', true)('', null));
  assert.ok(matcher('5..9', true)('9', 9));
  assert.ok(!matcher('5..9', true)('10', 10));
  assert.ok(matcher('>5', false)('a>5'));
  assert.ok(matcher('(', false)('a('), 'a filter is no regular expression');
});

test('durations are found as they are shown, and compared as numbers', () => {
  const { rows } = rowsOf({ ...DONE, duration_s: 1.4700000286102295 }, { ...DONE, duration_s: 61 }, DONE);
  const fits = (filter) => names(rows.filter(rowFilter({ ...nothingWanted(), filters: { duration: filter } }, COLUMNS)));
  assert.equal(fits('1.47 s'), 'N0');
  assert.equal(fits('=1.47'), 'N0');
  assert.equal(fits('1:01 min'), 'N1');
  assert.equal(fits('>1.5 s'), 'N1');
  assert.equal(fits('1..2'), 'N0');
  const found = rows.filter(rowFilter({ ...nothingWanted(), search: '1.47 s' }, COLUMNS));
  assert.equal(names(found), 'N0');
});

test('every word of a search must be somewhere in the row, each in any column', () => {
  const { rows } = rowsOf(DONE, { ...ABORTED, reason: 'beam dump' });
  const search = (text) => names(rows.filter(rowFilter({ ...nothingWanted(), search: text }, COLUMNS) ?? (() => true)));
  assert.equal(search('beam odd'), 'N1');
  assert.equal(search('beam even'), '');
  assert.equal(search('\\t::top:n0'), 'N0');
  assert.equal(search('  '), 'N0 N1');
});

test('a row that changes enters and leaves a filtered table', () => {
  const { shot, rows } = rowsOf(PENDING, PENDING);
  const table = new TableView(COLUMNS);
  table.want({ filters: { state: 'doing' } });
  table.update(rows, 0);
  assert.equal(names(table.rows), '');
  shot.apply({ command: 'ACTION', seq: 2, task_id: '\\T::TOP:N1', action: { state: 'DOING' } });
  table.update(rows, 0);
  assert.equal(names(table.rows), 'N1');
  shot.apply({ command: 'TASK', seq: 3, task_id: '\\T::TOP:N1', action: DONE });
  table.update(rows, 0);
  assert.equal(names(table.rows), '');
});

test('only the rows that are seen exist', () => {
  assert.deepEqual(visible(10_000, 30, 3000, 600, 4), { first: 96, end: 124 });
  assert.deepEqual(visible(3, 30, 0, 600, 4), { first: 0, end: 3 });
  assert.deepEqual(visible(0, 30, 500, 600), { first: 0, end: 0 });
  assert.deepEqual(visible(5, 30, 99_999, 600, 4), { first: 5, end: 5 });
});

test('a column stands where it has a place, as wide as it says, and nowhere else', () => {
  const style = styleOf([
    { id: 'one', place: { wide: { least: 60 }, narrow: { least: 50 }, phone: '1 / 2' } },
    { id: 'two', place: { wide: { least: 80, share: 1.5 }, wall: { least: 200, share: 1 } } },
  ]).split('\n');
  const about = (...words) => style.filter((line) => words.every((word) => line.includes(word))).join('\n');
  assert.match(style[0], /grid-template-columns: 60px minmax\(80px, 1.5fr\); min-width: 140px;/);
  assert.match(about('narrow', 'columns:'), /columns: 50px; min-width: 50px;/);
  assert.match(about('narrow', 'display: none'), /:is\(\.c-two\)/);
  assert.match(about('wall', 'columns:'), /columns: minmax\(200px, 1fr\)/);
  assert.match(about('body.wall', 'display: none'), /:is\(\.c-one\)/);
  assert.match(about('phone', 'display: none'), /:is\(\.c-two\)/);
  assert.match(about('phone', '.c-one'), /grid-area: 1 \/ 2;/);
});
