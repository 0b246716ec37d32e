/**
 * The view Servers of the fleet: every action server, and what it is told by itself.
 */

/** @import {ServerView} from '../model/types.js' */
/** @import {ServerColumn} from '../view/server-table.js' */
import { age, moment } from '../model/format.js';
import { SERVER_SYMBOLS, plain } from '../model/words.js';
import { CommandOutput } from '../view/command-output.js';
import { h, setText } from '../view/dom.js';
import { useStyle } from '../view/style.js';
import { Orders } from './orders.js';
import { ServerTable } from '../view/server-table.js';

useStyle(import.meta.url);

export class ServersView extends ServerTable {
  /** @type {ServerColumn[]} */ columns = [
    { id: 'state', title: 'State', cell: (cell) => {
      const symbol = h('span', { class: 'symbol', 'aria-hidden': 'true' });
      const word = h('span');
      cell.append(h('span', { class: 'server-state' }, symbol, word));
      return (server) => {
        setText(symbol, SERVER_SYMBOLS[server.state]);
        setText(word, server.liveness === 'absent' ? 'OFF, expected' : server.state);
        cell.title = plain(server.why ?? '');
      };
    } },
    { id: 'class', title: 'Class', cell: text((server) => server.server_class) },
    { id: 'id', title: 'ID', cell: text((server) => server.server_id) },
    { id: 'host', title: 'Host', cell: text((server) => plain(server.host ?? ''), about) },
    { id: 'address', title: 'Address', cell: text((server) => plain(server.address ?? '')) },
    { id: 'slots', title: 'Slots', cell: text(slots) },
    { id: 'doing', title: 'What it is doing', cell: text((server) => this.#doing(server), (server) => (server.busy ?? []).map(plain).join('\n')) },
    { id: 'seen', title: 'Last seen', cell: text(
      (server) => (server.last_seen_at ? `${age(this.app.now() - server.last_seen_at)} ago` : 'never'),
      (server) => moment(server.last_seen_at),
    ) },
    { id: 'actions', title: '', cell: (cell, name) => this.#orders.buttons(cell, () => name) },
  ];
  #summary = h('span', { class: 'server-summary' });
  #output = new CommandOutput();
  #orders = /** @type {Orders} */ (/** @type {unknown} */ (null));

  build() {
    this.#orders = new Orders(this.app, this.#output);
    super.build();
    this.toolbar.append(this.#summary);
    this.toolbar.after(this.#output);
  }

  searched(/** @type {ServerView} */ server) {
    return `${server.server} ${server.host ?? ''} ${server.address ?? ''} ${server.state} ${server.url ?? ''} ${(server.busy ?? []).join(' ')}`.toLowerCase();
  }

  inputs(/** @type {ServerView} */ server) {
    const { shot } = this.app;
    return [server, Math.floor(this.app.now()), ...this.#orders.inputs(), shot, shot?.generation];
  }

  draw() {
    super.draw();
    const { servers } = this.app;
    setText(this.#summary, Object.entries(servers.counts()).filter(([, count]) => count).map(([state, count]) => `${count} ${state}`).join('   '));
    setText(this.empty, servers.byName.size > 0 ? 'No server fits the search.' : 'No action server is known.');
  }

  /** @param {ServerView} server */
  #doing(server) {
    const busy = server.busy ?? [];
    const names = busy.map((text) => plain(this.#busyName(text)));
    const shown = names.slice(0, 3).join(', ') + (names.length > 3 ? ` and ${names.length - 3} more` : '');
    const why = server.state === 'ON' ? '' : plain(server.why ?? '');
    return [shown, why, plain(server.trouble ?? '')].filter(Boolean).join(' · ') || (server.state === 'ON' ? 'idle' : '');
  }

  /** Return an action's name for `TREE/SHOT PATH`; with its shot where that is not the shown one. @param {string} text */
  #busyName(text) {
    const { shot } = this.app;
    const [name, path] = [text.slice(0, text.indexOf(' ')), text.slice(text.indexOf(' ') + 1)];
    if (!shot || name !== shot.name) return text;
    return shot.byPath.get(path)?.view.name || path;
  }
}

/**
 * Return what makes a cell with nothing but a text.
 * @param {(server: ServerView) => string} words
 * @param {(server: ServerView) => string} [title]
 * @returns {ServerColumn['cell']}
 */
function text(words, title) {
  return (cell) => (server) => {
    setText(cell, words(server));
    if (title) cell.title = title(server);
  };
}

/** @param {ServerView} server */
function about(server) {
  const parts = [
    server.pid && `process ${server.pid}`,
    server.version && `version ${server.version}`,
    server.started_at && `started ${moment(server.started_at)}`,
    server.url && `mdsip server ${plain(server.url)}`,
  ];
  return parts.filter(Boolean).join(', ');
}

/** @param {ServerView} server */
function slots(server) {
  if (!server.slots) return '';
  const busy = (server.busy ?? []).length;
  const parts = [`${Math.min(busy, server.slots)} of ${server.slots}`];
  if (server.stuck) parts.push(`${server.stuck} STUCK`);
  if (server.broken) parts.push(`${server.broken} BROKEN`);
  return parts.join(', ');
}

customElements.define('tab-servers', ServersView);
