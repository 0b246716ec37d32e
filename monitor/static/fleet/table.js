/**
 * The fleet's table: a row for each server, by group where wanted; only the rows that are seen exist.
 */

/** @import {ServerView} from '../model/types.js' */
/** @import {Inputs} from '../view/part.js' */
/** @import {ColumnSet, Draw} from './columns.js' */
/** @import {Grouping} from './words.js' */
import { movedBy, sortedBy, textFilter } from '../model/table.js';
import { byName, plain } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Inputs as Made, Part } from '../view/part.js';
import { useRules, useStyle } from '../view/style.js';
import { Windowed } from '../view/windowed.js';
import { COLUMNS, columnStyle } from './columns.js';
import { grouped, hostWords, serverAddress, totals } from './words.js';

useStyle(import.meta.url);
useRules(columnStyle());

/** What the table's keys do. @type {[string, string][]} */
export const KEYS = [
  ['↑ ↓ PgUp PgDn Home End', 'move in the fleet'],
  ['Space, Shift+↑ ↓', 'select servers; on a group all of it'],
  ['Ctrl+A, Esc', 'select all that are shown; none'],
  ['Enter', 'the server’s page'],
];

/** The order is looked at only so often: heartbeats come all the time. */
const ORDERED_EVERY_MS = 250;

/**
 * A row: a group's head, or a server.
 * @typedef {{key: string, group: string, servers: ServerView[]|null, server: ServerView|null}} Line
 */

/**
 * @typedef {HTMLElement & {drawn: Drawn}} RowElement
 * @typedef {object} Drawn
 * @property {Line|null} line
 * @property {Draw[]} cells
 * @property {HTMLInputElement} box
 * @property {HTMLElement} name
 * @property {HTMLElement} about
 */

/** Sends `selection` when other servers are selected. */
export class FleetTable extends Part {
  /** What is wanted of it. */
  search = '';
  /** @type {Record<string, string>} */ filters = {};
  /** @type {string|null} */ sort = null;
  descending = false;
  /** @type {Grouping} */ by = 'none';
  /** @type {ColumnSet} */ set = 'work';
  /** @type {Set<string>} */ #ticked = new Set();
  #cursor = '';
  /** @type {Line[]} */ #lines = [];
  /** @type {ServerView[]} */ #shown = [];
  #wanted = new Made();
  #ordered = new Made();
  /** @type {Map<string, HTMLElement>} */ #heads = new Map();
  #all = h('input', { type: 'checkbox', 'aria-label': 'select all servers that are shown' });
  #body = h('div', { class: 'fleet-scroll', tabIndex: 0, role: 'grid', 'aria-label': 'fleet', 'aria-multiselectable': 'true' });
  #empty = h('p', { class: 'empty', hidden: true });
  /** @type {Windowed<RowElement>} */ #rows = /** @type {any} */ (null);

