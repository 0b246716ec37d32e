/**
 * A table of actions: only the rows that are seen exist; sort and filter by column; keys; selection.
 */

/** @import {Row, Shot} from '../model/shot.js' */
/** @import {Cell, Place, Surroundings} from './columns.js' */
import { TableView, movedBy } from '../model/table.js';
import { plain } from '../model/words.js';
import { COLUMNS, styleOf } from './columns.js';
import { abortRows, canAbort, canDispatch, dispatchRows, openAllLogs, openLogs } from './commands.js';
import { h, setAttribute, setText } from './dom.js';
import { Inputs, Part } from './part.js';
import { Windowed } from './windowed.js';
import { useRules, useStyle } from './style.js';

useStyle(new URL('grid.js', import.meta.url).href); // what all tables have
useStyle(import.meta.url);

/** What a table's keys do. @type {[string, string][]} */
export const KEYS = [
  ['↑ ↓ PgUp PgDn Home End', 'move in a table'],
  ['Space, Shift+↑ ↓', 'select rows'],
  ['d  a  l', 'Dispatch, Abort, Logs of the row or of the selected rows'],
  ['Enter', 'Logs of the row'],
  ['Esc', 'clear the selection; leave a field'],
];

/** Of many rows the order, and who fits the filters, is looked at only so often. */
const MANY = 2000;
const ORDERED_EVERY_MS = 100;
const SORTED_EVERY_MS = 250;
const HELD_MS = 3000;

/** What stands before and behind the columns. @type {{id: string, place: Place}} */
const TICK = { id: 'tick', place: { wide: { least: 32 }, narrow: { least: 32 }, phone: '1 / 1 / 3 / 2' } };
/** @type {{id: string, place: Place}} */
const BUTTONS = { id: 'actions', place: { wide: { least: 196 }, narrow: { least: 194 }, phone: '2 / 3 / 3 / 5' } };

useRules(styleOf([TICK, ...COLUMNS, BUTTONS]));

/**
 * One drawn row and its cells.
 * @typedef {HTMLElement & {drawn: Drawn}} RowElement
 * @typedef {object} Drawn
 * @property {Row|null} row
 * @property {Cell[]} cells
 * @property {HTMLInputElement} box
 * @property {HTMLButtonElement} dispatch
 * @property {HTMLButtonElement} abort
 */

