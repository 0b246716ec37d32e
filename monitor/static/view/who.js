/**
 * Who looks at the page, what they may, and who has the control where one person at a time has it.
 */

import { clock } from '../model/format.js';
import { plain } from '../model/words.js';
import { command, get, placed } from './api.js';
import { ask } from './dialog.js';
import { tell } from './commands.js';
import { h, setText } from './dom.js';
import { Part } from './part.js';

/**
 * @typedef {object} Control
 * @property {string} by '': nobody
 * @property {number|null} since
 * @property {boolean} mine
 */

/** Who asks, as the monitor knows them. */
export class Who {
  user = '';
  role = '';
  /** Whether one can log in. */
  login = false;
  /** @type {string[]} */ may = [];
  /** @type {Control|null} */ control = null;

  /** Ask the monitor; who may not even look goes where one logs in. Return whether they may look. */
  async ask() {
    const { status, data } = await get('me', {});
    if (status !== 200) return true; // it is away, which is told elsewhere
    this.user = data.user ?? '';
    this.role = data.role ?? '';
    this.login = data.login ?? false;
    this.may = data.may ?? [];
    this.control = data.control ?? null;
    const may = this.may.includes('read');
    if (!may && this.login) window.location.replace(placed('login') + window.location.hash);
    return may;
  }

  get hasControl() {
    return this.control === null || this.control.mine;
  }
}

/** The part of the page's foot that names them. */
export class WhoPart extends Part {
  #name = h('span', { class: 'who-name' });
  #control = h('span', { class: 'who-control' });
  #take = h('button', { class: 'quiet small', onclick: () => void this.#takeOrGive() });
  #log = h('button', { class: 'quiet small', onclick: () => void this.#logInOrOut() });

  build() {
    this.append(this.#name, this.#log, this.#control, this.#take);
  }

  draw() {
    const { who } = this.app;
    const { control } = who;
    this.hidden = !who.user && !who.login && control === null;
    setText(this.#name, who.user && `${plain(who.user)} (${who.role})`);
    this.#log.hidden = !who.login;
    setText(this.#log, who.user ? 'Log out' : 'Log in');
    const since = control?.since ? ` since ${clock(control.since)}` : '';
    const by = control?.mine ? 'you have the control' : control?.by ? `control: ${plain(control.by)}` : 'nobody has the control';
    setText(this.#control, control ? by + (control.by ? since : '') : '');
    this.#take.hidden = control === null || !who.may.includes('command');
    setText(this.#take, control?.mine ? 'Give back' : 'Take control');
  }

  async #takeOrGive() {
    const { control } = this.app.who;
    const take = !control?.mine;
    const over = take && control?.by !== '';
    if (over && !(await ask({ title: 'Take over the control?', text: `${plain(control?.by ?? '')} has it now.`, yes: 'Take over', cautious: true }))) return;
    const answer = await command('control', { take, over });
    if (answer.status !== 200) tell('Control', answer);
    await this.app.askWho();
  }

  async #logInOrOut() {
    if (this.app.who.user) await command('logout');
    window.location.assign(placed('login') + window.location.hash);
  }
}

customElements.define('page-who', WhoPart);
