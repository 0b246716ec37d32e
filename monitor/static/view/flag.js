/** Marks: what holds for something, by a symbol and a word. Nobody depends on colour. */

import { h } from './dom.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

/** @typedef {{symbol: string, word: string, look: string}} Mark `look`: ill, limits, tells */

/** @param {Mark} mark @param {string} [title] */
export function flag({ symbol, word, look }, title) {
  return h('span', { class: `flag ${look}`, title }, h('span', { 'aria-hidden': 'true' }, symbol), h('span', {}, word));
}