/** Sends `selection` when the set of ticked rows changes, and `wanted` when the filters do. */
export class ActionTable extends Part {
  view = new TableView(COLUMNS);
  title = '';
  /** @type {() => Row[]} */ source = () => [];
  /** @type {Surroundings} */ #around = {
    now: () => this.app.now(),
    usual: (row) => this.app.shot?.medians.get(row.path),
    silence: (row) => (row.category === 'in_progress' ? this.app.servers.silence(row.last.server, this.app.now()) : ''),
  };
  /** @type {Set<string>} */ #ticked = new Set();
  /** @type {Shot|null} */ #tickedIn = null;
  #whose = new Inputs();
  #ordered = new Inputs();
  #heldAt = -Infinity;
  #total = 0;
  #cursor = 0;
  /** @type {Windowed<RowElement>} */ #rows = /** @type {any} */ (null);
  /** @type {HTMLElement} */ #count = h('span', { class: 'count' });
  /** @type {HTMLElement} */ #empty = h('p', { class: 'empty', hidden: true });
  /** @type {HTMLElement} */ #body = h('div', { class: 'grid-scroll table-scroll', tabIndex: 0, role: 'grid' });
  /** @type {Map<string, HTMLElement>} */ #heads = new Map();
  /** @type {HTMLInputElement} */ #all = h('input', { type: 'checkbox', 'aria-label': 'select all rows' });

  build() {
    this.classList.add('grid');
    const space = h('div', { class: 'table-space', role: 'rowgroup' });
    this.#body.append(this.#head(), space, this.#empty);
    this.#body.setAttribute('aria-label', this.title);
    this.append(h('header', { class: 'table-title' }, h('h2', {}, this.title), this.#count), this.#body);
    this.#rows = new Windowed(
      this.#body,
      space,
      () => this.#create(),
      (element, index, made) => this.#update(element, index, made),
      (index) => this.view.rows[index],
    );
    this.#body.addEventListener('scroll', () => this.app.changed(), { passive: true });
    space.addEventListener('pointermove', (event) => {
      const onButtons = event.target instanceof Element && event.target.closest('.row-actions') !== null;
      this.#heldAt = onButtons ? performance.now() : -Infinity;
    });
    space.addEventListener('pointerleave', () => (this.#heldAt = -Infinity));
    const head = /** @type {HTMLElement} */ (this.#body.firstElementChild);
    new ResizeObserver(() => {
      this.#rows.head = head.offsetHeight;
      this.app.changed();
    }).observe(this.#body);
  }

  /** Measure anew: the style has changed. */
  restyle() {
    this.#rows.measure();
  }

  /** The paths of the ticked rows: they belong to the shot in which they were ticked. */
  get ticked() {
    const { shot } = this.app;
    if (this.#tickedIn !== shot) {
      this.#tickedIn = shot;
      this.#ticked = new Set();
    }
    return this.#ticked;
  }

  /** @returns {Row[]} */
  get tickedRows() {
    const { shot } = this.app;
    return [...this.ticked].map((path) => shot?.byPath.get(path)).filter((row) => row !== undefined);
  }

  /**
   * Change what is wanted, from outside or by the table's own filters.
   * @param {Partial<import('../model/table.js').Wanted>} change
   */
  want(change) {
    this.view.want(change);
    this.app.changed();
  }

  /** Draw what has changed. Called once per animation frame. */
  draw() {
    if (this.hidden) return;
    this.#refresh();
    const shown = this.view.rows;
    this.#rows.draw(shown.length);
    setAttribute(this.#body, 'aria-rowcount', String(shown.length + 1));
    setText(this.#count, shown.length === this.#total ? `${shown.length}` : `${shown.length} of ${this.#total}`);
    this.#empty.hidden = shown.length > 0;
    if (shown.length === 0) setText(this.#empty, this.#emptyWords(this.#total));
    for (const [id, head] of this.#heads) this.#drawHead(id, head);
    this.#all.checked = this.ticked.size > 0 && shown.length > 0 && shown.every((row) => this.ticked.has(row.path));
  }

  /**
   * Order anew when rows have changed; not under a pointer that is about to press a row's button,
   * and not at every frame where that takes long.
   */
  #refresh() {
    const { shot } = this.app;
    const { wanted } = this.view;
    if (this.#whose.changed(shot, shot?.generation, wanted)) this.#ordered.forget();
    else if (performance.now() - this.#heldAt < HELD_MS) return;
    const every = this.#total <= MANY ? 0 : wanted.sort === null ? ORDERED_EVERY_MS : SORTED_EVERY_MS;
    if (!this.#ordered.due(every, shot, shot?.version)) return;
    const rows = shot ? this.source() : [];
    this.#total = rows.length;
    this.view.update(rows, this.app.now());
  }

  /** @param {number} all */
  #emptyWords(all) {
    const { shot, system, route } = this.app;
    if (route.wrong) return `${plain(route.wrong)} is no shot number.`;
    if (all > 0) return 'No action fits the filters.';
    if (!shot) return system.known ? 'There is no shot yet: create a pulse and build its table.' : 'Waiting for the monitor …';
    if (shot.problem) return shot.problem.startsWith(shot.name) ? shot.problem : `${shot.name}: ${shot.problem}`;
    if (!shot.known) return `Waiting for ${shot.name} …`;
    return shot.rows.length > 0
      ? `No action belongs to ${shot.phase}.`
      : `${shot.name} has no actions: its table is not built yet.`;
  }

  #head() {
    this.#all.addEventListener('change', () => this.#tickAll(this.#all.checked));
    const row = h('div', { class: 'grid-head table-head', role: 'row' },
      h('div', { class: `cell c-${TICK.id}`, role: 'columnheader' }, this.#all));
    for (const column of COLUMNS) {
      const filter = h('input', {
        class: 'column-filter',
        type: 'search',
        'aria-label': `filter ${column.title}`,
        title: column.number
          ? 'a part of it, >5, <5, 5..9, a|b, !not'
          : 'a part of it, a|b for either, !a for all others',
        oninput: () => this.want({ filters: { ...this.view.wanted.filters, [column.id]: filter.value } }),
      });
      const button = h('button', { class: 'column-sort', onclick: () => this.#sort(column.id) }, column.title);
      const cell = h('div', { class: `cell c-${column.id}`, role: 'columnheader' }, button, filter);
      this.#heads.set(column.id, cell);
      row.append(cell);
    }
    row.append(h('div', { class: `cell c-${BUTTONS.id}`, role: 'columnheader' }));
    return row;
  }

  /** @param {string} id @param {HTMLElement} head */
  #drawHead(id, head) {
    const { sort, descending } = this.view.wanted;
    setAttribute(head, 'aria-sort', sort === id ? (descending ? 'descending' : 'ascending') : null);
  }

  /** @param {string} id */
  #sort(id) {
    const { sort, descending } = this.view.wanted;
    if (sort !== id) this.want({ sort: id, descending: false });
    else if (!descending) this.want({ descending: true });
    else this.want({ sort: null, descending: false });
  }

  /** @returns {RowElement} */
  #create() {
    const box = h('input', { type: 'checkbox', tabIndex: -1, 'aria-label': 'select this row' });
    const element = /** @type {RowElement} */ (/** @type {HTMLElement} */ (
      h('div', { class: 'grid-row row', role: 'row' }, h('div', { class: `cell c-${TICK.id}`, role: 'gridcell' }, box))
    ));
    const cells = COLUMNS.map((column) => {
      const cell = h('div', { class: `cell c-${column.id}`, role: 'gridcell' });
      element.append(cell);
      return column.cell(cell);
    });
    /** @param {(row: Row) => void} act */
    const onRow = (act) => () => {
      const { row } = element.drawn;
      if (row) act(row);
    };
    const button = /** @param {string} text @param {(row: Row) => void} act */ (text, act) =>
      h('button', { class: 'small', tabIndex: -1, onclick: onRow(act) }, text);
    const dispatch = button('Dispatch', (row) => void dispatchRows([row]));
    const abort = button('Abort', (row) => void abortRows([row]));
    const logs = button('Logs', openLogs);
    element.append(h('div', { class: `cell c-${BUTTONS.id} row-actions`, role: 'gridcell' }, dispatch, abort, logs));
    element.drawn = { row: null, cells, box, dispatch, abort };
    box.addEventListener('change', onRow((row) => this.#tick(row.path, box.checked)));
    element.addEventListener('pointerdown', onRow((row) => this.#point(row)));
    element.addEventListener('dblclick', onRow(openLogs));
    return element;
  }

  /** @param {RowElement} element @param {number} index @param {Inputs} made */
  #update(element, index, made) {
    const row = this.view.rows[index];
    const { drawn } = element;
    if (!row) return;
    if (made.changed(row, row.version)) this.#fill(element, row);
    for (const { tick } of drawn.cells) tick?.(row, this.#around);
    const ticked = this.ticked.has(row.path);
    const cursor = this.app.selected === row.path;
    const look = `grid-row row ${row.colour}${row.failed ? ' failed' : ''}${ticked ? ' ticked' : ''}${cursor ? ' cursor' : ''}`;
    setAttribute(element, 'class', look);
    drawn.box.checked = ticked;
    setAttribute(element, 'aria-selected', ticked ? 'true' : 'false');
    setAttribute(element, 'aria-rowindex', String(index + 2));
    drawn.dispatch.disabled = !this.app.may('dispatch') || !canDispatch(row);
    drawn.abort.disabled = !this.app.may('abort') || !canAbort(row);
  }

  /** @param {RowElement} element @param {Row} row */
  #fill(element, row) {
    const { drawn } = element;
    drawn.row = row;
    element.dataset.path = row.path;
    for (const { draw } of drawn.cells) draw?.(row, this.#around);
  }

  /** @param {Row} row */
  #point(row) {
    this.#cursor = this.view.rows.indexOf(row);
    this.app.select(row.path);
  }

  /** @param {string} path @param {boolean} on */
  #tick(path, on) {
    if (on) this.ticked.add(path);
    else this.ticked.delete(path);
    this.dispatchEvent(new Event('selection'));
    this.app.changed();
  }

  /** @param {boolean} on */
  #tickAll(on) {
    this.ticked.clear();
    for (const row of on ? this.view.rows : []) this.ticked.add(row.path);
    this.dispatchEvent(new Event('selection'));
    this.app.changed();
  }

  clearTicks() {
    this.#tickAll(false);
  }

  /** Return whether a row is among those that are shown. @param {string|null} path */
  shows(path) {
    return this.view.rows.some((row) => row.path === path);
  }

  /** Take a key of the page's. @param {KeyboardEvent} event */
  key(event) {
    const rows = this.view.rows;
    const at = rows[this.#cursor]?.path === this.app.selected
      ? this.#cursor
      : rows.findIndex((row) => row.path === this.app.selected);
    const page = Math.max(1, Math.floor(this.#body.clientHeight / this.#rows.rowHeight) - 2);
    const to = movedBy(event.key, at, rows.length, page);
    const row = rows[at];
    if (to !== null) {
      if (event.shiftKey && row) this.ticked.add(row.path);
      this.#cursor = to;
      const next = rows[to];
      if (event.shiftKey && next) this.#tick(next.path, true);
      this.app.select(next?.path ?? null);
      this.#rows.reveal(to);
    } else if (event.key === ' ' && row) this.#tick(row.path, !this.ticked.has(row.path));
    else if (event.key === 'Escape') this.#tickAll(false);
    else if (event.key === 'Enter' && row) openLogs(row);
    else if (event.key === 'l') openAllLogs(this.#chosen(row));
    else if (event.key === 'd' && this.app.may('dispatch')) void dispatchRows(this.#chosen(row), { ticked: this.tickedRows.length > 0 });
    else if (event.key === 'a' && this.app.may('abort')) void abortRows(this.#chosen(row));
    else return;
    event.preventDefault();
  }

  /** @param {Row|undefined} row */
  #chosen(row) {
    const ticked = this.tickedRows;
    return ticked.length > 0 ? ticked : row ? [row] : [];
  }

  /** Bring an action's row into view. @param {string} path */
  reveal(path) {
    const index = this.view.rows.findIndex((row) => row.path === path);
    if (index >= 0) this.#rows.reveal(index);
  }
}

customElements.define('action-table', ActionTable);
