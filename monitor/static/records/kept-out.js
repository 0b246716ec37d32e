/** The view Kept out of the data: files that could not be read, and why. */

/** @import {FileKeptOut, VolumeView} from '../model/types.js' */
/** @import {GridColumn} from '../view/grid.js' */
import { VOLUMES } from '../model/ledger.js';
import { moment } from '../model/format.js';
import { plain } from '../model/words.js';
import { h, setText } from '../view/dom.js';
import { Grid, number, useColumns, words } from '../view/grid.js';
import { Part } from '../view/part.js';
import { lookAgain } from './acts.js';
import { Reader } from './reader.js';
import { fileColumn } from './table.js';
import { fileAddress, many } from './words.js';

/** @typedef {FileKeptOut & {volume: string}} Kept */

/** @type {GridColumn<Kept>[]} */
const COLUMNS = [
  words('volume', 'Volume', 90, ({ volume }) => volume, { share: 0.4, phone: '1 / 4' }),
  fileColumn(({ volume, path }) => ({ volume, path }), '1 / 2 / 2 / 4'),
  words('rule', 'Rule', 90, ({ rule }) => rule ?? '', { share: 0.4 }),
  words('why', 'Why', 240, ({ reason }) => reason, { share: 3, phone: '2 / 2 / 3 / 5' }),
  number('at', 'Since', 154, ({ at }) => at || null, { shown: moment, phone: '3 / 2 / 4 / 4' }),
];
useColumns('kept-out-table', COLUMNS);

/** @extends {Grid<Kept>} */
class KeptOutTable extends Grid {
  label = 'files that are kept out';
  one = 'file';
  columns = COLUMNS;
  /** @type {Kept[]} */ rows = [];
  none = '';

  source() {
    return this.rows;
  }

  inputs() {
    return [this.rows];
  }

  /** @param {Kept} kept */
  keyOf({ volume, path }) {
    return `${volume}/${path}`;
  }

  look() {
    return 'is-orphaned';
  }

  /** @param {boolean} any */
  emptyWords(any) {
    return any ? 'No file fits the filters.' : this.none;
  }

  /** @param {Kept} kept */
  open({ volume, path }) {
    window.location.hash = fileAddress(volume, path);
  }
}

export class KeptOutView extends Part {
  #table = /** @type {KeptOutTable} */ (document.createElement('kept-out-table'));
  /** @type {Reader<Kept>} */ #reader = new Reader(() => this.app.changed());
  #find = h('input', { type: 'search', placeholder: 'Search files   /', 'aria-label': 'search files' });
  #count = h('span', { class: 'count' });
  #chosen = h('strong', { class: 'data-chosen' });
  #again = h('button', { class: 'small', onclick: () => void lookAgain(this.#table.chosen) }, 'Look again');
  #selection = h('div', { class: 'sub-selection', role: 'group', 'aria-label': 'selected files' }, this.#chosen, this.#again,
    h('button', { class: 'small', onclick: () => this.#table.selectAll() }, 'Select all shown'),
    h('button', { class: 'small quiet', onclick: () => this.#table.clear() }, 'Clear'));

  build() {
    this.#table.app = this.app;
    this.#find.addEventListener('input', () => this.app.go({ find: this.#find.value }));
    this.append(h('div', { class: 'toolbar' }, this.#find, this.#count), this.#table, this.#selection);
  }

  draw() {
    const { app } = this;
    const ledger = app.of(VOLUMES);
    const { find } = app.route;
    if (this.#find.value !== find) this.#find.value = find;
    this.#table.search = find;
    const counts = ledger.volumes.map(({ kept_out: kept = 0 }) => kept).join(' ');
    this.#reader.look('records/status', {}, keptOf, counts, ledger.changes, app.feed.connected);
    this.#table.rows = this.#reader.rows;
    this.#table.none = this.#reader.problem || (this.#reader.known ? 'No file is kept out.' : 'reading …');
    this.#table.draw();
    const { shown, all } = this.#table.count;
    setText(this.#count, shown === all ? String(all) : `${shown} of ${all}`);
    const { chosen, ticked } = this.#table;
    this.#selection.hidden = chosen.length === 0;
    setText(this.#chosen, ticked > 0 ? `${ticked} selected` : plain(chosen[0]?.path ?? ''));
    setText(this.#again, `Look again at ${many(chosen.length, 'file')}`);
    this.#again.disabled = !app.may('records_scan');
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

/** @param {{volumes?: VolumeView[]}} result @returns {Kept[]} */
function keptOf({ volumes = [] }) {
  return volumes.flatMap(({ volume, quarantine = [] }) => quarantine.map((one) => ({ volume, ...one })));
}

customElements.define('kept-out-table', KeptOutTable);
customElements.define('kept-out-view', KeptOutView);
