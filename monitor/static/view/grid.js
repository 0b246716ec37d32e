/**
 * A table of many rows, by group where wanted: only those that are seen exist. Sort and filter by
 * column, keys, selection of one, some or all. What its rows are is said by who makes one of it.
 */

/** @import {ColumnOf} from '../model/table.js' */
import { readTable, writeSort } from '../model/route.js';
import { movedBy, sortedBy, sortedNext, textFilter } from '../model/table.js';
import { byName, plain } from '../model/words.js';
import { h, setAttribute, setText } from './dom.js';
import { Inputs, Part } from './part.js';
import { useRules, useStyle } from './style.js';
import { Windowed } from './windowed.js';

useStyle(import.meta.url);

/** The order is looked at only so often: what rows show changes all the time. */
const ORDERED_EVERY_MS = 250;
/** So many characters of an address are taken by the rows that are selected. */
const SELECTION_MAX = 1500;
/** So much larger letters are on the wall. */
const ON_THE_WALL = 1.6;

/**
 * Draws a row's cell; `around` is what is known of the row beside it.
 * @template R
 * @typedef {(row: R, now: number, around: any[]) => void} Draw
 */

/** A form of the page in which there is no room for a column any more. @typedef {'middle'|'tight'} Form */

/**
 * A column owns all that is known of it: its room, its cell, what is found and compared in it.
 * @template R
 * @typedef {ColumnOf<R> & {sets?: string[], least: number, share?: number, phone?: string, right?: boolean,
 *   leaves?: Form, cell: (cell: HTMLElement) => Draw<R>}} GridColumn
 */

/**
 * What a line shows: a row, or the head of a group.
 * @template R
 * @typedef {{key: string, group: string, rows: R[]|null, row: R|null}} Line
 */

/**
 * @template R
 * @typedef {HTMLElement & {drawn: Drawn<R>}} LineElement
 */

/**
 * @template R
 * @typedef {object} Drawn
 * @property {Line<R>|null} line
 * @property {Draw<R>[]} cells
 * @property {HTMLInputElement} box
 * @property {HTMLElement} name of a group
 * @property {HTMLElement} about of a group
 */

/**
 * Sends `selection` when other rows are selected.
 * @template R
 */
export class Grid extends Part {
  /** What it is of, in words. */
  label = '';
  /** What one of its rows is. */
  one = 'row';
  /** Whether a row has two lines where there is little room, for what is worth to be read whole. */
  twoLines = false;
  /** Its order is looked at once in so many milliseconds. */
  orderedEveryMs = ORDERED_EVERY_MS;
  /** @type {GridColumn<R>[]} */ columns = [];
  /** Its name in the address, before what filters and sorts it. */
  address = 'in';
  /** What is wanted of it. */
  search = '';
  /** @type {Record<string, string>} */ filters = {};
  /** @type {string|null} */ sort = null;
  descending = false;
  by = 'none';
  set = '';
  /** @type {Set<string>} */ #ticked = new Set();
  #cursor = '';
  /** @type {Line<R>[]} */ #lines = [];
  /** @type {R[]} */ #shown = [];
  /** @type {Map<string, R>} */ #byKey = new Map();
  #wanted = new Inputs();
  #ordered = new Inputs();
  /** @type {Map<string, HTMLElement>} */ #heads = new Map();
  /** @type {Map<string, HTMLInputElement>} */ #filters = new Map();
  #tickAllBox = h('input', { type: 'checkbox' });
  #body = h('div', { class: 'grid-scroll', tabIndex: 0, role: 'grid', 'aria-multiselectable': 'true' });
  #why = h('span', { role: 'gridcell' });
  #empty = h('p', { class: 'empty', role: 'row', hidden: true }, this.#why);
  /** @type {Windowed<LineElement<R>>} */ #rows = /** @type {any} */ (null);

  // What whoever makes one of it says.

  /** Return all rows in their own order. @returns {R[]} */
  source() {
    return [];
  }

  /** Return what the rows are made of: they are looked at again where one of these is another. @returns {unknown[]} */
  inputs() {
    return [];
  }

  /** Return the name of a row, which stays its own. @param {R} _row @returns {string} */
  keyOf(_row) {
    return '';
  }

