// The wall: how large letters are there, and which rows are shown.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CAPITALS, leastLetter, leastSize, leftOut, sizes, wallRows } from '../../monitor/static/model/wall.js';

test('a letter is at least 1/200 of three metres high on a screen of 55 inches', () => {
  // 55 in x 25.4 mm over the diagonal of 1920 x 1080 pixels: 0.634 mm each; 15 mm are 23.65 of them.
  assert.ok(Math.abs(leastLetter({ width: 1920, height: 1080 }) - 23.65) < 0.01);
  assert.equal(leastSize({ width: 1920, height: 1080 }), 35);
  assert.ok(35 * CAPITALS >= 23.65);
  assert.equal(leastSize({ width: 3840, height: 2160 }), 69);
  assert.equal(sizes(35).at(-1), 35, 'nothing is smaller');
});

test('what has failed is shown first, and what has no room is counted', () => {
  const row = (category, failed = false) => ({ category, failed });
  const rows = [row('success'), row('pending'), row('in_progress'), row('failed', true), row('not_dispatched'), row('not_dispatched', true), row('server_off', true)];
  const { must, rest } = wallRows(rows);
  assert.deepEqual(must, [rows[3], rows[5], rows[6], rows[2]]);
  assert.deepEqual(rest, [rows[1], rows[0]]);
  assert.equal(leftOut([...must, ...rest]), 'and 3 failed, 1 in progress, 1 pending, 1 success');
  assert.equal(leftOut([]), '');
});
