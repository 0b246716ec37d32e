/**
 * The tab Servers: every action server, and what can be done with it.
 */

/** @import {App} from './app.js' */
/** @import {ServerView} from '../model/types.js' */
import { SERVER_SYMBOLS, age, duration, moment, plain } from '../model/words.js';
import { post } from './api.js';
import { run } from './commands.js';
import { ask } from './dialog.js';
import { h, setAttribute, setText } from './dom.js';
import { Seen } from './seen.js';

const HEADS = ['State', 'Class', 'ID', 'Host', 'Address', 'Slots', 'What it is doing', 'Last seen', ''];

/** What each button does. Start, Restart and Kill are `shotline up`'s or the site's script's; Quit and Stop ours. */
const BUTTONS = /** @type {const} */ ([
  ['Start', 'START', 'start it, by `shotline up` or the site’s script'],
  ['Stop', 'server_stop', 'end it when its work is done'],
  ['Restart', 'RESTART', 'end it and start it anew, by `shotline up` or the site’s script'],
  ['Quit', 'server_quit', 'end it at once; what it runs is aborted'],
  ['Kill', 'KILL', 'kill its process, by `shotline up` or the site’s script'],
]);

/**
 * @typedef {object} Drawn
 * @property {HTMLTableRowElement} row
 * @property {HTMLElement[]} cells
 * @property {HTMLElement} symbol
 * @property {HTMLElement} word
 * @property {Map<string, HTMLButtonElement>} buttons
 * @property {ServerView|null} server as it was drawn
 * @property {string} key what else it was drawn with
 */

export class TabServers extends HTMLElement {
  /** @type {App} */ app = /** @type {any} */ (null);
  #find = h('input', { type: 'search', placeholder: 'Search servers   /', 'aria-label': 'search servers' });
  #summary = h('span', { class: 'server-summary' });
  #body = h('tbody');
  #empty = h('p', { class: 'empty' });
  #output = h('div', { class: 'command-reply', hidden: true });
  /** @type {Map<string, Drawn>} */ #drawn = new Map();
  #order = '';
  #seen = new Seen(() => this.app.changed());

