/** The view Overview of the data: volumes, groups of consumers, consumers. */

/** @import {ConsumerView, GroupView, VolumeView} from '../model/types.js' */
/** @import {PlainColumn} from '../view/plain-rows.js' */
import { moment } from '../model/format.js';
import { VOLUMES } from '../model/ledger.js';
import { plain } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Part } from '../view/part.js';
import { PlainRows } from '../view/plain-rows.js';
import { useStyle } from '../view/style.js';
import { redriveAll, replay, scan } from './acts.js';
import { diskWords, doesWords, recordsAddress, waits, watchWords } from './words.js';

useStyle(import.meta.url);

const OF_RULES = 'rule:';

export class DataOverview extends Part {
  #volumes = /** @type {PlainRows<VolumeView>} */ (/** @type {unknown} */ (null));
  #groups = /** @type {PlainRows<GroupView>} */ (/** @type {unknown} */ (null));
  #consumers = /** @type {PlainRows<ConsumerView>} */ (/** @type {unknown} */ (null));
  #parts = /** @type {Record<string, {none: HTMLElement, count: HTMLElement}>} */ ({});

  build() {
    const changed = () => this.app.changed();
    const now = () => this.app.now();
    this.#volumes = new PlainRows([
      text('volume', 'Volume', ({ volume }) => plain(volume)),
      text('where', 'Where', ({ host, folder }) => plain([host, folder].filter(Boolean).join(':'))),
      text('rate', 'Per minute', ({ per_minute: came = 0, done_per_minute: done = 0 }) => `${came} in, ${done} done`),
      count('ready', 'Ready', ({ volume, counts }) => [counts?.ready, { state: 'ready', volume }]),
      text('oldest', 'Oldest', ({ oldest_ready_at: at }) => waits(at, now()), ({ oldest_ready_at: at }) => moment(at), ({ late }) => Boolean(late)),
      count('leased', 'Leased', ({ volume, counts }) => [counts?.leased, { state: 'leased', volume }]),
      count('dead', 'Dead', ({ volume, counts }) => [counts?.dead, { state: 'dead', volume }], true),
      text('done', 'Done', ({ counts }) => String(counts?.done ?? 0), ({ counts }) => `of ${counts?.announced ?? 0} that were announced; ${counts?.removed ?? 0} removed, ${counts?.orphaned ?? 0} orphaned`),
      text('kept', 'Kept out', ({ kept_out: kept }) => (kept ? String(kept) : '')),
      text('disk', 'Disk', ({ disk }) => diskWords(disk), undefined, ({ low }) => Boolean(low)),
      text('watch', 'Watcher', (volume) => plain(watchWords(volume, now())), undefined, ({ trouble, watched, seen_at: seen }) => Boolean(trouble || (seen && !watched))),
      { id: 'acts', title: '', cell: (cell, volume) => this.#volumeActs(cell, volume) },
    ], ({ volume }) => volume, changed, 'volumes');
    this.#groups = new PlainRows([
      text('group', 'Group', ({ group }) => groupWords(group)),
      text('rate', 'Done per minute', ({ done_per_minute: done = 0 }) => String(done)),
      count('ready', 'Ready', ({ group, ready }) => [ready, { state: 'ready', group }]),
      text('oldest', 'Oldest', ({ oldest_ready_at: at }) => waits(at, now()), ({ oldest_ready_at: at }) => moment(at)),
      text('delayed', 'Later', ({ delayed }) => (delayed ? String(delayed) : ''), () => 'given back, and not offered yet'),
      count('leased', 'Leased', ({ group, leased }) => [leased, { state: 'leased', group }]),
      count('dead', 'Dead', ({ group, dead }) => [dead, { state: 'dead', group }], true),
      text('credits', 'Asked for', ({ credits }) => (credits ? String(credits) : ''), () => 'records that somebody has asked to be sent'),
      { id: 'acts', title: '', cell: (cell, group) => this.#groupActs(cell, group) },
    ], ({ group }) => group, changed, 'groups of consumers');
    this.#consumers = new PlainRows([
      text('consumer', 'Consumer', ({ consumer }) => plain(consumer)),
      text('group', 'Group', ({ group }) => plain(group)),
      text('host', 'Host', ({ host }) => plain(host ?? '')),
      text('leased', 'Holds', ({ leased = 0 }) => String(leased)),
      text('rate', 'Done per minute', ({ done_per_minute: done = 0 }) => String(done)),
      text('done', 'Done', ({ done = 0 }) => String(done), () => 'since the dispatcher’s start'),
      text('does', 'Does', (consumer) => doesWords(consumer, now())),
    ], ({ consumer }) => consumer, changed, 'consumers');
    this.append(h('div', { class: 'data-parts', tabIndex: 0, role: 'region', 'aria-label': 'overview' },
      this.#section('Volumes', this.#volumes.table), this.#section('Groups of consumers', this.#groups.table), this.#section('Consumers', this.#consumers.table)));
  }

  /** @param {string} title @param {HTMLElement} table */
  #section(title, table) {
    const part = { none: h('p', { class: 'empty' }), count: h('span', { class: 'count' }) };
    this.#parts[title] = part;
    return h('section', { class: 'data-part', 'aria-label': title }, h('header', {}, h('h2', {}, title), part.count), table, part.none);
  }

  draw() {
    const { app } = this;
    const ledger = app.of(VOLUMES);
    const second = Math.floor(app.now());
    const may = ['records_scan', 'records_redrive', 'records_replay'].map((verb) => app.may(verb));
    const made = [ledger.version, second, ...may];
    this.#volumes.draw(ledger.volumes, ({ trouble, low }) => ({ look: trouble || low ? 'is-ill' : '', made }));
    this.#groups.draw(ledger.groups, () => ({ look: '', made }));
    this.#consumers.draw(ledger.consumers, ({ leased }) => ({ look: leased ? 'is-busy' : '', made }));
    const waiting = ledger.view === null ? 'Waiting for the dispatcher …' : '';
    this.#tell('Volumes', ledger.volumes.length, waiting || 'No volume is configured (volumes.folders).');
    this.#tell('Groups of consumers', ledger.groups.length, waiting || 'No group is configured (volumes.consumers).');
    this.#tell('Consumers', ledger.consumers.length, waiting || 'No consumer has said anything lately.', ledger.view?.consumers_all);
  }

  /** @param {string} title @param {number} count @param {string} none @param {number} [all] */
  #tell(title, count, none, all = count) {
    const part = this.#parts[title];
    setText(part.count, all > count ? `${count} of ${all}` : String(count));
    part.none.hidden = count > 0;
    setText(part.none, none);
  }

  /** @param {HTMLElement} cell @param {string} volume @returns {(view: VolumeView) => void} */
  #volumeActs(cell, volume) {
    const one = h('button', { class: 'small', onclick: () => void scan(volume) }, 'Scan …');
    const groups = () => this.app.of(VOLUMES).groups.map(({ group }) => group).filter((group) => !group.startsWith(OF_RULES));
    const other = h('button', { class: 'small', onclick: () => void replay(volume, groups()) }, 'Replay …');
    cell.classList.add('row-actions');
    cell.append(one, other);
    return () => {
      one.disabled = !this.app.may('records_scan');
      other.disabled = !this.app.may('records_replay') || groups().length === 0;
    };
  }

  /** @param {HTMLElement} cell @param {string} group @returns {(view: GroupView) => void} */
  #groupActs(cell, group) {
    let dead = 0;
    const button = h('button', { class: 'small', onclick: () => void redriveAll({ group }, dead) }, 'Redrive …');
    cell.classList.add('row-actions');
    cell.append(button);
    return (view) => {
      dead = view.dead ?? 0;
      button.hidden = dead === 0;
      button.disabled = !this.app.may('records_redrive');
    };
  }
}

