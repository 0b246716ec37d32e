/** The page of one file: its records as they stand, and all that has happened to it. */

/** @import {FileEvent, RecordsFileResult} from '../model/types.js' */
import { bytes, duration, moment, when } from '../model/format.js';
import { VOLUMES } from '../model/ledger.js';
import { plain } from '../model/words.js';
import { h, setText } from '../view/dom.js';
import { flag } from '../view/flag.js';
import { Inputs, Part } from '../view/part.js';
import { useStyle } from '../view/style.js';
import { lookAgain, redrive, takeOff } from './acts.js';
import { Reader } from './reader.js';
import { ALERTS, aboutWords, fileOf, many, stateOf } from './words.js';

useStyle(import.meta.url);

export class FilePage extends Part {
  /** @type {Reader<RecordsFileResult>} */ #reader = new Reader(() => this.app.changed());
  #name = h('h2');
  #about = h('span', { class: 'file-about' });
  #kept = h('p', { class: 'file-kept', hidden: true });
  #redrive = h('button', { class: 'small', onclick: () => void this.#done(redrive(this.#records)) }, 'Redrive');
  #off = h('button', { class: 'small', onclick: () => void this.#done(takeOff([this.#file])) }, 'Take off …');
  #again = h('button', { class: 'small', onclick: () => void this.#done(lookAgain([this.#file])) }, 'Look again');
  #held = h('ul', { class: 'file-records' });
  #story = h('ol', { class: 'file-story', tabIndex: 0, 'aria-label': 'what has happened to it' });
  #body = h('div', { class: 'file-body' });
  #none = h('p', { class: 'empty', hidden: true });
  #made = new Inputs();
  #told = new Inputs();

  build() {
    this.#body.append(
      h('section', { 'aria-label': 'its records' }, h('h3', {}, 'Its records'), this.#held),
      h('section', { 'aria-label': 'its story' }, h('h3', {}, 'What has happened to it'), this.#story));
    this.append(
      h('header', { class: 'file-top' }, h('div', { class: 'file-title' }, this.#name, this.#about), this.#kept,
        h('div', { class: 'file-acts', role: 'group', 'aria-label': 'this file' }, this.#redrive, this.#off, this.#again)),
      this.#none, this.#body);
  }

  get #file() {
    return fileOf(this.app.route.about);
  }

  get #result() {
    return this.#reader.rows[0];
  }

  get #records() {
    return this.#result?.records ?? [];
  }

  draw() {
    const { app } = this;
    const ledger = app.of(VOLUMES);
    const { volume, path } = this.#file;
    this.#reader.look('records/file', { volume, path }, (result) => [result], ledger.changes, app.feed.connected);
    const may = ['records_redrive', 'records_remove', 'records_scan'].map((verb) => app.may(verb));
    if (this.#made.changed(this.#reader.version, volume, path, ledger.version, ...may)) this.#drawFile(may);
    if (this.#told.changed(this.#reader.version)) this.#drawRecords();
  }

  /** @param {boolean[]} may */
  #drawFile([mayRedrive, mayRemove, mayScan]) {
    const { volume, path } = this.#file;
    const result = this.#result;
    const view = this.app.of(VOLUMES).volumes.find((one) => one.volume === volume);
    setText(this.#name, plain(path) || 'no file');
    const [first] = this.#records;
    const about = [`volume ${volume}`, view && [view.host, view.folder].filter(Boolean).join(':'), first && bytes(first.size_b), typeof first?.run === 'number' && `run ${first.run}`];
    setText(this.#about, plain(about.filter(Boolean).join('  ·  ')));
    const gone = !result || this.#reader.problem !== '';
    this.#none.hidden = !gone;
    this.#body.hidden = gone;
    setText(this.#none, this.#reader.problem || (this.#reader.known ? '' : 'reading …'));
    const kept = result?.quarantine;
    this.#kept.hidden = !kept;
    if (kept) this.#kept.replaceChildren(flag(ALERTS.kept_out), ` ${plain(kept.reason)}${kept.at ? ` (since ${when(kept.at)})` : ''}`);
    const dead = this.#records.filter(({ state }) => state === 'dead').length;
    this.#redrive.hidden = dead === 0;
    setText(this.#redrive, `Redrive ${many(dead, 'record')}`);
    this.#redrive.disabled = !mayRedrive;
    this.#off.hidden = this.#records.length === 0;
    this.#off.disabled = !mayRemove;
    this.#again.hidden = !kept;
    this.#again.disabled = !mayScan;
    const story = result?.story ?? [];
    this.#story.replaceChildren(...story.map(told));
    if (story.length === 0) this.#story.replaceChildren(h('li', { class: 'empty' }, 'nothing that is remembered'));
  }

  #drawRecords() {
    this.#held.replaceChildren(...this.#records.map((record) => {
      const { symbol, word, look } = stateOf(record.state);
      const left = typeof record.left_s === 'number' && record.state === 'leased' ? `${duration(record.left_s)} were left` : '';
      const about = [`for ${record.group}`, record.part.name && `part ${record.part.name}`, record.attempts && `leased ${record.attempts === 1 ? 'once' : `${record.attempts} times`}`, left];
      return h('li', { class: look }, h('span', { class: 'symbol', 'aria-hidden': 'true' }, symbol), h('strong', {}, word), h('span', { class: 'file-number' }, `no. ${record.number}`),
        h('span', {}, plain(about.filter(Boolean).join(', '))), h('span', { class: 'file-why' }, plain(aboutWords(record))));
    }));
    if (this.#records.length === 0) this.#held.replaceChildren(h('li', { class: 'empty' }, 'none is held: they are done, were removed, or never were'));
  }

  /** @param {Promise<void>} act */
  async #done(act) {
    await act;
    this.#reader.forget();
  }
}

/** @param {FileEvent} event */
function told({ time, text, number }) {
  return h('li', {}, h('time', {}, moment(time)), h('span', { class: 'file-number' }, typeof number === 'number' ? `no. ${number}` : ''), h('span', {}, plain(text)));
}

customElements.define('file-page', FilePage);
