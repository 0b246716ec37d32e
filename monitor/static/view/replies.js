/**
 * What commands were answered with: shown for a while, failures until they are closed.
 */

import { clock } from '../model/words.js';
import { h } from './dom.js';

const SHOWN_MS = 8000;
const MOST = 5;

export class Replies extends HTMLElement {
  connectedCallback() {
    this.setAttribute('role', 'status');
    this.setAttribute('aria-live', 'polite');
    window.addEventListener('reply', (event) => {
      const { what, text, good, at } = /** @type {CustomEvent<{what: string, text: string, good: boolean, at: number}>} */ (event).detail;
      this.#show(what, text, good, at);
    });
  }

  /**
   * @param {string} what
   * @param {string} text
   * @param {boolean} good
   * @param {number} at
   */
  #show(what, text, good, at) {
    const reply = h('div', { class: `reply ${good ? 'good' : 'bad'}` },
      h('span', { class: 'symbol', 'aria-hidden': 'true' }, good ? '✓' : '✗'),
      h('div', {}, h('strong', {}, what), h('p', {}, text)),
      h('time', {}, clock(at)),
      h('button', { class: 'quiet small', 'aria-label': 'close', onclick: () => reply.remove() }, '×'));
    this.append(reply);
    while (this.childElementCount > MOST) this.firstElementChild?.remove();
    if (good) setTimeout(() => reply.remove(), SHOWN_MS);
  }
}

customElements.define('reply-list', Replies);
