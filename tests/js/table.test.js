// What a table shows: filters, search, order, and which rows exist.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Shot } from '../../monitor/static/model/shot.js';
import { Stack, halves, linesOf } from '../../monitor/static/model/stack.js';
import { TableView, matcher, nothingWanted, ordered, rowFilter, sortedBy, sortedNext } from '../../monitor/static/model/table.js';
import { COLUMNS, styleOf } from '../../monitor/static/actions/columns.js';

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

test('durations sort by what they have taken, both ways; what has none stands last, both ways', () => {
  const { rows } = rowsOf({ ...DONE, duration_s: 3 }, { state: 'DOING', started_at: 90, category: 'in_progress' }, DONE, { ...DONE, duration_s: 5 });
  const wanted = { ...nothingWanted(), sort: 'duration', failedFirst: false };
  assert.equal(names(ordered(rows, { ...wanted, descending: true }, 100, COLUMNS)), 'N1 N3 N0 N2');
  assert.equal(names(ordered(rows, wanted, 100, COLUMNS)), 'N0 N3 N1 N2');
  const column = { id: 'x', title: '', text: String, key: (value) => value };
  assert.deepEqual(sortedBy([2, null, NaN, 1, '', undefined], column, true, 0), [2, 1, null, NaN, '', undefined]);
});

test('a click on a column’s head sorts its way, then the other, then not', () => {
  const clicks = (column) => {
    let now = { sort: null, descending: false };
    return [1, 2, 3].map(() => (now = sortedNext(now, column))).map(({ sort, descending }) => `${descending ? '-' : ''}${sort}`);
  };
  assert.deepEqual(clicks({ id: 'node' }), ['node', '-node', 'null']);
  assert.deepEqual(clicks({ id: 'duration', down: true }), ['-duration', 'duration', 'null']);
  assert.equal(COLUMNS.find(({ id }) => id === 'duration').down, true);
});

test('what has failed in an earlier phase is among the active, and first', () => {
  const shot = new Shot('T', 1);
  const actions = [['A', 'INIT', DONE], ['B', 'INIT', ABORTED], ['C', 'PULSE', PENDING], ['D', 'INIT', { ...PENDING, category: 'not_dispatched', failed: true }]]
    .map(([name, phase, { category, failed, ...last }]) => ({ path: name, name, phase, category, failed, last }));
  const run = { tree: 'T', shot: 1, run: 2, kind: 'phase', phase: 'PULSE', state: 'open', opened_at: 0 };
  shot.apply({ command: 'WHOLE', seq: 1, shot: { tree: 'T', shot: 1, runs: [run] }, actions });
  assert.equal(names(ordered(shot.activeRows(), nothingWanted(), 0, COLUMNS)), 'B D C');
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
  const stack = (count, heightOf = null) => {
    const one = new Stack();
    one.fill(count, 30, heightOf);
    return one;
  };
  assert.deepEqual(stack(10_000).visible(3000, 600), { first: 96, end: 125 });
  assert.deepEqual(stack(3).visible(0, 600), { first: 0, end: 3 });
  assert.deepEqual(stack(0).visible(500, 600), { first: 0, end: 0 });
  assert.deepEqual(stack(5).visible(99_999, 600), { first: 5, end: 5 });
  const high = stack(1000, (index) => (index % 2 ? 60 : 30));
  assert.equal(high.height, 45_000);
  assert.deepEqual([high.top(3), high.heightAt(3), high.at(119), high.at(120), high.at(1e9)], [120, 60, 2, 3, 999]);
  assert.deepEqual(high.visible(450, 90, 0), { first: 10, end: 13 });
});

test('a text takes as many lines as a browser gives it', () => {
  const measure = (text) => 10 * text.length;
  const lines = (text, room) => linesOf(text, room, measure);
  assert.deepEqual([lines('', 100), lines('abc', 100), lines('aaaa bbbb cccc', 100), lines('aaaa bbbb cccc', 40)], [0, 1, 2, 3]);
  assert.equal(lines('x'.repeat(25), 100), 3, 'a word that is longer than a line is broken');
  assert.equal(lines(`ab ${'x'.repeat(25)}`, 100), 4);
  assert.equal(lines('abc', 0), 1);
});

test('of a long name the end stays', () => {
  assert.deepEqual(halves('CAMERA:ARM'), ['CAMERA:ARM', '']);
  assert.deepEqual(halves('DIAGNOSTICS:THOMSON:ACQUIRE'), ['DIAGNOSTICS:THOMSON', ':ACQUIRE']);
  assert.equal(halves('x'.repeat(50)).join(''), 'x'.repeat(50));
});

test('a column stands where it has a place, as wide as it says, and nowhere else', () => {
  const style = styleOf([
    { id: 'one', place: { wide: { least: 60 }, narrow: { least: 50 }, phone: '1 / 2' } },
    { id: 'two', place: { wide: { least: 80, share: 1.5 }, below: '2 / 1' } },
    { id: 'three', place: { wide: { least: 10 } } },
  ]).split('\n');
  const about = (...words) => style.filter((line) => words.every((word) => line.includes(word))).join('\n');
  assert.match(style[0], /grid-template-columns: 60px minmax\(80px, 1.5fr\) 10px; min-width: 150px;/);
  assert.match(about('narrow', 'columns:'), /columns: 50px; min-width: 50px;/);
  assert.match(about('narrow', ', .row) >', 'display: none'), /:is\(\.c-three\)/);
  assert.match(about('narrow .table-head', 'display: none'), /:is\(\.c-two\)/);
  assert.match(about('narrow', '.c-two {'), /grid-area: 2 \/ 1;/);
  assert.match(about('phone', 'display: none'), /:is\(\.c-two, \.c-three\)/);
  assert.match(about('phone', '.c-one'), /grid-area: 1 \/ 2;/);
});