/** Return a group's name; a rule's is that of its rule. @param {string} group */
function groupWords(group) {
  return plain(group.startsWith(OF_RULES) ? `what the rule ${group.slice(OF_RULES.length)} runs` : group);
}

/**
 * @template R
 * @param {string} id
 * @param {string} title
 * @param {(row: R) => string} words
 * @param {(row: R) => string} [titled]
 * @param {(row: R) => boolean} [ill]
 * @returns {PlainColumn<R>}
 */
function text(id, title, words, titled, ill) {
  return {
    id, title, cell: (cell) => (row) => {
      setText(cell, words(row));
      setAttribute(cell, 'title', (titled?.(row) ?? '') || null);
      if (ill) cell.classList.toggle('much', ill(row));
    },
  };
}

/**
 * A number of records, with the way to them.
 * @template R
 * @param {string} id
 * @param {string} title
 * @param {(row: R) => [number|undefined, Record<string, string>]} of
 * @param {boolean} [isIll]
 * @returns {PlainColumn<R>}
 */
function count(id, title, of, isIll = false) {
  return {
    id, title, cell: (cell) => {
      const link = h('a');
      cell.append(link);
      return (row) => {
        const [value = 0, filters] = of(row);
        setText(link, String(value));
        setAttribute(link, 'href', value > 0 ? recordsAddress(filters) : null);
        link.classList.toggle('much', isIll && value > 0);
      };
    },
  };
}

customElements.define('data-overview', DataOverview);
