/**
 * The tab Alarms: what is latched until somebody acknowledges it, what is new since one looked, and
 * how the page calls whoever does not look.
 */

/** @import {App} from '../view/app.js' */
/** @import {Alarm} from '../model/types.js' */
import { troubleOf } from '../model/trouble.js';
import { command } from '../view/api.js';
import { tell } from '../view/commands.js';
import { askFor } from '../view/dialog.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Inputs } from '../view/part.js';
import { Tab } from '../view/tab.js';
import { useStyle } from '../view/style.js';
import { Alerts } from './alert.js';
import { ALARMS, isActive, isNew, isShelved } from './board.js';
import { Looked } from './looked.js';
import { AlarmRow } from './row.js';
import { fits } from './words.js';

useStyle(import.meta.url);

const SHOWN_MAX = 200;
const SPAN = /^(\d{1,5})([mh])$/;

/** @type {{name: string, title: string, has: (alarm: Alarm, looked: Looked) => boolean}[]} */
const VIEWS = [
  { name: '', title: 'To acknowledge', has: isNew },
  { name: 'new', title: 'New since I looked', has: (alarm, looked) => looked.isNew(alarm.number) },
  { name: 'active', title: 'Active', has: isActive },
  { name: 'shelved', title: 'Shelved', has: isShelved },
  { name: 'all', title: 'All', has: () => true },
];

export class TabAlarms extends Tab {
  static id = 'alarms';
  static title = 'Alarms';
  static channels = [ALARMS];
  /** @type {[string, string][]} */
  static keys = [['a', 'acknowledge what is chosen, or all that is shown']];

  /** @param {App} app */
  static note(app) {
    const count = TabAlarms.count(app);
    return count ? String(count) : null;
  }

  /** @param {App} app */
  static isUrgent(app) {
    return app.of(ALARMS).grave || away(app) !== null;
  }

  /** @param {App} app */
  static count(app) {
    return app.of(ALARMS).calling + (away(app) === null ? 0 : 1);
  }

  #alerts = /** @type {Alerts} */ (/** @type {unknown} */ (null));
  #looked = /** @type {Looked} */ (/** @type {unknown} */ (null));
  /** @type {Set<number>} */ #chosen = new Set();
  /** @type {Map<number, AlarmRow>} */ #rows = new Map();
  /** @type {Alarm[]} */ #shown = [];
  #made = new Inputs();
  #find = h('input', { type: 'search', placeholder: 'Find an alarm   /', 'aria-label': 'find an alarm', autocomplete: 'off' });
  #views = VIEWS.map(({ name, title }) => ({ name, title, button: h('button', { 'aria-pressed': 'false', onclick: () => this.#view(name) }, title) }));
  #ack = h('button', { class: 'primary', onclick: () => this.#acknowledge(this.#meant()) });
  #seen = h('button', { class: 'quiet', onclick: () => this.#looked.seen() }, 'All seen');
  #tone = h('input', { type: 'checkbox', onchange: () => this.#alerts.useTone(this.#tone.checked) });
  #toneSays = h('span');
  #desktop = h('input', { type: 'checkbox', onchange: () => void this.#useDesktop() });
  #away = h('p', { class: 'alarm-away', role: 'status', hidden: true });
  #list = h('ol', { class: 'alarm-list', 'aria-label': 'alarms' });
  #empty = h('p', { class: 'empty' });

