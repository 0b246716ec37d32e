import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Output } from '../../monitor/static/model/output.js';

/** @param {Output} output */
function shown(output) {
  return Array.from({ length: output.length }, (_, index) => output.at(index)?.text);
}

test('a line that has not ended stands last until it comes, each stream its own', () => {
  const output = new Output();
  output.add(0, [[1, 1, 'pressing']]);
  output.tail(2, 1, 'password: ');
  output.tail(2, 2, '80 %');
  assert.deepEqual(shown(output), ['pressing', 'password: ', '80 %']);
  output.tail(3, 2, '90 %');
  output.add(1, [[4, 1, 'password: *']]);
  assert.deepEqual(shown(output), ['pressing', 'password: *', '90 %']);
  output.end();
  assert.deepEqual(shown(output), ['pressing', 'password: *']);
});
