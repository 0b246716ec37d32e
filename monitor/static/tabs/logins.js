/**
 * The tab Logins: who is logged in, since when, from where, and last seen when; each can be ended.
 * For administrators, where one logs in.
 */

/** @import {App} from '../view/app.js' */
/** @import {SessionView} from '../model/types.js' */
import { age, moment } from '../model/format.js';
import { SYSTEM } from '../model/system.js';
import { plain } from '../model/words.js';
import { command, get } from '../view/api.js';
import { tell } from '../view/commands.js';
import { ask } from '../view/dialog.js';
import { h, setText } from '../view/dom.js';
import { Inputs } from '../view/part.js';
import { Tab } from '../view/tab.js';
import '../view/server-table.js'; // the style of tables

const READ_S = 10; // last seen changes without anything that tells of it

export class TabLogins extends Tab {
  static id = 'logins';
  static title = 'Logins';
  static channels = [SYSTEM];

  /** @param {App} app */
  static isFor(app) {
    return app.who.login && app.who.may.includes('administer');
  }

  #count = h('span', { class: 'count' });
  #body = h('tbody');
  #asked = new Inputs();
  #made = new Inputs();
  /** @type {SessionView[]} */ #sessions = [];
  #problem = '';

  build() {
    const heads = ['User', 'From', 'Since', 'Last seen', ''].map((text) => h('th', {}, text));
    this.append(
      h('div', { class: 'toolbar' }, this.#count),
      h('div', { class: 'plain-scroll' }, h('table', { class: 'plain-table', id: 'logins' }, h('thead', {}, h('tr', {}, ...heads)), this.#body)));
  }

  draw() {
    const now = this.app.now();
    if (this.#asked.changed(this.app.system.audited, Math.floor(now / READ_S), this.app.feed.connected)) void this.#read();
    if (this.#made.changed(this.#sessions, Math.floor(now), this.#problem)) this.#show(now);
  }

  async #read() {
    const { status, data } = await get('sessions', {});
    this.#problem = status === 200 ? '' : plain(data.message ?? 'they cannot be read now');
    if (status === 200) this.#sessions = data.sessions;
    this.app.changed();
  }

  /** @param {number} now */
  #show(now) {
    const users = new Set(this.#sessions.map((one) => one.user));
    setText(this.#count, this.#problem || `${this.#sessions.length} logins of ${users.size} users`);
    this.#body.replaceChildren(...this.#sessions.map((one) => h('tr', { 'data-user': one.user },
      h('td', {}, plain(one.user) + (one.mine ? ' (this one)' : '')),
      h('td', {}, plain(one.address)),
      h('td', {}, moment(one.began_at)),
      h('td', {}, `${age(now - one.seen_at)} ago`),
      h('td', { class: 'row-actions' }, h('button', { class: 'small danger', onclick: () => void this.#end(one) }, 'End')))));
  }

  /** @param {SessionView} one */
  async #end(one) {
    const what = `End the login of ${plain(one.user)}`;
    const text = one.mine ? 'It is your own: you log in again.' : `From ${plain(one.address)}, since ${moment(one.began_at)}.`;
    if (!(await ask({ title: `${what}?`, text, yes: 'End it', cautious: true }))) return;
    const answer = await command('end_sessions', { number: one.number });
    if (answer.status !== 200) tell(what, answer);
    await this.#read();
  }
}
