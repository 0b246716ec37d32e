/**
 * A plain table of the action servers, a row each: search, order, and which rows are kept up to
 * date. What its columns show is the view's.
 */

/** @import {ServerView} from '../model/types.js' */
/** @import {PlainColumn} from './plain-rows.js' */
import { h } from './dom.js';
import { Part } from './part.js';
import { PlainRows } from './plain-rows.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

/** @typedef {PlainColumn<ServerView>} ServerColumn */

export class ServerTable extends Part {
  /** @type {ServerColumn[]} */ columns = [];
  toolbar = h('div', { class: 'toolbar' });
  find = h('input', { type: 'search', placeholder: 'Search servers   /', 'aria-label': 'search servers' });
  empty = h('p', { class: 'empty' }, 'No action server is known.');
  #rows = /** @type {PlainRows<ServerView>} */ (/** @type {unknown} */ (null));

  build() {
    this.find.addEventListener('input', () => this.app.go({ find: this.find.value }));
    this.toolbar.prepend(this.find);
    this.#rows = new PlainRows(this.columns, ({ server }) => server, () => this.app.changed());
    this.append(this.toolbar, h('div', { class: 'plain-scroll', tabIndex: 0, role: 'region', 'aria-label': 'action servers' }, this.#rows.table, this.empty));
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
    const { servers, route } = this.app;
    if (this.find.value !== route.find) this.find.value = route.find;
    const text = route.find.trim().toLowerCase();
    const shown = servers.sorted().filter((server) => this.searched(server).includes(text));
    this.#rows.draw(shown, (server) => ({ look: `server-${server.state}`, made: this.inputs(server) }));
    this.empty.hidden = shown.length > 0;
  }
}
