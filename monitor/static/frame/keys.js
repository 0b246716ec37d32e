/** The keys, shown when somebody asks for them. */

/** @import {Tab} from '../view/tab.js' */
import '../view/dialog.js'; // its style
import { h } from '../view/dom.js';

/** @param {(typeof Tab)[]} tabs */
export function showKeys(tabs) {
  const [first] = tabs;
  const keys = [
    [`1 … ${tabs.length < 10 ? tabs.length : 0}`, tabs.map((tab) => tab.title).join(', ')],
    ['/', 'search'],
    ...first.keys,
    ...tabs.filter((tab) => tab !== first).flatMap((tab) => tab.keys.map(([key, what]) => [`${tab.title}: ${key}`, what])),
  ];
  const rows = keys.map(([key, what]) => h('tr', {}, h('th', {}, key), h('td', {}, what)));
  const dialog = h('dialog', { class: 'ask', 'aria-label': 'Keys' },
    h('h2', {}, 'Keys'),
    h('table', { class: 'keys' }, ...rows),
    h('form', { method: 'dialog', class: 'ask-buttons' }, h('button', { class: 'primary' }, 'Close')));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