  /** Return how a row looks. @param {R} _row @returns {string} */
  look(_row) {
    return '';
  }

  /** Return what a row's cells are drawn with beside it. @param {R} _row @returns {unknown[]} */
  around(_row) {
    return [];
  }

  /** Return rows by group, in order. @param {R[]} rows @returns {[string, R[]][]} */
  grouped(rows) {
    return [['', rows]];
  }

  /** Return how a group looks, and what is said beside its name. @param {string} _group @param {R[]} _rows @returns {{look: string, about: string}} */
  groupWords(_group, _rows) {
    return { look: '', about: '' };
  }

  /** Return why no row is shown. @param {boolean} _any whether there are rows at all @returns {string} */
  emptyWords(_any) {
    return '';
  }

  /** Open a row: it was clicked twice, or Enter was pressed. @param {R} _row */
  open(_row) {}

  build() {
    this.classList.add('grid', 'grid-cards');
    this.classList.toggle('grid-two', this.twoLines);
    const space = h('div', { class: 'table-space', role: 'rowgroup' });
    setAttribute(this.#tickAllBox, 'aria-label', `select all ${this.one}s that are shown`);
    setAttribute(this.#body, 'aria-label', this.label);
    this.#body.append(this.#head(), space, this.#empty);
    this.append(this.#body);
    this.#rows = new Windowed(this.#body, space, () => this.#create(), (element, index, made) => this.#update(element, index, made), (index) => this.#lines[index]?.key);
    this.#body.addEventListener('scroll', () => this.app.changed(), { passive: true });
    this.#body.addEventListener('keydown', (event) => {
      if (event.key !== 'a' || !(event.ctrlKey || event.metaKey) || event.target !== this.#body) return;
      event.preventDefault();
      this.selectAll();
    });
    this.app.addEventListener('route', () => this.#fromRoute());
    this.#fromRoute();
    const head = /** @type {HTMLElement} */ (this.#body.firstElementChild);
    new ResizeObserver(() => {
      this.#rows.head = head.offsetHeight;
      this.app.changed();
    }).observe(this.#body);
  }

  restyle() {
    this.#rows.measure();
  }

  /** The rows that are selected; none ticked: that of the cursor. @returns {R[]} */
  get chosen() {
    const keys = this.#ticked.size > 0 ? [...this.#ticked].sort(byName) : [this.#cursor.split('\n')[0]];
    /** @type {R[]} */
    const found = [];
    for (const key of keys) {
      const row = this.#byKey.get(key);
      if (row !== undefined) found.push(this.now(row));
    }
    return found;
  }

  get ticked() {
    return this.#ticked.size;
  }

  /** How many rows are shown, of all. */
  get count() {
    return { shown: this.#shown.length, all: this.#byKey.size };
  }

  clear() {
    this.#ticked.clear();
    this.#cursor = '';
    this.#selected();
  }

  draw() {
    this.#refresh();
    setAttribute(this, 'data-set', this.set || null);
    this.#rows.draw(this.#lines.length);
    setAttribute(this.#body, 'aria-rowcount', String(this.#lines.length + 1));
    setAttribute(this.#body, 'aria-activedescendant', this.#lines.some(({ key }) => key === this.#cursor) ? this.#idOf(this.#cursor) : null);
    this.#empty.hidden = this.#lines.length > 0;
    setText(this.#why, this.#lines.length > 0 ? '' : this.emptyWords(this.#byKey.size > 0));
    for (const [id, head] of this.#heads) setAttribute(head, 'aria-sort', this.sort !== id ? null : this.descending ? 'descending' : 'ascending');
    const ticked = this.#ticked.size === 0 ? 0 : this.#shown.filter((row) => this.#ticked.has(this.keyOf(row))).length;
    this.#tickAllBox.checked = ticked > 0 && ticked === this.#shown.length;
    this.#tickAllBox.indeterminate = ticked > 0 && ticked < this.#shown.length;
  }

  #refresh() {
    if (this.#wanted.changed(this.search, this.filters, this.sort, this.descending, this.by)) this.#ordered.forget();
    if (!this.#ordered.due(this.orderedEveryMs, ...this.inputs())) return;
    const all = this.source();
    this.#byKey = new Map(all.map((row) => [this.keyOf(row), row]));
    // Before anything is known, nothing is gone.
    for (const key of all.length > 0 ? this.#ticked : []) if (!this.#byKey.has(key)) this.#ticked.delete(key);
    const fits = textFilter(this, this.columns);
    const found = fits ? all.filter((row) => fits(row)) : all;
    const column = this.columns.find(({ id }) => id === this.sort);
    this.#shown = column ? sortedBy(found, column, this.descending, this.app.now()) : found;
    if (this.by === 'none') this.#lines = this.#shown.map((row) => ({ key: this.keyOf(row), group: '', rows: null, row }));
    else {
      /** @type {Set<string>} */
      const taken = new Set(); // a row may be in several groups
      this.#lines = this.grouped(this.#shown).flatMap(([group, rows]) => [
        { key: `\n${group}`, group, rows, row: null },
        ...rows.map((row) => {
          const key = this.keyOf(row);
          const again = taken.has(key);
          taken.add(key);
          return { key: again ? `${key}\n${group}` : key, group, rows: null, row };
        }),
      ]);
    }
  }

  // Heads

  #head() {
    this.#tickAllBox.addEventListener('change', () => this.#tickAll(this.#tickAllBox.checked));
    const row = h('div', { class: 'grid-head', role: 'row' }, h('div', { class: 'cell g-tick', role: 'columnheader' }, this.#tickAllBox));
    for (const column of this.columns) {
      const filter = h('input', {
        class: 'column-filter', type: 'search', 'aria-label': `filter ${column.title}`,
        title: column.number ? 'a part of it, >5, <5, 5..9, a|b, !not' : 'a part of it, a|b for either, !a for all others',
        oninput: () => this.app.filter({ [`${this.address}.${column.id}`]: filter.value }),
      });
      this.#filters.set(column.id, filter);
      const button = h('button', { class: 'column-sort', onclick: () => this.#sort(column) }, column.title);
      const cell = h('div', { class: `cell g-${column.id}`, role: 'columnheader' }, button, filter);
      this.#heads.set(column.id, cell);
      row.append(cell);
    }
    return row;
  }

  /** @param {GridColumn<R>} column */
  #sort(column) {
    const { sort, descending } = sortedNext(this, column);
    this.app.filter({ [`${this.address}.sort`]: writeSort(sort, descending) });
  }

  /** Take over what the address says: columns' filters, order, and which rows are selected. */
  #fromRoute() {
    const { filters: all } = this.app.route;
    const { filters: { selected = '', ...filters }, sort, descending } = readTable(all, this.address);
    for (const [id, input] of this.#filters) {
      const value = filters[id] ?? '';
      if (input.value.trim() !== value.trim()) input.value = value;
    }
    if (JSON.stringify(filters) !== JSON.stringify(this.filters)) this.filters = filters;
    Object.assign(this, { sort, descending });
    if (selected !== this.#selection()) this.#ticked = new Set(selected.split(',').filter(Boolean));
    this.app.changed();
  }

  /** The selected rows, as they stand in the address; of very many none do. */
  #selection() {
    const text = [...this.#ticked].join(',');
    return text.length <= SELECTION_MAX ? text : '';
  }

  // Rows

  /** @returns {LineElement<R>} */
  #create() {
    const box = h('input', { type: 'checkbox', tabIndex: -1 });
    const name = h('strong');
    const about = h('span');
    const element = /** @type {LineElement<R>} */ (/** @type {HTMLElement} */ (h('div', { class: 'grid-row', role: 'row' },
      h('div', { class: 'cell g-tick', role: 'gridcell' }, box),
      h('div', { class: 'group-head', role: 'gridcell' }, name, about))));
    const cells = this.columns.map((column) => {
      const cell = h('div', { class: `cell g-${column.id}${column.right ? ' right' : ''}`, role: 'gridcell', 'data-head': column.title });
      element.append(cell);
      return column.cell(cell);
    });
    element.drawn = { line: null, cells, box, name, about };
    box.addEventListener('change', () => this.#tick(element.drawn.line, box.checked));
    element.addEventListener('pointerdown', (event) => {
      const { line } = element.drawn;
      if (!line || (event.target instanceof Element && event.target.closest('input, a'))) return;
      this.#cursor = line.key;
      if (event.ctrlKey || event.metaKey) this.#tick(line, !this.#isTicked(line));
      this.#selected();
    });
    element.addEventListener('dblclick', () => this.#open(element.drawn.line));
    return element;
  }

  /** @param {LineElement<R>} element @param {number} index @param {Inputs} made */
  #update(element, index, made) {
    const line = this.#lines[index];
    if (!line) return;
    const { drawn } = element;
    const row = line.row === null ? null : this.now(line.row);
    const ticked = this.#isTicked(line);
    const cursor = this.#cursor === line.key;
    const around = row === null ? [] : this.around(row);
    if (!made.changed(row ?? line, Math.floor(this.app.now()), ticked, cursor, index, this.set, ...around)) return;
    drawn.line = line;
    element.id = this.#idOf(line.key);
    if (row !== null) element.dataset.key = this.keyOf(row);
    else delete element.dataset.key;
    const group = row === null ? this.groupWords(line.group, line.rows ?? []) : null;
    const look = row === null ? `is-group ${group?.look}` : this.look(row);
    setAttribute(element, 'class', `grid-row ${look}${ticked ? ' ticked' : ''}${cursor ? ' cursor' : ''}`);
    setAttribute(element, 'aria-rowindex', String(index + 2));
    setAttribute(element, 'aria-selected', String(ticked));
    setAttribute(drawn.box, 'aria-label', row === null ? 'select this group' : `select this ${this.one}`);
    drawn.box.checked = ticked;
    if (row === null) {
      setText(drawn.name, line.group);
      setText(drawn.about, group?.about ?? '');
      return;
    }
    for (const [at, { sets, phone }] of this.columns.entries()) {
      if (!sets || sets.includes(this.set) || phone) drawn.cells[at](row, this.app.now(), around);
    }
  }

  /** Return a row as it is now: the order is not looked at all the time. @param {R} row @returns {R} */
  now(row) {
    return row;
  }

  // Selecting

  /** @param {Line<R>} line */
  #isTicked({ row, rows }) {
    if (this.#ticked.size === 0) return false;
    return (row !== null ? [row] : (rows ?? [])).every((one) => this.#ticked.has(this.keyOf(one)));
  }

  /** @param {Line<R>|null} line @param {boolean} on */
  #tick(line, on) {
    if (!line) return;
    for (const row of line.row !== null ? [line.row] : (line.rows ?? [])) {
      if (on) this.#ticked.add(this.keyOf(row));
      else this.#ticked.delete(this.keyOf(row));
    }
    this.#selected();
  }

  /** @param {boolean} on */
  #tickAll(on) {
    this.#ticked.clear();
    if (on) for (const row of this.#shown) this.#ticked.add(this.keyOf(row));
    this.#selected();
  }

  #selected() {
    this.dispatchEvent(new Event('selection'));
    this.app.changed();
    this.app.filter({ [`${this.address}.selected`]: this.#selection() });
  }

  /** @param {Line<R>|null|undefined} line */
  #open(line) {
    if (line && line.row !== null) this.open(line.row);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const at = this.#lines.findIndex(({ key }) => key === this.#cursor);
    const page = Math.max(1, Math.floor(this.#body.clientHeight / (this.#rows.rowHeight || 1)) - 2);
    const to = movedBy(event.key, at, this.#lines.length, page);
    if (to !== null) {
      if (event.shiftKey && at >= 0) this.#tick(this.#lines[at], true);
      if (event.shiftKey) this.#tick(this.#lines[to], true);
      this.#cursor = this.#lines[to].key;
      this.#rows.reveal(to);
      this.#body.focus({ preventScroll: true }); // whose cursor it is, is said
      this.#selected();
    } else if (event.key === ' ' && at >= 0) this.#tick(this.#lines[at], !this.#isTicked(this.#lines[at]));
    else if (event.key === 'Escape') this.#tickAll(false);
    else if (event.key === 'Enter') this.#open(this.#lines[at]);
    else return;
    event.preventDefault();
  }

  /** Select all that are shown. */
  selectAll() {
    this.#tickAll(true);
  }

  /** @param {string} key */
  #idOf(key) {
    return `${this.localName}-${key.replace(/\s/g, '_')}`;
  }
}

/**
 * Give the columns of a table their places, by set and on a telephone.
 * @template R
 * @param {string} tag of the table's element
 * @param {GridColumn<R>[]} columns
 * @param {string[]} [sets]
 * @param {string} [card] of a row on a telephone: rows and columns of its grid
 */
export function useColumns(tag, columns, sets = [''], card = '25px 25px minmax(0, 1fr) / 30px minmax(0, 1fr) minmax(0, 1fr) 84px') {
  const rows = ':is(.grid-head, .grid-row)';
  /** @param {string} set @param {string} body in which form of the page @param {Form[]} left @param {number} [letters] how much larger they are */
  const inForm = (set, body, left, letters = 1) => {
    const where = body + (set ? `${tag}[data-set="${set}"]` : tag);
    const shown = columns.filter((one) => (!one.sets || one.sets.includes(set)) && !(one.leaves && left.includes(one.leaves)));
    const tracks = shown.map(({ least, share: part }) => {
      const room = Math.round(least * letters);
      return part === undefined ? `${room}px` : `minmax(${room}px, ${part}fr)`;
    });
    const least = shown.reduce((sum, one) => sum + Math.round(one.least * letters), 34);
    const gone = columns.filter((one) => !shown.includes(one)).map(({ id }) => `.g-${id}`);
    return `${where} ${rows} { grid-template-columns: 34px ${tracks.join(' ')}; min-width: ${least}px; }
      ${gone.length > 0 ? `${where} ${rows} > :is(${gone.join(', ')}) { display: none; }` : ''}`;
  };
  const [first] = sets; // the others are for whoever wants more than has room, and scroll
  const wide = [...sets.map((set) => inForm(set, '', [])), inForm(first, 'body.middle ', ['middle']), inForm(first, 'body.tight ', ['middle', 'tight']), inForm(first, 'body.wall ', ['middle', 'tight'], ON_THE_WALL)];
  const cards = columns.filter((one) => one.phone);
  const phone = `body.phone ${tag}${sets[0] ? '[data-set]' : ''}`;
  useRules([
    ...wide,
    `${phone} .grid-row { grid-template: ${card}; min-width: 0; }`,
    `${phone} .grid-row > .cell:not(.g-tick, ${cards.map(({ id }) => `.g-${id}`).join(', ')}) { display: none; }`,
    ...cards.map(({ id, phone: area }) => `${phone} .grid-row > .g-${id} { display: flex; grid-area: ${area}; }`),
  ].join('\n'));
}

/**
 * A column of texts.
 * @template R
 * @param {string} id
 * @param {string} title
 * @param {number} least
 * @param {(row: R) => string} of
 * @param {{sets?: string[], share?: number, phone?: string, leaves?: Form}} [more]
 * @returns {GridColumn<R>}
 */
export function words(id, title, least, of, more = {}) {
  return {
    id, title, least, ...more, text: of, key: of,
    cell: (cell) => (row) => {
      const shown = plain(of(row));
      setText(cell, shown);
      setAttribute(cell, 'title', shown || null);
    },
  };
}

/**
 * A column of numbers, the largest first when it is sorted. `much`: from which on one is marked.
 * @template R
 * @param {string} id
 * @param {string} title
 * @param {number} least
 * @param {(row: R) => number|null|undefined} of
 * @param {{sets?: string[], share?: number, phone?: string, leaves?: Form, shown?: (value: number) => string, titled?: (row: R) => string, much?: number}} [more]
 * @returns {GridColumn<R>}
 */
export function number(id, title, least, of, { shown = String, titled, much, ...more } = {}) {
  /** @param {R} row */
  const text = (row) => {
    const value = of(row);
    return value === null || value === undefined ? '' : shown(value);
  };
  return {
    id, title, least, ...more, right: true, text, key: of, down: true, number: of,
    cell: (cell) => (row) => {
      setText(cell, text(row));
      if (titled) setAttribute(cell, 'title', titled(row) || null);
      if (much !== undefined) cell.classList.toggle('much', (of(row) ?? 0) >= much);
    },
  };
}
