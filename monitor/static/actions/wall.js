/**
 * The actions on a screen on the wall: as large as the rows that must be seen let them be, never
 * smaller than what is read from three metres, and with a line that counts what has no room.
 */

/** @import {Row} from '../model/shot.js' */
import { duration } from '../model/format.js';
import { hasFailed } from '../model/shot.js';
import { nodeOf, serverOf } from '../model/table.js';
import { leastSize, leftOut, sizes, wallRows } from '../model/wall.js';
import { SYMBOLS, details, outcomeWords, plain, takenS } from '../model/words.js';
import { h, setText } from '../view/dom.js';
import { Inputs, Part } from '../view/part.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

const ROWS_MAX = 40; // more have no room on any screen
const LAID_OUT_EVERY_MS = 250;
const REST_MIN = 3; // of what is next and what is done, where all that must be seen has room

export class WallBoard extends Part {
  #list = h('ol', { class: 'wall-list' });
  #more = h('p', { class: 'wall-more' });
  #laidOut = new Inputs();
  /** @type {{row: Row, taken: HTMLElement}[]} */ #shown = [];

  build() {
    this.append(this.#list, this.#more);
    new ResizeObserver(() => this.restyle()).observe(this);
  }

  restyle() {
    this.#laidOut.forget();
    this.app.changed();
  }

  draw() {
    const { shot } = this.app;
    const size = leastSize({ width: window.innerWidth, height: window.innerHeight });
    document.body.style.setProperty('--wall', `${size}px`);
    if (this.#laidOut.due(LAID_OUT_EVERY_MS, shot, shot?.version)) this.#layOut(shot?.activeRows() ?? [], size);
    const now = this.app.now();
    for (const { row, taken } of this.#shown) setText(taken, duration(takenS(row.last, now)));
  }

  /** @param {Row[]} rows @param {number} least */
  #layOut(rows, least) {
    const { must, rest } = wallRows(rows);
    const wanted = [...must, ...rest];
    this.#shown = wanted.slice(0, ROWS_MAX).map((row) => ({ row, taken: h('span', { class: 'wall-taken' }) }));
    this.#list.replaceChildren(...this.#shown.map(({ row, taken }) => lineOf(row, taken)));
    const needed = Math.min(must.length + Math.min(rest.length, REST_MIN), this.#shown.length);
    setText(this.#more, leftOut(wanted) && '\u00a0'); // it takes its line
    for (const size of sizes(least)) {
      this.#list.style.fontSize = `${size}px`;
      if (this.#fitting() >= needed) break;
    }
    const fit = this.#fitting();
    for (const element of [...this.#list.children].slice(fit)) element.remove();
    this.#shown = this.#shown.slice(0, fit);
    setText(this.#more, leftOut(wanted.slice(fit)));
  }

  /** Return how many rows have room as they are. */
  #fitting() {
    const end = this.#list.getBoundingClientRect().bottom + 0.5;
    const rows = [...this.#list.children];
    const over = rows.findIndex((row) => row.getBoundingClientRect().bottom > end);
    return over < 0 ? rows.length : over;
  }
}

/** @param {Row} row @param {HTMLElement} taken */
function lineOf(row, taken) {
  // Of what has not failed nothing needs a line of its own.
  const why = details(row);
  const state = outcomeWords(row.last);
  return h('li', { class: `wall-row ${row.colour}${row.failed ? ' failed' : ''}`, 'data-path': row.path },
    h('span', { class: 'wall-name' }, h('span', { class: 'symbol', 'aria-hidden': 'true' }, SYMBOLS[row.colour]), h('b', {}, plain(nodeOf(row)))),
    h('span', { class: 'wall-state' }, hasFailed(row) || !why ? state : `${state}: ${why}`),
    h('span', { class: 'wall-server' }, plain(serverOf(row))),
    taken,
    why && hasFailed(row) && h('span', { class: 'wall-why' }, why));
}

customElements.define('wall-board', WallBoard);
