/**
 * The tab Servers: every action server, and what can be done with it.
 */

/** @import {App} from '../view/app.js' */
/** @import {Button} from '../model/verbs.js' */
/** @import {ServerView} from '../model/types.js' */
/** @import {ServerColumn} from '../view/server-table.js' */
import { BUTTONS } from '../model/verbs.js';
import { SERVERS } from '../model/system.js';
import { age, duration, moment } from '../model/format.js';
import { SERVER_SYMBOLS, plain } from '../model/words.js';
import { post } from '../view/api.js';
import { run } from '../view/commands.js';
import { CommandOutput } from '../view/command-output.js';
import { ask } from '../view/dialog.js';
import { h, setText } from '../view/dom.js';
import { ServerTable } from '../view/server-table.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

const ALL = ['ON', 'SUSPECT', 'DRAINING', 'OFF'];

/**
 * What the site's script does, between the buttons for commands.
 * @type {Button[]}
 */
const SCRIPT = [
  script(1, 'Start', 'START', 'start it by the site’s script', ['OFF'], ''),
  script(3, 'Restart', 'RESTART', 'kill and start it anew by the site’s script', ALL, 'Restart {}?'),
  script(5, 'Kill', 'KILL', 'kill its process by the site’s script', ALL, 'Kill {}?'),
];
const BESIDE = [...BUTTONS.filter(({ beside }) => beside === 'server'), ...SCRIPT].sort((one, other) => one.place - other.place);

/**
 * @param {number} place
 * @param {string} text
 * @param {string} verb
 * @param {string} title
 * @param {string[]} states
 * @param {string} question
 * @returns {Button}
 */
function script(place, text, verb, title, states, question) {
  return { verb, beside: 'server', place, text, title, states, question, says: '', aborts: true };
}

export class TabServers extends ServerTable {
  static id = 'servers';
  static title = 'Servers';
  static channels = [SERVERS];

  /** How many servers are not as they should be. @param {App} app */
  static note(app) {
    const { OFF, SUSPECT } = app.servers.counts();
    return OFF + SUSPECT > 0 ? String(OFF + SUSPECT) : null;
  }

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
    { id: 'actions', title: '', cell: (cell, name) => this.#buttons(cell, name) },
  ];
  #summary = h('span', { class: 'server-summary' });
  #output = new CommandOutput();

  build() {
    super.build();
    this.toolbar.append(this.#summary);
    this.toolbar.after(this.#output);
  }

  /** The site's script is for whoever may end a server. @param {Button} kind */
  #may(kind) {
    return this.app.may(SCRIPT.includes(kind) ? 'server_quit' : kind.verb);
  }

  searched(/** @type {ServerView} */ server) {
    return `${server.server} ${server.host ?? ''} ${server.address ?? ''} ${server.state} ${server.url ?? ''} ${(server.busy ?? []).join(' ')}`.toLowerCase();
  }

  inputs(/** @type {ServerView} */ server) {
    const { shot } = this.app;
    const may = BESIDE.map((kind) => this.#may(kind));
    return [server, Math.floor(this.app.now()), ...may, shot, shot?.generation];
  }

  draw() {
    super.draw();
    const { servers } = this.app;
    setText(this.#summary, Object.entries(servers.counts()).filter(([, count]) => count).map(([state, count]) => `${count} ${state}`).join('   '));
    setText(this.empty, servers.byName.size > 0 ? 'No server fits the search.' : 'No action server is known.');
  }

  /** @param {HTMLElement} cell @param {string} name @returns {(server: ServerView) => void} */
  #buttons(cell, name) {
    cell.classList.add('row-actions');
    const buttons = BESIDE.map((kind) => {
      const button = h('button', { class: 'small', title: kind.title, onclick: () => void this.#do(name, kind) }, kind.text);
      cell.append(button);
      return { kind, button };
    });
    return ({ state }) => {
      for (const { kind, button } of buttons) button.disabled = !this.#may(kind) || !kind.states.includes(state);
    };
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

  /** @param {string} name @param {Button} kind */
  async #do(name, kind) {
    const server = this.app.servers.byName.get(name);
    if (!server) return;
    const { verb, text, question, says } = kind;
    if (question) {
      const busy = kind.aborts ? (server.busy ?? []).map(plain) : [];
      const target = `${name}${server.host ? ` on ${server.host}` : ''}`;
      const words = busy.length > 0 ? 'It is running what follows, which will be aborted:' : says;
      if (!(await ask({ title: question.replace('{}', target), text: words, items: busy, yes: text }))) return;
    }
    if (SCRIPT.includes(kind)) await this.#script(server, verb);
    else await run(`${text} ${name}`, verb, { server: name });
  }

  /** @param {ServerView} server @param {string} command */
  async #script(server, command) {
    const line = plain(`${command.toLowerCase()} ${server.server}`);
    this.#output.show(line, 'runs …', '', true);
    const { status, data } = await post('server_command', {
      server_class: server.server_class,
      command,
      server_id: server.server_id,
    });
    if (status === 200) {
      const ran = plain((data.arguments ?? [line]).join(' '));
      const how = data.timed_out ? 'ended at its time limit' : `exit code ${data.exit_code}, ${duration(data.duration_s)}`;
      this.#output.show(ran, how, String(data.output ?? '') || '(no output)', data.exit_code === 0);
    } else {
      this.#output.show(line, 'refused', typeof data === 'string' ? data : String(data?.message ?? status), false);
    }
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
