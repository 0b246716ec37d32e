/**
 * A table of actions: only the rows that are seen exist; sort and filter by column; keys; selection.
 */

/** @import {Row, Shot} from '../model/shot.js' */
/** @import {Cell, Place, Surroundings} from './columns.js' */
import { linesOf } from '../model/stack.js';
import { TableView, movedBy, nodeOf, sortedNext } from '../model/table.js';
import { readTable, writeSort } from '../model/route.js';
import { details, outcomeWords, plain } from '../model/words.js';
import { COLUMNS, styleOf } from './columns.js';
import { abortRows, canAbort, canDispatch, dispatchRows, openAllLogs, openLogs } from '../view/commands.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { isForm } from '../view/forms.js';
import { measureOf, roomIn } from '../view/measure.js';
import { Inputs, Part } from '../view/part.js';
import { Windowed } from '../view/windowed.js';
import { useRules, useStyle } from '../view/style.js';

useStyle(new URL('../view/grid.js', import.meta.url).href); // what all tables have
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
/** So many lines of a reason are shown where it has a column; in the other forms all of them. */
const LINES_MAX = 5;
const WHOLE_LINES_MAX = 12;

/** What stands before and behind the columns. @type {{id: string, place: Place}} */
const TICK = { id: 'tick', place: { wide: { least: 32 }, narrow: { least: 32 }, phone: '1 / 1 / -1 / 2' } };
/** @type {{id: string, place: Place}} */
const BUTTONS = { id: 'actions', place: { wide: { least: 196 }, narrow: { least: 194 }, phone: '4 / 2 / 5 / 4' } };

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
    address: (row) => this.app.href({ tree: row.tree, shot: row.shot, wrong: '', at: row.path }),
    merged: () => isForm('narrow'),
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
  #cursorShown = false;
  #heights = new Heights();
  #opened = new Inputs();
  /** @type {Windowed<RowElement>} */ #rows = /** @type {any} */ (null);
  /** @type {HTMLElement} */ #count = h('span', { class: 'count' });
  /** @type {HTMLElement} */ #why = h('span', { role: 'gridcell' });
  /** @type {HTMLElement} */ #empty = h('p', { class: 'empty', role: 'row', hidden: true }, this.#why);
  /** @type {HTMLElement} */ #body = h('div', { class: 'grid-scroll table-scroll', tabIndex: 0, role: 'grid' });
  /** @type {Map<string, HTMLElement>} */ #heads = new Map();
  /** @type {Map<string, HTMLInputElement>} */ #filters = new Map();
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
    this.#rows.heightOf = (index) => this.#heights.of(this.view.rows[index], isForm('phone') && this.view.rows[index].path === this.app.selected);
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
    this.#heights.forget();
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
    if (!this.#heights.known && shown.length > 0) this.#heights.take(this.#body, () => this.#create(), shown[0], this.#around);
    if (this.#opened.changed(isForm('phone') && this.app.selected)) this.#rows.stale();
    this.#cursorShown = false;
    this.#rows.draw(shown.length);
    setAttribute(this.#body, 'aria-activedescendant', this.#cursorShown ? `${this.id}-cursor` : null);
    setAttribute(this.#body, 'aria-rowcount', String(shown.length + 1));
    setText(this.#count, shown.length === this.#total ? `${shown.length}` : `${shown.length} of ${this.#total}`);
    this.#empty.hidden = shown.length > 0;
    if (shown.length === 0) setText(this.#why, this.#emptyWords(this.#total));
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
    this.#rows.stale();
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
        oninput: () => this.app.filter({ [`${this.id}.${column.id}`]: filter.value }),
      });
      this.#filters.set(column.id, filter);
      const button = h('button', { class: 'column-sort', onclick: () => this.#sort(column) }, column.title);
      const cell = h('div', { class: `cell c-${column.id}`, role: 'columnheader' }, button, filter);
      this.#heads.set(column.id, cell);
      row.append(cell);
    }
    row.append(h('div', { class: `cell c-${BUTTONS.id}`, role: 'columnheader' }, h('span', { class: 'unseen' }, 'Buttons')));
    return row;
  }

  /** @param {string} id @param {HTMLElement} head */
  #drawHead(id, head) {
    const { sort, descending } = this.view.wanted;
    setAttribute(head, 'aria-sort', sort === id ? (descending ? 'descending' : 'ascending') : null);
  }

  /** @param {import('../model/table.js').Column} column */
  #sort(column) {
    const { sort, descending } = sortedNext(this.view.wanted, column);
    this.app.filter({ [`${this.id}.sort`]: writeSort(sort, descending) });
  }

  /** Take over what the address says of this table. */
  fromRoute() {
    const { filters, sort, descending } = readTable(this.app.route.filters, this.id);
    for (const [id, input] of this.#filters) {
      const value = filters[id] ?? '';
      if (input.value.trim() !== value.trim()) input.value = value;
    }
    const { wanted } = this.view;
    if (sort !== wanted.sort || descending !== wanted.descending || JSON.stringify(filters) !== JSON.stringify(wanted.filters)) this.want({ filters, sort, descending });
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
    element.addEventListener('click', (event) => {
      // A click selects; with a key held it opens what the link leads to.
      const plainly = !event.ctrlKey && !event.metaKey && !event.shiftKey;
      if (plainly && event.target instanceof Element && event.target.closest('.node-link')) event.preventDefault();
    });
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
    if (made.changed(row, row.version, this.#around.merged())) this.#fill(element, row);
    for (const { tick } of drawn.cells) tick?.(row, this.#around);
    const ticked = this.ticked.has(row.path);
    const cursor = this.app.selected === row.path;
    const look = `grid-row row ${row.colour}${row.failed ? ' failed' : ''}${ticked ? ' ticked' : ''}${cursor ? ' cursor' : ''}`;
    setAttribute(element, 'class', look);
    drawn.box.checked = ticked;
    setAttribute(element, 'aria-selected', ticked ? 'true' : 'false');
    setAttribute(element, 'aria-rowindex', String(index + 2));
    if (cursor) {
      element.id = `${this.id}-cursor`;
      this.#cursorShown = true;
    } else if (element.id) element.removeAttribute('id');
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
      this.#body.focus({ preventScroll: true }); // whose cursor it is, is said
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

/** How high the rows are, so that names and reasons are whole: measured without drawing them. */
class Heights {
  known = false;
  #row = 0; // with one line of everything
  #line = 0; // each further one
  #buttons = 0; // of the row that is selected, on a telephone
  /** @type {{room: number, measure: (text: string) => number}|null} */ #node = null;
  /** @type {{room: number, measure: (text: string) => number}|null} */ #state = null;
  /** @type {{room: number, measure: (text: string) => number}|null} */ #reason = null;
  #below = false; // whether the reason stands below the rest
  /** @type {WeakMap<Row, {version: number, height: number}>} */ #found = new WeakMap();

  forget() {
    this.known = false;
  }

  /**
   * Measure how much room there is, by a row that is not seen.
   * @param {HTMLElement} body
   * @param {() => RowElement} create
   * @param {Row} row
   * @param {Surroundings} around
   */
  take(body, create, row, around) {
    const probe = create();
    probe.classList.add('probe', 'red'); // whose words are the widest
    body.append(probe);
    for (const { draw } of probe.drawn.cells) draw?.(row, around);
    const of = /** @param {string} name */ (name) => {
      const cell = /** @type {HTMLElement} */ (probe.querySelector(name));
      return cell.clientWidth > 0 ? { room: roomIn(cell) - 1, measure: measureOf(cell) } : null;
    };
    this.#node = of('.c-node');
    this.#state = of('.c-state .word');
    this.#reason = of('.c-reason');
    const style = getComputedStyle(probe);
    this.#row = parseFloat(style.getPropertyValue('--row'));
    this.#line = parseFloat(style.getPropertyValue('--line-height'));
    this.#buttons = parseFloat(style.getPropertyValue('--control')) + 8;
    this.#below = isForm('narrow');
    this.known = this.#row > 0 && this.#node !== null && this.#node.room > 0;
    this.#found = new WeakMap();
    probe.remove();
  }

  /** @param {Row} row @param {boolean} opened whether its buttons stand below it */
  of(row, opened) {
    const known = this.#found.get(row);
    const height = known?.version === row.version ? known.height : this.#measure(row);
    if (known?.version !== row.version) this.#found.set(row, { version: row.version, height });
    return height + (opened ? this.#buttons : 0);
  }

  /** @param {Row} row */
  #measure(row) {
    if (!this.known) return this.#row || 30;
    if (this.#below) {
      const name = lines(this.#node, plain(nodeOf(row)), WHOLE_LINES_MAX);
      const node = Math.max(name, isForm('phone') ? 1 : lines(this.#state, outcomeWords(row.last), WHOLE_LINES_MAX));
      const why = lines(this.#reason, details(row), WHOLE_LINES_MAX);
      return this.#row + (Math.max(1, node) - 1) * this.#line + (row.last.state === 'DOING' ? Math.max(1, why) : why) * this.#line;
    }
    const why = row.failed ? lines(this.#reason, details(row), LINES_MAX) : 1;
    return this.#row + (Math.max(1, why) - 1) * this.#line;
  }
}

/** @param {{room: number, measure: (text: string) => number}|null} where @param {string} text @param {number} most */
function lines(where, text, most) {
  return where === null ? 1 : Math.min(most, linesOf(text, where.room, where.measure));
}

customElements.define('action-table', ActionTable);
