// Output of tasks: colours are rendered, everything else is text.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { noStyle, parse, strip } from '../../monitor/static/model/ansi.js';
import { Output } from '../../monitor/static/model/output.js';
import { plain } from '../../monitor/static/model/words.js';

const ESC = '\x1b';
const text = (line) => parse(line).pieces.map((piece) => piece.text).join('');

test('colours and weights become styles', () => {
  const { pieces, style } = parse(`a${ESC}[1;31mred${ESC}[0mb`);
  assert.deepEqual(pieces.map((piece) => piece.text), ['a', 'red', 'b']);
  assert.equal(pieces[1].style.fg, 'red');
  assert.equal(pieces[1].style.bold, true);
  assert.deepEqual(style, noStyle());
});

test('bright, indexed and true colours', () => {
  const fg = (codes) => parse(`${ESC}[${codes}mx`).pieces[0].style.fg;
  assert.equal(fg('92'), 'bright-green');
  assert.equal(fg('38;5;1'), 'red');
  assert.equal(fg('38;5;196'), '#ff0000');
  assert.equal(fg('38;5;244'), '#808080');
  assert.equal(fg('38;2;1;2;3'), '#010203');
  assert.equal(fg('38;2;999;;3'), '#ff0003');
  assert.equal(fg('38;5;999'), null);
  assert.equal(parse(`${ESC}[48;5;2;1mx`).pieces[0].style.bold, true);
});

test('a style goes on until it is ended', () => {
  const first = parse(`${ESC}[32mgreen`);
  assert.equal(parse('still', first.style).pieces[0].style.fg, 'green');
});

test('what a terminal would obey is left out, and never becomes a style', () => {
  assert.equal(text(`a${ESC}[2Jb${ESC}[10;10Hc`), 'abc');
  assert.equal(text(`${ESC}]0;title\x07x${ESC}]8;;http://evil/\x07link${ESC}]8;;\x07`), 'xlink');
  assert.equal(text(`${ESC}P1;2q...${ESC}\\y`), 'y');
  assert.equal(text(`end${ESC}[3`), 'end');
  assert.equal(text(`end${ESC}`), 'end\\x1b');
  assert.equal(text(`${ESC}(Bz${ESC}=`), 'z');
});

test('markup is text', () => {
  assert.equal(text('<img src=x onerror=alert(1)>'), '<img src=x onerror=alert(1)>');
});

test('a line that is written over shows what came last', () => {
  assert.equal(text('10%\r50%\r100%'), '100%');
  assert.equal(text('done\r'), 'done');
  assert.equal(strip(`1\r${ESC}[31m2\r`), '2');
});

test('control and direction characters are shown, not obeyed', () => {
  assert.equal(plain('a\u0000b\u0007'), 'a\\x00b\\x07');
  assert.equal(plain('user\u202egpj.exe'), 'user\\u202egpj.exe');
  assert.equal(plain('zero\u200bwidth\ufeff'), 'zero\\u200bwidth\\ufeff');
  assert.equal(plain('\ud800'), '\\ud800');
  assert.equal(plain('ok 🙂 é'), 'ok 🙂 é');
});

test('any bytes come out as text without control characters', () => {
  let seed = 42;
  const random = (below) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  for (let round = 0; round < 3000; round += 1) {
    const characters = Array.from({ length: random(30) }, () => ['\x1b', '[', ']', 'm', ';', '3', '8', '\r', '\x07', 'é', String.fromCharCode(random(256))][random(11)]);
    assert.doesNotMatch(text(characters.join('')), /[\u0000-\u001f\u007f-\u009f]/);
  }
});

test('output is taken once, in order, and says what is missing', () => {
  const output = new Output();
  output.add(0, [[1, 1, 'a'], [1, 1, 'b']]);
  output.add(1, [[1, 1, 'b'], [1, 2, 'c']]);
  output.add(5, [[1, 1, 'd']]);
  assert.deepEqual(output.lines.map((line) => line.text), ['a', 'b', 'c', '2 lines are missing here', 'd']);
});

test('a loss is told once', () => {
  const output = new Output();
  output.add(0, [[1, 1, 'a']]);
  output.cut('it was too much');
  output.add(9, [[1, 1, 'b']]);
  output.add(12, [[1, 1, 'c']]);
  assert.deepEqual(output.lines.map((line) => line.text), ['a', 'it was too much', 'b', '2 lines are missing here', 'c']);
});

test('of very much output the last is kept, and how much went before it is known', () => {
  const output = new Output(100, 1000);
  for (let number = 0; number < 500; number += 1) output.add(number, [[1, 1, `${number}`]]);
  assert.ok(output.lines.length <= 100);
  assert.equal(output.lines.at(-1).text, '499');
  assert.equal(output.dropped + output.lines.length, 500);
  output.add(500, [[1, 1, 'x'.repeat(5000)]]);
  assert.deepEqual(output.lines.map((line) => line.number), [500]);
  output.clear();
  assert.deepEqual([output.lines, output.dropped, output.characters], [[], 0, 0]);
});

test('the streams keep their colours apart', () => {
  const output = new Output();
  output.add(0, [[1, 1, `${ESC}[31mred`], [1, 2, 'plain'], [1, 1, 'red still']]);
  assert.deepEqual(output.lines.map((line) => line.pieces[0].style.fg), ['red', null, 'red']);
});
