/** Two shots side by side. */

/** @import {ComparedAction} from '../model/types.js' */
import { plain } from '../model/words.js';
import { h, setText } from '../view/dom.js';
import { Part } from '../view/part.js';
import { Pages } from './pages.js';
import { ComparedTable } from './tables.js';
import { compareAddress, nameOf, shotAddress, shotName } from './words.js';

export class CompareView extends Part {
  #table = /** @type {ComparedTable} */ (document.createElement('compared-table'));
  /** @type {Pages<ComparedAction>} */ #pages = new Pages('compare', 'actions', () => this.app.changed());
  #left = h('input', { id: 'compare-left', placeholder: 'TREE/SHOT', 'aria-label': 'first shot', size: 12, spellcheck: false, autocomplete: 'off' });
  #right = h('input', { id: 'compare-right', placeholder: 'TREE/SHOT', 'aria-label': 'second shot', size: 12, spellcheck: false, autocomplete: 'off' });
  #all = h('input', { type: 'checkbox' });
  #count = h('span', { class: 'count', role: 'status' });
  #totals = h('p', { class: 'shot-about' });
  /** @type {(ComparedAction & {tree: string})[]} */ #rows = [];
  #drawn = -1;

  build() {
    this.#table.app = this.app;
    const form = h('form', {
      class: 'toolbar',
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        const [left, right] = [shotName(this.#left.value), shotName(this.#right.value)];
        if (left && right) window.location.hash = compareAddress(left, right);
        else (left ? this.#right : this.#left).focus();
      },
    }, h('label', { class: 'field' }, h('span', {}, 'First'), this.#left), h('label', { class: 'field' }, h('span', {}, 'Second'), this.#right),
    h('button', { type: 'submit' }, 'Compare'), h('label', { class: 'tick' }, this.#all, ' also what is the same'), this.#count);
    this.#all.addEventListener('change', () => this.app.go({ filters: { ...this.app.route.filters, all: this.#all.checked ? '1' : '' } }));
    this.append(form, this.#totals, this.#table);
  }

  get #names() {
    const [left, right] = this.app.route.about.split(' ').map(shotName);
    return left && right ? { left, right } : null;
  }

  draw() {
    const { app } = this;
    const names = this.#names;
    const all = app.route.filters.all === '1';
    this.#all.checked = all;
    this.#pages.look(names && { ...names, differing: !all }, app.feed.connected);
    this.#pages.more(); // all of it: it is one table
    if (this.#drawn !== this.#pages.version) {
      this.#drawn = this.#pages.version;
      if (names && document.activeElement !== this.#left && document.activeElement !== this.#right) [this.#left.value, this.#right.value] = [names.left, names.right];
      const tree = names?.right.split('/')[0] ?? '';
      this.#rows = this.#pages.rows.map((one) => ({ ...one, tree }));
      this.#drawTotals();
    }
    this.#table.rows = this.#rows;
    this.#table.none = !names ? 'Name two shots, or select two in the list of shots.' : this.#pages.problem || (this.#pages.reading ? 'reading …' : 'Nothing is different.');
    this.#table.draw();
    setText(this.#count, names ? this.#pages.words('action') : '');
  }

  #drawTotals() {
    const { left, right, totals } = this.#pages.result ?? {};
    if (!left || !right || !totals) return this.#totals.replaceChildren();
    const words = `${totals.same} the same, ${totals.differ} different, ${totals.added} only in the second, ${totals.removed} only in the first, ${totals.newly_failed} newly failed`;
    return this.#totals.replaceChildren(
      h('a', { href: shotAddress(left) }, plain(nameOf(left))), ' and ', h('a', { href: shotAddress(right) }, plain(nameOf(right))), `: ${words}`);
  }

  restyle() {
    this.#table.restyle();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    this.#table.key(event);
  }

  focusSearch() {
    this.#left.focus();
  }
}

customElements.define('compare-view', CompareView);
