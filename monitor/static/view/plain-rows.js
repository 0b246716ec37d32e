/**
 * The rows of a plain table: each has its own element, and only those that are seen are kept up to
 * date. For some hundreds; of more only those that are seen may exist (`grid`).
 */

import { h, setAttribute } from './dom.js';
import { Inputs } from './part.js';
import { Seen } from './seen.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

/**
 * @template R
 * @typedef {object} PlainColumn
 * @property {string} id
 * @property {string} title
 * @property {(cell: HTMLElement, key: string) => (row: R) => void} cell makes what is in a row's cell;
 *   returns what draws it
 */

/**
 * @template R
 * @typedef {{row: HTMLTableRowElement, cells: ((row: R) => void)[], made: Inputs}} Drawn
 */

/** @template R */
export class PlainRows {
  #columns;
  #keyOf;
  #body = h('tbody');
  /** @type {Map<string, Drawn<R>>} */ #drawn = new Map();
  #order = new Inputs();
  #seen;

  /**
   * @param {PlainColumn<R>[]} columns
   * @param {(row: R) => string} keyOf
   * @param {() => void} changed called when other rows are seen
   * @param {string} [label]
   */
  constructor(columns, keyOf, changed, label) {
    this.#columns = columns;
    this.#keyOf = keyOf;
    this.#seen = new Seen(changed);
    const heads = columns.map(({ id, title }) => (title ? h('th', { scope: 'col', class: `s-${id}` }, title) : h('td')));
    this.table = h('table', { class: 'plain-table', 'aria-label': label }, h('thead', {}, h('tr', {}, ...heads)), this.#body);
  }

  /**
   * @param {R[]} rows
   * @param {(row: R) => {look: string, made: unknown[]}} how a row's class, and what its cells are made of
   */
  draw(rows, how) {
    const keys = rows.map((row) => this.#keyOf(row));
    const drawn = keys.map((key) => this.#rowOf(key));
    if (this.#order.changed(...drawn)) {
      this.#body.replaceChildren(...drawn.map(({ row }) => row));
      this.#forget(new Set(keys));
    }
    for (const [index, { row, cells, made }] of drawn.entries()) {
      if (!this.#seen.has(row)) continue;
      const { look, made: of } = how(rows[index]);
      if (!made.changed(...of)) continue;
      setAttribute(row, 'class', look || null);
      for (const draw of cells) draw(rows[index]);
    }
  }

  /** @param {string} key @returns {Drawn<R>} */
  #rowOf(key) {
    const known = this.#drawn.get(key);
    if (known) return known;
    const row = h('tr', { 'data-key': key });
    const cells = this.#columns.map(({ id, title, cell }) => {
      const element = h('td', { class: `s-${id}`, 'data-head': title || null });
      row.append(element);
      return cell(element, key);
    });
    const drawn = { row, cells, made: new Inputs() };
    this.#drawn.set(key, drawn);
    this.#seen.watch(row);
    return drawn;
  }

  /** Forget the rows that are gone. @param {Set<string>} keys */
  #forget(keys) {
    for (const [key, { row }] of this.#drawn) {
      if (keys.has(key)) continue;
      this.#drawn.delete(key);
      this.#seen.leave(row);
    }
  }
}
