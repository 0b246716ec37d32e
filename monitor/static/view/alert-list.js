/** What somebody should look at: what is worst first, the rest on demand. */

/** @import {Mark} from './flag.js' */
import { when } from '../model/format.js';
import { plain } from '../model/words.js';
import { h } from './dom.js';
import { flag } from './flag.js';
import { isForm } from './forms.js';
import { Inputs } from './part.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

const SHOWN = 4;
const SHOWN_PHONE = 2;

/**
 * @typedef {object} Listed
 * @property {Mark} mark
 * @property {string} about
 * @property {string} [address] of what it is about
 * @property {string} text
 * @property {number|null} [at] since when
 */

export class AlertList {
  element = h('div', { class: 'alert-list', role: 'status', 'aria-label': 'alerts', hidden: true });
  #all = false;
  #made = new Inputs();
  #changed;

  /** @param {() => void} changed called when it is to be drawn again */
  constructor(changed) {
    this.#changed = changed;
  }

  /** @param {Listed[]} alerts */
  draw(alerts) {
    if (!this.#made.changed(JSON.stringify(alerts), this.#all, isForm('phone'))) return; // nobody's focus is taken
    this.element.hidden = alerts.length === 0;
    const shown = this.#all ? alerts : alerts.slice(0, isForm('phone') ? SHOWN_PHONE : SHOWN);
    const more = alerts.length - shown.length;
    this.element.replaceChildren(h('ul', {}, ...shown.map(({ mark, about, address, text, at }) => h('li', { class: `alert ${mark.look}` }, flag(mark),
      address ? h('a', { href: address }, plain(about)) : h('strong', {}, plain(about)),
      h('span', { class: 'alert-text' }, plain(text)), h('time', {}, at ? `since ${when(at)}` : '')))));
    if (more > 0 || this.#all) {
      this.element.append(h('button', { class: 'small quiet', onclick: () => this.#toggle() }, more > 0 ? `${more} more` : 'fewer'));
    }
  }

  #toggle() {
    this.#all = !this.#all;
    this.#changed();
  }
}
