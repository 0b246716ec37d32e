/** Maintenance windows, and the fleet that is expected beside the one that is there. */

/** @import {FleetExpectedResult, ServerView, WindowView} from '../model/types.js' */
/** @import {Giver} from './actions.js' */
import { moment, when } from '../model/format.js';
import { plain } from '../model/words.js';
import { get } from '../view/api.js';
import { ask, askFor } from '../view/dialog.js';
import { download, h, setText } from '../view/dom.js';
import { flag } from '../view/flag.js';
import { Inputs, Part } from '../view/part.js';
import { useStyle } from '../view/style.js';
import { selectWords, serverAddress, settingsWords, windowWords } from './words.js';

useStyle(import.meta.url);

const ASKED_EVERY_MS = 2000;

export class PlansView extends Part {
  /** @type {Giver} */ giver = /** @type {any} */ (null);
  /** The servers that are selected in the overview. @type {() => ServerView[]} */ chosen = () => [];
  #windows = h('ul', { class: 'windows' });
  #add = h('button', { onclick: () => void this.#addWindow() }, 'Plan a window …');
  #expected = h('p', { class: 'expected-about' });
  #keep = h('button', { onclick: () => void this.#expect() }, 'Expect what is there now …');
  #save = h('button', { onclick: () => this.#saveFile() }, 'Save as a file');
  #differences = h('table', { class: 'differences' });
  /** @type {FleetExpectedResult|null} */ #result = null;
  #made = new Inputs();
  #asked = new Inputs();
  #drawn = new Inputs();

