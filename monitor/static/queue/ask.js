/** Questions that want more than a yes: a few fields in a dialog. */

import '../view/dialog.js'; // its style
import { h } from '../view/dom.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

/**
 * @typedef {object} Asked
 * @property {string} name
 * @property {string} label
 * @property {'text'|'password'|'tick'|'choice'} [type]
 * @property {string} [value] of a tick: '1' or ''
 * @property {boolean} [required]
 * @property {[string, string, string][]} [choices] value, name, what it means
 */

/**
 * Ask; return what was said, or null where nothing is to be done.
 * @param {{title: string, text?: string, items?: string[], fields?: Asked[], yes: string, danger?: boolean}} question
 * @returns {Promise<Record<string, string>|null>}
 */
export function askFor({ title, text = '', items = [], fields = [], yes, danger = false }) {
  return new Promise((resolve) => {
    const parts = fields.map(fieldOf);
    const listed = items.slice(0, 12).map((item) => h('li', {}, item));
    if (items.length > listed.length) listed.push(h('li', {}, `… and ${items.length - listed.length} more`));
    const form = h('form', { method: 'dialog' },
      ...parts,
      h('div', { class: 'ask-buttons' },
        h('button', { type: 'button', class: 'quiet', onclick: () => dialog.close('no') }, 'Cancel'),
        h('button', { value: 'yes', class: danger ? 'danger' : 'primary' }, yes)));
    const dialog = h('dialog', { class: 'ask queue-ask', 'aria-label': title },
      h('h2', {}, title), text && h('p', {}, text), listed.length > 0 && h('ul', { class: 'ask-items' }, ...listed), form);
    dialog.addEventListener('close', () => {
      dialog.remove();
      if (dialog.returnValue !== 'yes') return resolve(null);
      /** @type {Record<string, string>} */
      const said = {};
      for (const [name, value] of new FormData(form)) said[name] = String(value);
      return resolve(said);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** @param {Asked} asked */
function fieldOf({ name, label, type = 'text', value = '', required = false, choices = [] }) {
  if (type === 'tick') {
    const box = h('input', { type: 'checkbox', name, value: '1', checked: value === '1' });
    return h('label', { class: 'tick' }, box, label);
  }
  if (type === 'choice') {
    const options = choices.map(([one, title, says], index) => {
      const radio = h('input', { type: 'radio', name, value: one, checked: one === value || (value === '' && index === 0) });
      return h('label', { class: 'ask-choice' }, radio, h('span', {}, h('strong', {}, title), ` ${says}`));
    });
    return h('fieldset', { class: 'ask-choices' }, h('legend', {}, label), ...options);
  }
  const input = h('input', { name, type, value, required, autocomplete: 'off', maxLength: 200 });
  return h('label', { class: 'ask-field' }, h('span', {}, label), input);
}
