/**
 * The tab Data: volumes, groups of consumers and consumers; the records that are not done; files that
 * are kept out; a file's whole story.
 */

/** @import {App} from '../view/app.js' */
import { VOLUMES, alertsOf } from '../model/ledger.js';
import { plain } from '../model/words.js';
import { AlertList } from '../view/alert-list.js';
import { Inputs } from '../view/part.js';
import { SubViews } from '../view/subviews.js';
import { Tab } from '../view/tab.js';
import { FilePage } from './file-page.js';
import { KeptOutView } from './kept-out.js';
import { DataOverview } from './overview.js';
import { RecordsView } from './records-view.js';
import { KEYS } from './table.js';
import { ALERTS, fileOf, recordsAddress, waits } from './words.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

export class TabData extends Tab {
  static id = 'data';
  static title = 'Data';
  static views = ['records', 'kept-out', 'file'];
  static keys = KEYS;
  static channels = [VOLUMES];

  /** How much somebody should look at. @param {App} app */
  static note(app) {
    const count = alertsOf(app.of(VOLUMES).volumes).length;
    return count > 0 ? String(count) : null;
  }

  /** @param {App} app */
  static isUrgent(app) {
    return alertsOf(app.of(VOLUMES).volumes).some(({ kind }) => ALERTS[kind].look === 'ill');
  }

  #views = new SubViews('the data', [['data', 'Overview'], ['records', 'Records'], ['kept-out', 'Kept out']]);
  #alerts = new AlertList(() => this.#again());
  #overview = /** @type {DataOverview} */ (document.createElement('data-overview'));
  #records = /** @type {RecordsView} */ (document.createElement('records-view'));
  #kept = /** @type {KeptOutView} */ (document.createElement('kept-out-view'));
  #file = /** @type {FilePage} */ (document.createElement('file-page'));
  /** By its address. @type {Record<string, DataOverview|RecordsView|KeptOutView|FilePage>} */
  #parts = { data: this.#overview, records: this.#records, 'kept-out': this.#kept, file: this.#file };
  #told = new Inputs();

  build() {
    for (const part of Object.values(this.#parts)) {
      part.app = this.app;
      part.classList.add('sub-view');
    }
    this.append(this.#views.element, this.#alerts.element, ...Object.values(this.#parts));
  }

  draw() {
    const { tab: view, about } = this.app.route;
    const { volume, path } = fileOf(about);
    this.#views.draw(this.app, plain(path ? `${path} on ${volume}` : 'no file'));
    this.#drawTop();
    for (const [name, part] of Object.entries(this.#parts)) part.hidden = name !== view;
    this.#parts[view]?.draw();
  }

  #drawTop() {
    const ledger = this.app.of(VOLUMES);
    const now = this.app.now();
    if (!this.#told.changed(ledger.version, Math.floor(now))) return;
    const { volumes } = ledger;
    /** @param {'per_minute'|'done_per_minute'} name */
    const sum = (name) => volumes.reduce((all, one) => all + (one[name] ?? 0), 0);
    this.#views.tell([
      ['Per minute', `${sum('per_minute')} in, ${sum('done_per_minute')} done`],
      ['Ready', String(ledger.count('ready'))],
      ['Oldest', waits(ledger.oldestAt, now) || '–'],
      ['Leased', String(ledger.count('leased'))],
      ['Dead', String(ledger.count('dead'))],
      ['Done', String(ledger.count('done'))],
    ]);
    this.#alerts.draw(alertsOf(volumes).map(({ kind, volume, text, at }) => ({ mark: ALERTS[kind], about: volume, text, at, address: addressOf(kind, volume) })));
  }

  #again() {
    this.#told.forget();
    this.app.changed();
  }

  restyle() {
    this.#records.restyle();
    this.#kept.restyle();
  }

  focusSearch() {
    if (this.app.route.tab === 'kept-out') this.#kept.focusSearch();
    else {
      if (this.app.route.tab !== 'records') this.app.go({ tab: 'records' });
      this.#records.hidden = false;
      this.#records.focusSearch();
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (this.app.route.tab === 'records') this.#records.key(event);
    else if (this.app.route.tab === 'kept-out') this.#kept.key(event);
  }
}

/** Return where one sees what an alert is of. @param {keyof typeof ALERTS} kind @param {string} volume */
function addressOf(kind, volume) {
  if (kind === 'dead') return recordsAddress({ state: 'dead', volume });
  if (kind === 'late') return recordsAddress({ state: 'ready', volume });
  return kind === 'kept_out' ? '#/kept-out' : undefined;
}