  build() {
    this.append(h('div', { class: 'fleet-plans' },
      h('section', { 'aria-label': 'maintenance windows' }, h('header', {}, h('h2', {}, 'Maintenance windows'), this.#add), this.#windows),
      h('section', { 'aria-label': 'expected fleet' }, h('header', {}, h('h2', {}, 'Expected fleet'), this.#keep, this.#save), this.#expected, this.#differences)));
  }

  draw() {
    const { app } = this;
    const windows = app.servers.fleet?.windows ?? [];
    const may = ['fleet_window', 'fleet_window_remove', 'fleet_expect'].map((verb) => app.may(verb));
    [this.#add.disabled, , this.#keep.disabled] = may.map((one) => !one);
    if (this.#made.changed(app.servers.fleet, ...may)) {
      this.#windows.replaceChildren(...windows.map((one) => this.#window(one, may[1])));
      if (windows.length === 0) this.#windows.replaceChildren(h('li', { class: 'empty' }, 'None is planned.'));
    }
    // What differs may be another thing whenever a server has changed.
    if (this.#asked.due(ASKED_EVERY_MS, app.servers.version, app.feed.connected)) void this.#ask();
    if (this.#drawn.changed(this.#result)) this.#drawExpected();
  }

  /** @param {WindowView} view @param {boolean} may */
  #window({ window, is_open: open, next_at: next, next_until: until, servers = [] }, may) {
    const state = open ? `open until ${when(until ?? 0)}` : next ? `next ${moment(next)}` : 'over';
    return h('li', { class: open ? 'is-open' : '' },
      h('div', {}, h('strong', {}, plain(window.id)), flag({ symbol: '◷', word: state, look: open ? 'limits' : 'tells' }), h('span', {}, windowWords(window))),
      h('div', { class: 'window-about' }, [selectWords(window.select), servers.length > 0 && `now ${servers.length}: ${servers.slice(0, 6).map(plain).join(', ')}${servers.length > 6 ? ' …' : ''}`, window.reason && plain(window.reason), window.by && `by ${plain(window.by)} at ${when(window.at ?? 0)}`].filter(Boolean).join(' · ')),
      h('button', { class: 'small', disabled: !may, onclick: () => void this.#remove(window.id) }, 'Remove'));
  }

  /** @param {string} id */
  async #remove(id) {
    const text = 'Servers that it keeps from working take work again.';
    if (await ask({ title: `Remove the window ${plain(id)}?`, text, yes: 'Remove' })) await this.giver.give(`Remove the window ${plain(id)}`, 'fleet_window_remove', { id });
  }

  async #addWindow() {
    const chosen = this.chosen().map(({ server }) => server);
    const soon = new Date(Math.ceil(this.app.now() / 3600) * 3_600_000);
    const local = new Date(soon.getTime() - soon.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
    const pattern = '* and ? as in file names; separated by blanks';
    const said = await askFor({
      title: 'Plan a maintenance window',
      text: 'Meanwhile the servers that are meant take nothing more.',
      fields: [
        { name: 'id', label: 'Name', placeholder: 'it gets one' },
        { name: 'servers', label: 'Servers, as CLASS:ID', value: chosen.join(' '), placeholder: pattern },
        { name: 'classes', label: 'and of these classes', placeholder: pattern },
        { name: 'hosts', label: 'and on these hosts', placeholder: pattern },
        { name: 'labels', label: 'and with these labels', placeholder: pattern },
        { name: 'begins', label: 'Begins', type: 'datetime-local', value: local, required: true },
        { name: 'minutes', label: 'For so many minutes', type: 'number', value: '60', required: true },
        { name: 'repeat', label: 'How often', type: 'choice', choices: [['once', 'Once', ''], ['daily', 'Daily', ''], ['weekdays', 'On weekdays', ''], ['weekly', 'Weekly', '']] },
        { name: 'mode', label: 'What runs when it begins', type: 'choice', choices: [['finish', 'Goes on', ''], ['now', 'Is ended', '']] },
        { name: 'reason', label: 'Why (everybody sees it)' },
      ],
      yes: 'Plan it',
    });
    if (!said) return;
    /** @param {string} text */
    const list = (text) => text.split(/[\s,]+/).filter(Boolean);
    const select = Object.fromEntries(['servers', 'classes', 'hosts', 'labels'].map((name) => [name, list(said[name])]).filter(([, given]) => given.length > 0));
    await this.giver.give('Plan a window', 'fleet_window', {
      select, begins_at: new Date(said.begins).getTime() / 1000, duration_s: 60 * Number(said.minutes),
      repeat: said.repeat, mode: said.mode, reason: said.reason,
      ...(said.id.trim() ? { id: said.id.trim() } : {}),
      ...(said.repeat === 'once' ? {} : { zone: Intl.DateTimeFormat().resolvedOptions().timeZone }),
    });
  }

  // Expected

  async #ask() {
    const { status, data } = await get('fleet_expected', {});
    if (status !== 200) return;
    this.#result = data.result ?? null;
    this.app.changed();
  }

  async #expect() {
    const { byName } = this.app.servers;
    const there = [...byName.values()].filter(({ state }) => state !== 'OFF').length;
    if (!(await ask({ title: `Expect the ${there} servers that are there now?`, text: 'As they are: hosts, slots, labels, versions, and what they are set to. What was expected before is forgotten.', yes: 'Expect them', cautious: true }))) return;
    await this.giver.give('Expect what is there now', 'fleet_expect', { servers: null });
    this.#asked.forget();
  }

  /** Save it as `shotline fleet load` reads it: each server in a line of JSON, which is YAML, too. */
  #saveFile() {
    const lines = (this.#result?.expected ?? []).map(({ server, ...about }) => `  ${JSON.stringify(server)}: ${JSON.stringify(withoutNulls(about))}\n`);
    download('fleet.yaml', `servers:\n${lines.join('')}`);
  }

  #drawExpected() {
    const { expected = [], differences = [], by, at } = this.#result ?? {};
    const who = by ? `, kept by ${plain(by)} at ${when(at ?? 0)}` : '';
    this.#save.disabled = expected.length === 0;
    setText(this.#expected, expected.length === 0 ? 'Nothing is kept of which servers are expected.'
      : `${expected.length} servers are expected${who}. ${differences.length === 0 ? 'All is as expected.' : `${differences.length} differences:`}`);
    this.#differences.hidden = differences.length === 0;
    this.#differences.replaceChildren(
      h('thead', {}, h('tr', {}, ...['Server', 'What', 'Expected', 'Found'].map((text) => h('th', { scope: 'col' }, text)))),
      h('tbody', {}, ...differences.map((one) => h('tr', {}, h('td', {}, h('a', { href: serverAddress(one.server) }, plain(one.server))), h('td', {}, one.what.replace('config_hash', 'configuration')), h('td', {}, foundWords(one.what, one.expected ?? '')), h('td', {}, foundWords(one.what, one.found ?? ''))))));
  }
}

/** Return what is expected or found; settings come as JSON. @param {string} what @param {string} text */
function foundWords(what, text) {
  if (what !== 'settings' || !text.startsWith('{')) return plain(text);
  return settingsWords(JSON.parse(text)).join('; ') || 'nothing';
}

/** Return what says something. @param {Record<string, any>} one @returns {Record<string, unknown>} */
function withoutNulls(one) {
  const said = Object.entries(one).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(said.map(([name, value]) => [name, typeof value === 'object' && !Array.isArray(value) ? withoutNulls(value) : value]));
}

customElements.define('fleet-plans', PlansView);
