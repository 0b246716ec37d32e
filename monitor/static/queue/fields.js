/** Fields of a form, drawn from what a schema says of them. */

/** @import {Field} from './schema.js' */
import { plain } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { useStyle } from '../view/style.js';
import { allowedWords, read, textOf } from './schema.js';

useStyle(import.meta.url);

let numbers = 0;

/**
 * One field that is drawn: what is in it, and where what is wrong with it is shown.
 * @typedef {object} Drawn
 * @property {Field} field
 * @property {HTMLElement} element
 * @property {() => {value?: unknown, problem?: string}} read
 * @property {(text: string) => void} wrong
 */

/**
 * Draw a field with a value in it.
 * @param {Field} one
 * @param {unknown} value undefined: nothing is given
 * @returns {Drawn}
 */
export function drawn(one, value) {
  numbers += 1;
  const id = `field-${numbers}`;
  const input = inputOf(one, value);
  input.id = id;
  input.dataset.field = one.name;
  setAttribute(input, 'aria-describedby', `${id}-about ${id}-wrong`);
  if (one.required) setAttribute(input, 'aria-required', 'true');
  const wrong = h('span', { id: `${id}-wrong`, class: 'field-problem bad', hidden: true });
  const box = input instanceof HTMLInputElement && input.type === 'checkbox';
  const about = [one.description, allowedWords(one)].filter(Boolean).join(' · ');
  const element = h('div', { class: `field-row${box ? ' box' : ''}` },
    h('label', { class: 'field-label', for: id }, plain(one.label), one.required && h('span', { class: 'needed', title: 'needed' }, ' *')),
    h('div', { class: 'field-input' }, h('span', { class: 'field-value' }, input, one.unit && h('span', { class: 'unit' }, plain(one.unit))),
      h('span', { id: `${id}-about`, class: 'field-about' }, plain(about)), wrong));
  return {
    field: one,
    element,
    read: () => read(one, box ? String(/** @type {HTMLInputElement} */ (input).checked) : input.value),
    wrong: (text) => {
      setAttribute(input, 'aria-invalid', text ? 'true' : null);
      setText(wrong, text);
      wrong.hidden = text === '';
    },
  };
}

/** @param {Field} one @param {unknown} value @returns {HTMLInputElement|HTMLSelectElement|HTMLTextAreaElement} */
function inputOf(one, value) {
  const { type, choices, required, fallback } = one;
  const text = textOf(one, value);
  if (choices.length > 0 || (type === 'boolean' && !required && fallback === undefined)) {
    const values = choices.length > 0 ? choices : [true, false];
    const options = values.map((choice) => h('option', { value: JSON.stringify(choice) }, plain(wordsOf(choice))));
    if (!required && fallback === undefined) options.unshift(h('option', { value: '' }, one.none));
    const select = h('select', {}, ...options);
    select.value = text;
    return select;
  }
  if (type === 'boolean') return h('input', { type: 'checkbox', checked: value === true });
  if (type === 'number' || type === 'integer') {
    const step = one.step ?? (type === 'integer' ? 1 : 'any');
    // What is typed is told as it stands, also where it is no number: `read` says what is wrong.
    const input = h('input', { type: 'number', step: String(step), min: String(one.minimum ?? ''), max: String(one.maximum ?? ''), autocomplete: 'off' });
    input.value = text;
    return input;
  }
  if (type === 'object' || type === 'any') return h('textarea', { rows: 3, spellcheck: false, value: text });
  return h('input', { type: 'text', value: text, autocomplete: 'off', spellcheck: false });
}

/** @param {unknown} choice */
function wordsOf(choice) {
  return choice === true ? 'on' : choice === false ? 'off' : typeof choice === 'string' ? choice : JSON.stringify(choice);
}