  build() {
    const space = h('div', { class: 'table-space', role: 'rowgroup' });
    this.#body.append(this.#head(), space, this.#empty);
    this.append(this.#body);
    this.#rows = new Windowed(this.#body, space, () => this.#create(), (element, index, made) => this.#update(element, index, made), (index) => this.#lines[index]?.key);
    this.#body.addEventListener('scroll', () => this.app.changed(), { passive: true });
    this.#body.addEventListener('keydown', (event) => {
      if (event.key !== 'a' || !(event.ctrlKey || event.metaKey) || event.target !== this.#body) return;
      event.preventDefault();
      this.selectAll();
    });
    const head = /** @type {HTMLElement} */ (this.#body.firstElementChild);
    new ResizeObserver(() => {
      this.#rows.head = head.offsetHeight;
      this.app.changed();
    }).observe(this.#body);
  }

  restyle() {
    this.#rows.measure();
  }

  /** The servers that are selected; none ticked: that of the cursor. @returns {ServerView[]} */
  get chosen() {
    const { byName: all } = this.app.servers;
    const names = this.#ticked.size > 0 ? [...this.#ticked].sort(byName) : [this.#cursor];
    return names.map((name) => all.get(name)).filter((one) => one !== undefined);
  }

  get ticked() {
    return this.#ticked.size;
  }

  /** How many servers are shown, of all. */
  get count() {
    return { shown: this.#shown.length, all: this.app.servers.byName.size };
  }

  clear() {
    this.#ticked.clear();
    this.#cursor = '';
    this.#selected();
  }

  draw() {
    this.#refresh();
    setAttribute(this, 'data-set', this.set);
    this.#rows.draw(this.#lines.length);
    setAttribute(this.#body, 'aria-rowcount', String(this.#lines.length + 1));
    setAttribute(this.#body, 'aria-activedescendant', this.#lines.some(({ key }) => key === this.#cursor) ? idOf(this.#cursor) : null);
    this.#empty.hidden = this.#lines.length > 0;
    setText(this.#empty, this.app.servers.byName.size > 0 ? 'No server fits the filters.' : 'No action server is known.');
    for (const [id, head] of this.#heads) setAttribute(head, 'aria-sort', this.sort !== id ? null : this.descending ? 'descending' : 'ascending');
    const ticked = this.#shown.filter(({ server }) => this.#ticked.has(server)).length;
    this.#all.checked = ticked > 0 && ticked === this.#shown.length;
    this.#all.indeterminate = ticked > 0 && ticked < this.#shown.length;
  }

  #refresh() {
    const { servers } = this.app;
    if (this.#wanted.changed(this.search, this.filters, this.sort, this.descending, this.by)) this.#ordered.forget();
    if (!this.#ordered.due(ORDERED_EVERY_MS, servers, servers.version)) return;
    for (const name of this.#ticked) if (!servers.byName.has(name)) this.#ticked.delete(name);
    const fits = textFilter(this, COLUMNS);
    const all = servers.sorted();
    const found = fits ? all.filter((server) => fits(server)) : all;
    const column = COLUMNS.find(({ id }) => id === this.sort);
    this.#shown = column ? sortedBy(found, column, this.descending, this.app.now()) : found;
    if (this.by === 'none') this.#lines = this.#shown.map((server) => ({ key: server.server, group: '', servers: null, server }));
    else {
      this.#lines = grouped(this.#shown, this.by).flatMap(([group, of]) => [
        { key: `\n${group}`, group, servers: of, server: null },
        ...of.map((server) => ({ key: this.by === 'label' ? `${server.server}\n${group}` : server.server, group, servers: null, server })),
      ]);
    }
  }

  // Heads

  #head() {
    this.#all.addEventListener('change', () => this.#tickAll(this.#all.checked));
    const row = h('div', { class: 'fleet-head', role: 'row' }, h('div', { class: 'cell f-tick', role: 'columnheader' }, this.#all));
    for (const column of COLUMNS) {
      const filter = h('input', {
        class: 'column-filter', type: 'search', 'aria-label': `filter ${column.title}`,
        title: column.number ? 'a part of it, >5, <5, 5..9, a|b, !not' : 'a part of it, a|b for either, !a for all others',
        oninput: () => {
          this.filters = { ...this.filters, [column.id]: filter.value };
          this.app.changed();
        },
      });
      const button = h('button', { class: 'column-sort', onclick: () => this.#sort(column.id) }, column.title);
      const cell = h('div', { class: `cell f-${column.id}`, role: 'columnheader' }, button, filter);
      this.#heads.set(column.id, cell);
      row.append(cell);
    }
    return row;
  }

  /** @param {string} id */
  #sort(id) {
    if (this.sort !== id) [this.sort, this.descending] = [id, false];
    else if (!this.descending) this.descending = true;
    else [this.sort, this.descending] = [null, false];
    this.app.changed();
  }

  // Rows

  /** @returns {RowElement} */
  #create() {
    const box = h('input', { type: 'checkbox', tabIndex: -1 });
    const name = h('strong');
    const about = h('span');
    const element = /** @type {RowElement} */ (/** @type {HTMLElement} */ (h('div', { class: 'fleet-row', role: 'row' },
      h('div', { class: 'cell f-tick', role: 'gridcell' }, box),
      h('div', { class: 'group-head', role: 'gridcell' }, name, about))));
    const cells = COLUMNS.map((column) => {
      const cell = h('div', { class: `cell f-${column.id}${column.right ? ' right' : ''}`, role: 'gridcell', 'data-head': column.title });
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

  /** @param {RowElement} element @param {number} index @param {Inputs} made */
  #update(element, index, made) {
    const line = this.#lines[index];
    if (!line) return;
    const { app } = this;
    const { drawn } = element;
    const server = line.server ? (app.servers.byName.get(line.server.server) ?? line.server) : null;
    const samples = (server && app.servers.samples.get(server.server)) ?? NONE;
    const ticked = this.#isTicked(line);
    const cursor = this.#cursor === line.key;
    if (!made.changed(server ?? line, samples, Math.floor(app.now()), ticked, cursor, index, this.set)) return;
    drawn.line = line;
    element.id = idOf(line.key);
    if (server) element.dataset.server = server.server;
    else delete element.dataset.server;
    const look = server ? `server-${server.state}${worst(server)}` : `is-group${line.servers?.some((one) => worst(one) === ' ill-row') ? ' ill-group' : ''}`;
    setAttribute(element, 'class', `fleet-row ${look}${ticked ? ' ticked' : ''}${cursor ? ' cursor' : ''}`);
    setAttribute(element, 'aria-rowindex', String(index + 2));
    setAttribute(element, 'aria-selected', String(ticked));
    setAttribute(drawn.box, 'aria-label', server ? 'select this server' : 'select this group');
    drawn.box.checked = ticked;
    if (!server) this.#drawGroup(drawn, line);
    else {
      const around = { now: app.now(), samples };
      for (const [at, column] of COLUMNS.entries()) if (column.sets.includes(this.set) || column.phone) drawn.cells[at](server, around);
    }
  }

  /** @param {Drawn} drawn @param {Line} line */
  #drawGroup({ name, about }, { group, servers }) {
    const of = totals(servers ?? []);
    const host = this.by === 'host' ? hostWords(servers ?? []) : '';
    const ill = [of.suspect && `${of.suspect} suspect`, of.lost && `${of.lost} lost`, of.absent && `${of.absent} absent`].filter(Boolean);
    setText(name, plain(group));
    setText(about, [`${of.servers} ${of.servers === 1 ? 'server' : 'servers'}`, ...ill, of.slots && `${of.busy} of ${of.usable} slots busy`, of.slots && `${of.done} done`, of.failed && `${of.failed} failed`, host].filter(Boolean).join('  ·  '));
  }

  // Selecting

  /** @param {Line} line */
  #isTicked({ server, servers }) {
    if (server) return this.#ticked.has(server.server);
    return (servers ?? []).every((one) => this.#ticked.has(one.server));
  }

  /** @param {Line|null} line @param {boolean} on */
  #tick(line, on) {
    if (!line) return;
    for (const { server } of line.server ? [line.server] : (line.servers ?? [])) {
      if (on) this.#ticked.add(server);
      else this.#ticked.delete(server);
    }
    this.#selected();
  }

  /** @param {boolean} on */
  #tickAll(on) {
    this.#ticked.clear();
    if (on) for (const { server } of this.#shown) this.#ticked.add(server);
    this.#selected();
  }

  #selected() {
    this.dispatchEvent(new Event('selection'));
    this.app.changed();
  }

  /** @param {Line|null|undefined} line */
  #open(line) {
    if (line?.server) window.location.hash = serverAddress(line.server.server);
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
}

/** @type {never[]} */
const NONE = [];

/** @param {ServerView} server */
function worst({ flags = [] }) {
  if (flags.some(({ kind }) => kind === 'failing' || kind === 'stuck')) return ' ill-row';
  return flags.some(({ kind }) => kind !== 'differs' && kind !== 'limited') ? ' limits-row' : '';
}

/** @param {string} key */
function idOf(key) {
  return `fleet-${key.replace(/\s/g, '_')}`;
}

customElements.define('fleet-table', FleetTable);
