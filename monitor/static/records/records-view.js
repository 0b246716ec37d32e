/** The view Records of the data: those of one state, volume or group, as far as a page can hold them. */

/** @import {RecordView} from '../model/types.js' */
import { VOLUMES } from '../model/ledger.js';
import { plain } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Inputs, Part } from '../view/part.js';
import { redrive, takeOff } from './acts.js';
import { Reader } from './reader.js';
import { RecordTable } from './table.js';
import { STATES, many } from './words.js';

/** So many records are read, the oldest first. */
const RECORDS_MAX = 10_000;

/** @type {[string, string][]} */
const SHOWN = [['', 'All'], ...Object.entries(STATES).map(([state, { word }]) => /** @type {[string, string]} */ ([state, word[0].toUpperCase() + word.slice(1)]))];

export class RecordsView extends Part {
  #table = /** @type {RecordTable} */ (document.createElement('record-table'));
  /** @type {Reader<RecordView>} */ #reader = new Reader(() => this.app.changed(), RECORDS_MAX);
  #find = h('input', { type: 'search', placeholder: 'Search records   /', 'aria-label': 'search records' });
  #states = SHOWN.map(([state, text]) => ({ state, button: h('button', { 'aria-pressed': 'false', onclick: () => this.app.filter({ state }) }, text) }));
  #volume = h('select', { 'aria-label': 'volume', onchange: () => this.app.filter({ volume: this.#volume.value }) });
  #group = h('select', { 'aria-label': 'group of consumers', onchange: () => this.app.filter({ group: this.#group.value }) });
  #count = h('span', { class: 'count' });
  #chosen = h('strong', { class: 'data-chosen' });
  #redrive = h('button', { class: 'small', onclick: () => void this.#done(redrive(this.#table.chosen)) }, 'Redrive');
  #off = h('button', { class: 'small', onclick: () => void this.#done(takeOff(files(this.#table.chosen))) }, 'Take off …');
  #selection = h('div', { class: 'sub-selection', role: 'group', 'aria-label': 'selected records' }, this.#chosen, this.#redrive, this.#off,
    h('button', { class: 'small', onclick: () => this.#table.selectAll() }, 'Select all shown'),
    h('button', { class: 'small quiet', onclick: () => this.#table.clear() }, 'Clear'));
  #offered = new Inputs();

  build() {
    this.#table.app = this.app;
    this.#find.addEventListener('input', () => this.app.go({ find: this.#find.value }));
    this.append(
      h('div', { class: 'toolbar' }, this.#find, h('div', { class: 'segments', role: 'group', 'aria-label': 'states' }, ...this.#states.map(({ button }) => button)),
        this.#volume, this.#group, this.#count),
      this.#table, this.#selection);
  }

  draw() {
    const { app } = this;
    const ledger = app.of(VOLUMES);
    const { find } = app.route;
    if (this.#find.value !== find) this.#find.value = find;
    this.#table.search = find;
    const { state = '', volume = '', group = '' } = app.route.filters;
    if (this.#offered.changed(names(ledger.volumes.map((one) => one.volume), volume), names(ledger.groups.map((one) => one.group), group), volume, group)) {
      offer(this.#volume, 'all volumes', ledger.volumes.map((one) => one.volume), volume);
      offer(this.#group, 'all groups', ledger.groups.map((one) => one.group), group);
    }
    for (const one of this.#states) setAttribute(one.button, 'aria-pressed', String(one.state === state));
    const wanted = { state: state || undefined, volume: volume || undefined, group: group || undefined };
    this.#reader.look('records/list', wanted, ({ records = [] }) => records, ledger.changes, app.feed.connected);
    this.#table.rows = this.#reader.rows;
    this.#table.none = this.#reader.problem || (this.#reader.known ? `No record ${state ? `is ${state}` : 'is held: all are done'}.` : 'reading …');
    this.#table.draw();
    const { shown, all } = this.#table.count;
    const read = this.#reader.more ? `the oldest ${all}` : String(all);
    setText(this.#count, this.#reader.problem || (shown === all ? read : `${shown} of ${read}`));
    this.#drawSelection();
  }

  #drawSelection() {
    const { chosen, ticked } = this.#table;
    this.#selection.hidden = chosen.length === 0;
    const dead = chosen.filter(({ state }) => state === 'dead').length;
    setText(this.#chosen, ticked > 0 ? `${ticked} selected` : plain(chosen[0]?.path ?? ''));
    setText(this.#redrive, dead > 1 ? `Redrive ${dead}` : 'Redrive');
    this.#redrive.disabled = dead === 0 || !this.app.may('records_redrive');
    setText(this.#off, `Take ${many(files(chosen).length, 'file')} off …`);
    this.#off.disabled = !this.app.may('records_remove');
  }

  /** @param {Promise<void>} act */
  async #done(act) {
    await act;
    this.#reader.forget();
  }

  restyle() {
    this.#table.restyle();
  }

  focusSearch() {
    this.#find.focus();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    this.#table.key(event);
  }
}

/** Return the files that records are of. @param {RecordView[]} records */
function files(records) {
  return [...new Map(records.map(({ volume, path }) => [`${volume}/${path}`, { volume, path }])).values()];
}

/** @param {string[]} known @param {string} chosen */
function names(known, chosen) {
  return [...known, chosen].join('\n');
}

/** @param {HTMLSelectElement} select @param {string} all @param {string[]} known @param {string} chosen */
function offer(select, all, known, chosen) {
  const listed = chosen && !known.includes(chosen) ? [...known, chosen] : known;
  select.replaceChildren(h('option', { value: '' }, all), ...listed.map((value) => h('option', { value }, plain(value))));
  select.value = chosen;
}

customElements.define('records-view', RecordsView);
