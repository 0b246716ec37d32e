/**
 * The buttons for one server: the commands that it is given itself, and what the site's script does.
 */

/** @import {App} from '../view/app.js' */
/** @import {Button} from '../model/verbs.js' */
/** @import {CommandOutput} from '../view/command-output.js' */
/** @import {ServerView} from '../model/types.js' */
import { BUTTONS } from '../model/verbs.js';
import { duration } from '../model/format.js';
import { plain } from '../model/words.js';
import { post } from '../view/api.js';
import { run } from '../view/commands.js';
import { ask } from '../view/dialog.js';
import { h } from '../view/dom.js';

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

/** Gives one server its orders. */
export class Orders {
  /** @param {App} app @param {CommandOutput} output where the script's output goes */
  constructor(app, output) {
    this.app = app;
    this.output = output;
  }

  /** Return what the buttons are made of beside their server. */
  inputs() {
    return BESIDE.map((kind) => this.#may(kind));
  }

  /**
   * Make the buttons of a server; return what draws them.
   * @param {HTMLElement} cell
   * @param {() => string} nameOf
   * @returns {(server: ServerView) => void}
   */
  buttons(cell, nameOf) {
    cell.classList.add('row-actions');
    const buttons = BESIDE.map((kind) => {
      const button = h('button', { class: 'small', title: kind.title, onclick: () => void this.#do(nameOf(), kind) }, kind.text);
      cell.append(button);
      return { kind, button };
    });
    return ({ state }) => {
      for (const { kind, button } of buttons) button.disabled = !this.#may(kind) || !kind.states.includes(state);
    };
  }

  /** The site's script is for whoever may end a server. @param {Button} kind */
  #may(kind) {
    return this.app.may(SCRIPT.includes(kind) ? 'server_quit' : kind.verb);
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
    this.output.show(line, 'runs …', '', true);
    const { status, data } = await post('server_command', {
      server_class: server.server_class,
      command,
      server_id: server.server_id,
    });
    if (status === 200) {
      const ran = plain((data.arguments ?? [line]).join(' '));
      const how = data.timed_out ? 'ended at its time limit' : `exit code ${data.exit_code}, ${duration(data.duration_s)}`;
      this.output.show(ran, how, String(data.output ?? '') || '(no output)', data.exit_code === 0);
    } else {
      this.output.show(line, 'refused', typeof data === 'string' ? data : String(data?.message ?? status), false);
    }
  }
}
