/** The keys, shown when somebody asks for them. */

import { h } from './dom.js';

const KEYS = [
  ['1 … 5', 'Actions, Timeline, Servers, Heartbeat, Log'],
  ['/', 'search'],
  ['↑ ↓ PgUp PgDn Home End', 'move in a table'],
  ['Space, Shift+↑ ↓', 'select rows'],
  ['d  a  l', 'Dispatch, Abort, Logs of the row or of the selected rows'],
  ['Enter', 'Logs of the row'],
  ['Esc', 'clear the selection; leave a field'],
  ['Timeline: + − ← →', 'zoom, move'],
  ['Timeline: f  n  p', 'fit and follow, next and previous action'],
];

export function showKeys() {
  const rows = KEYS.map(([keys, what]) => h('tr', {}, h('th', {}, keys), h('td', {}, what)));
  const dialog = h('dialog', { class: 'ask', 'aria-label': 'Keys' },
    h('h2', {}, 'Keys'),
    h('table', { class: 'keys' }, ...rows),
    h('form', { method: 'dialog', class: 'ask-buttons' }, h('button', { class: 'primary' }, 'Close')));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