  connectedCallback() {
    if (this.childElementCount > 0) return;
    this.#find.addEventListener('input', () => this.app.changed());
    const heads = HEADS.map((head) => h('th', {}, head));
    this.append(
      h('div', { class: 'toolbar' }, this.#find, this.#summary),
      this.#output,
      h('div', { class: 'plain-scroll' },
        h('table', { class: 'plain-table servers' }, h('thead', {}, h('tr', {}, ...heads)), this.#body),
        this.#empty),
    );
  }

  /** Take a key of the page's: there is none here. */
  key() {}

  focusSearch() {
    this.#find.focus();
  }

  restyle() {}

  draw() {
    const { servers } = this.app;
    const text = this.#find.value.trim().toLowerCase();
    const shown = servers.sorted().filter((server) => !text || searched(server).includes(text));
    const order = shown.map((server) => server.server).join('\n');
    for (const server of shown) {
      if (!this.#drawn.has(server.server)) this.#drawn.set(server.server, this.#create(server));
    }
    if (order !== this.#order) {
      this.#order = order;
      this.#body.replaceChildren(...shown.map((server) => /** @type {Drawn} */ (this.#drawn.get(server.server)).row));
      for (const [name, { row }] of this.#drawn) {
        if (servers.byName.has(name)) continue;
        this.#drawn.delete(name);
        this.#seen.leave(row);
      }
    }
    const may = this.app.mayChange && this.app.feed.connected;
    const key = `${Math.floor(this.app.now())} ${may}`;
    for (const server of shown) {
      const drawn = /** @type {Drawn} */ (this.#drawn.get(server.server));
      if ((drawn.server === server && drawn.key === key) || !this.#seen.has(drawn.row)) continue;
      drawn.server = server;
      drawn.key = key;
      this.#update(drawn, server, may);
    }
    const counts = servers.counts();
    setText(this.#summary, Object.entries(counts).filter(([, count]) => count).map(([state, count]) => `${count} ${state}`).join('   '));
    this.#empty.hidden = shown.length > 0;
    setText(this.#empty, servers.byName.size > 0 ? 'No server fits the search.' : 'No action server is known.');
  }

  /** @param {ServerView} server @returns {Drawn} */
  #create(server) {
    const symbol = h('span', { class: 'symbol', 'aria-hidden': 'true' });
    const word = h('span');
    const cells = HEADS.slice(0, -1).map((head) => h('td', { 'data-head': head }));
    cells[0].append(h('span', { class: 'server-state' }, symbol, word));
    /** @type {Map<string, HTMLButtonElement>} */
    const buttons = new Map();
    const last = h('td', { class: 'row-actions' });
    for (const [text, verb, title] of BUTTONS) {
      const button = h('button', { class: 'small', title, onclick: () => void this.#do(server.server, text, verb) }, text);
      buttons.set(text, button);
      last.append(button);
    }
    const row = h('tr', { 'data-server': server.server }, ...cells, last);
    this.#seen.watch(row);
    return { row, cells, symbol, word, buttons, server: null, key: '' };
  }

  /** @param {Drawn} drawn @param {ServerView} server @param {boolean} may */
  #update(drawn, server, may) {
    const state = server.state;
    const { cells } = drawn;
    setAttribute(drawn.row, 'class', `server-${state}`);
    setText(drawn.symbol, SERVER_SYMBOLS[state]);
    setText(drawn.word, server.liveness === 'absent' ? 'OFF, expected' : state);
    cells[0].title = plain(server.why ?? '');
    setText(cells[1], server.server_class);
    setText(cells[2], server.server_id);
    setText(cells[3], plain(server.host ?? ''));
    cells[3].title = about(server);
    setText(cells[4], plain(server.address ?? ''));
    setText(cells[5], slots(server));
    setText(cells[6], this.#doing(server));
    cells[6].title = (server.busy ?? []).map(plain).join('\n');
    setText(cells[7], server.last_seen_at ? `${age(this.app.now() - server.last_seen_at)} ago` : 'never');
    cells[7].title = moment(server.last_seen_at);
    const on = state !== 'OFF';
    for (const [text, button] of drawn.buttons) {
      button.disabled = !may || (text === 'Start' ? on : text === 'Stop' || text === 'Quit' ? !on : false);
    }
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

  /** @param {string} name @param {string} text @param {string} verb */
  async #do(name, text, verb) {
    const server = this.app.servers.byName.get(name);
    if (!server) return;
    const busy = (server.busy ?? []).map(plain);
    const ends = busy.length > 0 && verb !== 'START' && verb !== 'server_stop';
    const sure = verb === 'START' || (await ask({
      title: `${text} ${name}${server.host ? ` on ${server.host}` : ''}?`,
      text: ends ? 'It is running what follows, which will be aborted:' : verb === 'server_stop' ? 'It ends when its work is done.' : '',
      items: ends ? busy : [],
      yes: text,
    }));
    if (!sure) return;
    if (verb === 'server_stop' || verb === 'server_quit') await run(`${text} ${name}`, verb, { server: name });
    else await this.#script(server, verb);
  }

  /** @param {ServerView} server @param {string} command */
  async #script(server, command) {
    const line = `${command.toLowerCase()} ${server.server}`;
    this.#show(line, 'runs …', '', true);
    const { status, data } = await post('server_command', {
      server_class: server.server_class,
      command,
      server_id: server.server_id,
    });
    if (status === 200) {
      const ran = (data.arguments ?? [line]).join(' ');
      const how = data.timed_out ? 'ended at its time limit' : `exit code ${data.exit_code}, ${duration(data.duration_s)}`;
      this.#show(ran, how, String(data.output ?? ''), data.exit_code === 0);
    } else {
      this.#show(line, 'refused', typeof data === 'string' ? data : String(data?.message ?? status), false);
    }
  }

  /**
   * @param {string} line
   * @param {string} how
   * @param {string} output
   * @param {boolean} good
   */
  #show(line, how, output, good) {
    const close = h('button', { class: 'small quiet', onclick: () => (this.#output.hidden = true) }, 'Close');
    this.#output.replaceChildren(
      h('header', {}, h('code', {}, plain(line)), h('span', { class: good ? 'good' : 'bad' }, how), close),
      h('pre', { tabIndex: 0 }, output.split('\n').map(plain).join('\n') || (how === 'runs …' ? '' : '(no output)')),
    );
    this.#output.hidden = false;
  }
}

/** @param {ServerView} server */
function searched(server) {
  return `${server.server} ${server.host ?? ''} ${server.address ?? ''} ${server.state} ${server.url ?? ''} ${(server.busy ?? []).join(' ')}`.toLowerCase();
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

customElements.define('tab-servers', TabServers);
