/**
 * Questions: before something is done that cannot be undone, which name their target and ask once;
 * and those that want more than a yes, with a few fields.
 */

import { h } from './dom.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

/**
 * Ask; return whether the answer was yes. Escape and a click beside it mean no, and so does Enter
 * (`cautious`) where something may be lost, or several things are meant.
 * @param {{title: string, text?: string, items?: string[], yes: string, danger?: boolean, cautious?: boolean}} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, text = '', items = [], yes, danger = true, cautious = danger || items.length > 1 }) {
  return new Promise((resolve) => {
    const shown = items.slice(0, 12);
    const list = h('ul', { class: 'ask-items' }, ...shown.map((item) => h('li', {}, item)));
    if (items.length > shown.length) list.append(h('li', {}, `… and ${items.length - shown.length} more`));
    const dialog = h(
      'dialog',
      { class: 'ask', 'aria-label': title },
      h('h2', {}, title),
      text && h('p', {}, text),
      items.length > 0 && list,
      h(
        'form',
        { method: 'dialog', class: 'ask-buttons' },
        h('button', { value: 'no', class: 'quiet', autofocus: cautious }, 'Cancel'),
        h('button', { value: 'yes', class: danger ? 'danger' : 'primary', autofocus: !cautious }, yes),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog) dialog.close('no');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * @typedef {object} Asked
 * @property {string} name
 * @property {string} label
 * @property {'text'|'lines'|'password'|'number'|'datetime-local'|'tick'|'choice'} [type]
 * @property {string} [value] of a tick: '1' or ''
 * @property {string} [placeholder]
 * @property {string} [step] of a number
 * @property {number} [longest] so many characters
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
        // What may lose something is done by its button alone, not by Enter in a field.
        danger
          ? h('button', { type: 'button', value: 'yes', class: 'danger', onclick: () => { if (form.reportValidity()) dialog.close('yes'); } }, yes)
          : h('button', { value: 'yes', class: 'primary' }, yes)));
    if (danger) form.addEventListener('submit', (event) => event.preventDefault());
    const dialog = h('dialog', { class: 'ask ask-form', 'aria-label': title },
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
function fieldOf({ name, label, type = 'text', value = '', placeholder = '', step = '1', longest = 200, required = false, choices = [] }) {
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
  const about = { name, value, required, autocomplete: 'off', maxLength: longest, placeholder };
  const input = type === 'lines' ? h('textarea', { ...about, rows: 4 }) : h('input', { ...about, type });
  if (type === 'number') Object.assign(input, { min: '0', step });
  return h('label', { class: 'ask-field' }, h('span', {}, label), input);
}