  build() {
    this.#alerts = new Alerts(this.app);
    this.#looked = new Looked(this.app);
    this.#find.addEventListener('input', () => this.app.go({ find: this.#find.value }));
    this.append(
      h('div', { class: 'toolbar' },
        this.#find,
        h('div', { class: 'segments', role: 'group', 'aria-label': 'which alarms' }, ...this.#views.map(({ button }) => button)),
        this.#ack, this.#seen,
        h('label', { class: 'tick' }, this.#tone, this.#toneSays),
        h('label', { class: 'tick' }, this.#desktop, 'Desktop notification')),
      this.#away,
      h('div', { class: 'alarm-scroll', tabIndex: 0, role: 'region', 'aria-label': 'list of alarms' }, this.#list, this.#empty));
    this.app.addEventListener('change', () => {
      if (this.hidden) this.#looked.look(false);
    });
    this.fromRoute();
  }

  fromRoute() {
    if (this.#find.value !== this.app.route.find) this.#find.value = this.app.route.find;
  }

  focusSearch() {
    this.#find.focus();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== 'a' || this.#ack.disabled) return;
    event.preventDefault();
    this.#acknowledge(this.#meant());
  }

  /** @param {string} name */
  #view(name) {
    this.app.go({ filters: { ...this.app.route.filters, view: name } });
  }

  draw() {
    const { app } = this;
    const board = app.of(ALARMS);
    this.#looked.look(document.visibilityState === 'visible');
    this.#drawTools();
    const { find, filters } = app.route;
    const may = app.may('alarms_ack');
    if (!this.#made.changed(board.version, find, filters.view, may, this.#looked.since, [...this.#chosen].join())) return;
    const view = VIEWS.find(({ name }) => name === (filters.view ?? '')) ?? VIEWS[0];
    const words = find.trim().toLowerCase();
    const all = board.sorted();
    this.#chosen = new Set([...this.#chosen].filter((number) => board.alarms.has(number)));
    this.#shown = all.filter((one) => view.has(one, this.#looked) && fits(one, words));
    for (const { name, title, button } of this.#views) {
      const has = VIEWS.find((one) => one.name === name)?.has ?? isNew;
      const count = all.filter((one) => has(one, this.#looked)).length;
      setText(button, `${title} ${count}`);
      setAttribute(button, 'aria-pressed', String(name === view.name));
    }
    this.#drawRows(may);
    const many = this.#meant().length;
    setText(this.#ack, this.#chosen.size > 0 ? `Acknowledge ${many} chosen` : `Acknowledge all ${many} shown`);
    this.#ack.disabled = !may || many === 0;
    const more = this.#shown.length - SHOWN_MAX;
    const none = words || view.name ? 'No alarm is as wanted.' : 'Nothing is to be acknowledged.';
    setText(this.#empty, more > 0 ? `… and ${more} more: look for them by a word, or acknowledge` : none);
    this.#empty.hidden = this.#shown.length > 0 && more <= 0;
    this.#seen.hidden = view.name !== 'new' || this.#shown.length === 0;
  }

  #drawTools() {
    this.#tone.checked = this.#alerts.hasTone;
    setText(this.#toneSays, this.#alerts.isMute ? 'Tone (touch the page to let it sound)' : 'Tone');
    this.#desktop.checked = this.#alerts.hasDesktop;
    const trouble = away(this.app);
    this.#away.hidden = trouble === null;
    setText(this.#away, trouble === null ? '' : `${trouble} What is listed is what was known before.`);
  }

  /** @param {boolean} may */
  #drawRows(may) {
    const shown = this.#shown.slice(0, SHOWN_MAX);
    const there = new Set(shown.map((one) => one.number));
    for (const [number, row] of this.#rows) {
      if (there.has(number)) continue;
      row.element.remove();
      this.#rows.delete(number);
    }
    shown.forEach((alarm, index) => {
      const row = this.#rows.get(alarm.number) ?? this.#newRow(alarm.number);
      row.draw(alarm, { chosen: this.#chosen.has(alarm.number), fresh: this.#looked.isNew(alarm.number), may });
      if (this.#list.children[index] !== row.element) this.#list.insertBefore(row.element, this.#list.children[index] ?? null);
    });
  }

  /** @param {number} number */
  #newRow(number) {
    const row = new AlarmRow(this.app, {
      choose: (one, on) => {
        if (on) this.#chosen.add(one);
        else this.#chosen.delete(one);
        this.app.changed();
      },
      acknowledge: (numbers) => this.#acknowledge(numbers),
      shelve: (alarm) => void this.#shelve(alarm),
    });
    this.#rows.set(number, row);
    return row;
  }

  /** Return what is to be acknowledged: what is chosen, else all that is shown. */
  #meant() {
    const meant = this.#chosen.size > 0 ? this.#shown.filter((one) => this.#chosen.has(one.number)) : this.#shown.slice(0, SHOWN_MAX);
    return meant.filter(isNew).map((one) => one.number);
  }

  /** @param {number[]} numbers */
  #acknowledge(numbers) {
    if (numbers.length > 0) void this.#ask(numbers);
  }

  /** @param {number[]} numbers */
  async #ask(numbers) {
    const board = this.app.of(ALARMS);
    const items = numbers.map((number) => board.alarms.get(number)?.about ?? '');
    const title = numbers.length === 1 ? `Acknowledge ${items[0]}?` : `Acknowledge ${numbers.length} alarms?`;
    const said = await askFor({
      title,
      text: 'You have seen it, and see to it. Everybody sees your name and your note.',
      items: numbers.length === 1 ? [] : items,
      fields: [{ name: 'note', label: 'Note', placeholder: 'what was seen or done' }],
      yes: 'Acknowledge',
    });
    if (said === null) return;
    const answer = await command('alarms_ack', { numbers, note: said.note ?? '' });
    tell('Acknowledge', answer);
    this.#chosen.clear();
    this.app.changed();
  }

  /** @param {Alarm} alarm */
  async #shelve(alarm) {
    if (isShelved(alarm)) {
      tell('Unshelve', await command('alarms_shelve', { numbers: [alarm.number], for_s: 0 }));
      return;
    }
    const said = await askFor({
      title: `Shelve ${alarm.about}?`,
      text: 'It stays in the list and calls nobody until then.',
      fields: [
        { name: 'time', label: 'For how long, as 30m or 2h', value: '30m', required: true },
        { name: 'reason', label: 'Why', required: true },
      ],
      yes: 'Shelve',
    });
    if (said === null) return;
    const found = SPAN.exec(said.time.trim());
    if (!found) {
      tell('Shelve', { status: 0, outcome: 'usage', message: 'say for how long as 30m or 2h', notices: [], dangers: [], result: null, fields: [] });
      return;
    }
    const seconds = Number(found[1]) * (found[2] === 'h' ? 3600 : 60);
    tell('Shelve', await command('alarms_shelve', { numbers: [alarm.number], for_s: seconds, reason: said.reason }));
  }

  async #useDesktop() {
    const why = await this.#alerts.useDesktop(this.#desktop.checked);
    if (why) tell('Desktop notification', { status: 0, outcome: 'refused', message: why, notices: [], dangers: [], result: null, fields: [] });
    this.app.changed();
  }
}

/** Return who does not answer, in words; null: all do. @param {App} app */
function away(app) {
  const { feed, system } = app;
  const trouble = troubleOf(system, { connected: feed.connected, lostAt: feed.lostAt, running: [] });
  return trouble === null || app.live ? null : trouble.what;
}
