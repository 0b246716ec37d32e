/**
 * Questions before something is done that cannot be undone: they name their target and ask once.
 */

import { h } from './dom.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

/**
 * Ask; return whether the answer was yes. Escape and a click beside it mean no. `cautious`: so does
 * Enter, as always where several things are meant.
 * @param {{title: string, text?: string, items?: string[], yes: string, danger?: boolean, cautious?: boolean}} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, text = '', items = [], yes, danger = true, cautious = items.length > 1 }) {
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
