/**
 * The timeline as a table: what its bars say, by when they began, for whoever reads rather than sees.
 */

/** @import {Bar, Layout} from '../model/timeline.js' */
import { clock, duration, times } from '../model/format.js';
import { nodeOf } from '../model/table.js';
import { timesUsual } from '../model/timeline.js';
import { SYMBOLS, details, outcomeWords, plain, takenS } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Inputs, Part } from '../view/part.js';
import { useStyle } from '../view/style.js';
import { Windowed } from '../view/windowed.js';

useStyle(import.meta.url);

const HEADS = ['Server', 'Action', 'State', 'Start', 'Duration', 'Usual', 'Why'];

export class TimelineText extends Part {
  /** @type {Bar[]} */ #bars = [];
  #scroll = h('div', { class: 'timeline-text-scroll', tabIndex: 0, role: 'table', 'aria-label': 'timeline' });
  /** @type {Windowed<HTMLElement>} */ #rows = /** @type {any} */ (null);

  build() {
    const space = h('div', { class: 'table-space', role: 'rowgroup' });
    const heads = HEADS.map((text) => h('span', { role: 'columnheader' }, text));
    this.#scroll.append(h('div', { class: 'timeline-text-head', role: 'row' }, ...heads), space);
    this.append(this.#scroll);
    this.#rows = new Windowed(this.#scroll, space, () => this.#create(), (element, index, made) => this.#update(element, index, made), (index) => this.#bars[index]?.row.path);
    this.#rows.head = 30;
    this.#scroll.addEventListener('scroll', () => this.app.changed(), { passive: true });
    new ResizeObserver(() => this.app.changed()).observe(this.#scroll);
  }

  restyle() {
    this.#rows.measure();
  }

  /** @param {Layout} drawn */
  show(drawn) {
    this.#bars = drawn.bars;
    setAttribute(this.#scroll, 'aria-rowcount', String(drawn.bars.length + 1));
    this.#rows.draw(drawn.bars.length);
  }

  /** Bring an action's row into sight. @param {string} path */
  reveal(path) {
    const index = this.#bars.findIndex((bar) => bar.row.path === path);
    if (index >= 0) this.#rows.reveal(index);
  }

  /** @returns {HTMLElement} */
  #create() {
    const element = h('div', { class: 'timeline-text-row', role: 'row' },
      h('span', { role: 'cell' }), h('span', { role: 'cell' }, h('button', { class: 'link' })), ...HEADS.slice(2).map(() => h('span', { role: 'cell' })));
    element.addEventListener('click', () => this.app.select(element.dataset.path ?? null));
    return element;
  }

  /** @param {HTMLElement} element @param {number} index @param {Inputs} made */
  #update(element, index, made) {
    const bar = this.#bars[index];
    if (!bar) return;
    const { row } = bar;
    const now = this.app.now();
    const chosen = this.app.selected === row.path;
    if (!made.changed(row, row.version, index, chosen, bar.median, bar.end === null ? Math.floor(now) : 0)) return;
    element.dataset.path = row.path;
    setAttribute(element, 'class', `timeline-text-row ${row.colour}${chosen ? ' cursor' : ''}`);
    setAttribute(element, 'aria-rowindex', String(index + 2));
    const factor = timesUsual(bar, now);
    const texts = [
      plain(row.last.server ?? ''), plain(nodeOf(row)), `${SYMBOLS[row.colour]} ${outcomeWords(row.last)}`, clock(row.last.started_at, 1),
      duration(takenS(row.last, now)), bar.median === null ? '' : `${duration(bar.median)}${factor === null ? '' : `, ${times(factor)}`}`, details(row),
    ];
    for (const [at, text] of texts.entries()) {
      const cell = element.children[at];
      setText(at === 1 ? /** @type {Element} */ (cell.firstElementChild) : cell, text);
      setAttribute(cell, 'title', at === texts.length - 1 ? text : null);
    }
  }
}

customElements.define('timeline-text', TimelineText);
