/**
 * A plain table of the action servers, a row each: search, order, and which rows are kept up to
 * date. What its columns show is the view's.
 */

/** @import {ServerView} from '../model/types.js' */
import { h, setAttribute } from './dom.js';
import { Inputs, Part } from './part.js';
import { Seen } from './seen.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

/**
 * @typedef {object} ServerColumn
 * @property {string} id
 * @property {string} title
 * @property {(cell: HTMLElement, name: string) => (server: ServerView) => void} cell makes what is in
 *   the cell of a server; returns what draws it
 */

/**
 * @typedef {object} Drawn
 * @property {HTMLTableRowElement} row
 * @property {((server: ServerView) => void)[]} cells
 * @property {Inputs} made
 */

export class ServerTable extends Part {
  /** @type {ServerColumn[]} */ columns = [];
  toolbar = h('div', { class: 'toolbar' });
  find = h('input', { type: 'search', placeholder: 'Search servers   /', 'aria-label': 'search servers' });
  empty = h('p', { class: 'empty' }, 'No action server is known.');
  #body = h('tbody');
  /** @type {Map<string, Drawn>} */ #drawn = new Map();
  #order = new Inputs();
  #seen = new Seen(() => this.app.changed());

  build() {
    this.find.addEventListener('input', () => this.app.changed());
    this.toolbar.prepend(this.find);
    const heads = this.columns.map(({ title }) => (title ? h('th', { scope: 'col' }, title) : h('td')));
    this.append(this.toolbar, h('div', { class: 'plain-scroll', tabIndex: 0, role: 'region', 'aria-label': 'action servers' },
      h('table', { class: 'plain-table' }, h('thead', {}, h('tr', {}, ...heads)), this.#body),
      this.empty));
  }

  focusSearch() {
    this.find.focus();
  }

  /** Return all in which the search looks, in lower case. @param {ServerView} server */
  searched(server) {
    return server.server.toLowerCase();
  }

  /** Return what a server's cells are made of. @param {ServerView} server @returns {unknown[]} */
  inputs(server) {
    return [server];
  }

  draw() {
    const { servers } = this.app;
    const text = this.find.value.trim().toLowerCase();
    const shown = servers.sorted().filter((server) => this.searched(server).includes(text));
    const rows = shown.map((server) => this.#rowOf(server));
    if (this.#order.changed(...rows)) {
      this.#body.replaceChildren(...rows.map(({ row }) => row));
      this.#forget();
    }
    this.empty.hidden = shown.length > 0;
    for (const [index, { row, cells, made }] of rows.entries()) {
      const server = shown[index];
      if (!this.#seen.has(row) || !made.changed(...this.inputs(server))) continue;
      setAttribute(row, 'class', `server-${server.state}`);
      for (const draw of cells) draw(server);
    }
  }

  /** @param {ServerView} server @returns {Drawn} */
  #rowOf({ server: name }) {
    const known = this.#drawn.get(name);
    if (known) return known;
    const row = h('tr', { 'data-server': name });
    const cells = this.columns.map(({ id, title, cell }) => {
      const element = h('td', { class: `s-${id}`, 'data-head': title || null });
      row.append(element);
      return cell(element, name);
    });
    const drawn = { row, cells, made: new Inputs() };
    this.#drawn.set(name, drawn);
    this.#seen.watch(row);
    return drawn;
  }

  /** Forget the rows of servers that are gone. */
  #forget() {
    for (const [name, { row }] of this.#drawn) {
      if (this.app.servers.byName.has(name)) continue;
      this.#drawn.delete(name);
      this.#seen.leave(row);
    }
  }
}
