// The style's tokens: what several places have in common is said once.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const STATIC = fileURLToPath(new URL('../../monitor/static', import.meta.url));
const read = (name) => readFileSync(`${STATIC}/${name}`, 'utf8');
const files = readdirSync(STATIC, { recursive: true });
const names = files.filter((name) => name.endsWith('.css'));
const tokens = read('css/tokens.css');
const others = names.filter((name) => !name.endsWith('tokens.css')).map((name) => [name, read(name)]);

test('every token that is used is there', () => {
  const defined = new Set(['--wall', ...names.flatMap((name) => [...read(name).matchAll(/(--[\w-]+):/g)].map((match) => match[1]))]); // --wall is computed, in actions/wall.js
  for (const [name, text] of others) {
    for (const [, token] of text.matchAll(/var\((--[\w-]+)\)/g)) assert.ok(defined.has(token), `${name}: ${token}`);
  }
});

test('colours, radii and the widths at which the page changes its form stand in one place', () => {
  assert.match(tokens, /--radius-panel/);
  for (const [name, text] of others) {
    assert.doesNotMatch(text, /border-radius:[^;]*\dpx/, name);
    assert.doesNotMatch(text, /@media \((max|min)-width/, name);
    assert.doesNotMatch(text.replaceAll('#fff', '').replaceAll('#000', ''), /#[0-9a-f]{3,8}\b/i, name);
  }
});

test('a style has its module beside it, which takes it', () => {
  for (const name of names.filter((one) => !one.startsWith('css/'))) {
    assert.match(read(name.replace(/css$/, 'js')), /useStyle\(import\.meta\.url\)/, name);
  }
  for (const name of files.filter((one) => one.endsWith('.js') && one !== 'view/style.js')) {
    if (read(name).includes('useStyle(import.meta.url)')) assert.ok(names.includes(name.replace(/js$/, 'css')), name);
  }
});
