/**
 * What commands were answered with: shown for a while, failures longer; not while somebody points at
 * them, or has the focus in them.
 */

import { clock } from '../model/format.js';
import { h, setText } from '../view/dom.js';
import { Part } from '../view/part.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

const SHOWN_MS = 8000;
const FAILURE_SHOWN_MS = 45_000;
const MOST = 5;
/** Of failures nothing but the oldest of very many goes before it is closed. */
const FAILURES_MAX = 20;

export class Replies extends Part {
  #all = h('button', { class: 'small close-all', hidden: true, onclick: () => this.#closeAll() });
  #gone = 0;

  build() {
    this.prepend(this.#all);
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
      h('button', { class: 'quiet small', 'aria-label': 'close', onclick: () => { reply.remove(); this.#count(); } }, '×'));
    this.append(reply);
    this.#makeRoom();
    this.scrollTop = this.scrollHeight;
    this.#leaves(reply, good ? SHOWN_MS : FAILURE_SHOWN_MS);
  }

  /** Let a reply go after a while. @param {HTMLElement} reply @param {number} ms */
  #leaves(reply, ms) {
    setTimeout(() => {
      if (this.matches(':hover, :focus-within')) return this.#leaves(reply, SHOWN_MS);
      reply.remove();
      return this.#count();
    }, ms);
  }

  /** What was done goes first; failures only when they are very many, and are counted then. */
  #makeRoom() {
    const shown = [...this.querySelectorAll('.reply')];
    const good = shown.filter((one) => one.classList.contains('good'));
    for (const one of good.slice(0, Math.max(0, shown.length - MOST))) one.remove();
    const bad = shown.filter((one) => one.classList.contains('bad'));
    for (const one of bad.slice(0, Math.max(0, bad.length - FAILURES_MAX))) {
      one.remove();
      this.#gone += 1;
    }
    this.#count();
  }

  #count() {
    const failures = this.querySelectorAll('.reply.bad').length + this.#gone;
    this.#all.hidden = failures <= MOST;
    setText(this.#all, `${failures} failures; close all`);
  }

  #closeAll() {
    this.#gone = 0;
    for (const one of this.querySelectorAll('.reply')) one.remove();
    this.#count();
  }
}

customElements.define('reply-list', Replies);
