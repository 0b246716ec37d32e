/**
 * The tab Queue: the day's programme, how it stands, what runs, what has ended, and who did what.
 */

/** @import {App} from '../view/app.js' */
/** @import {Entry} from '../model/types.js' */
import { isForm } from '../view/forms.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Tab } from '../view/tab.js';
import { useStyle } from '../view/style.js';
import { QUEUE } from './board.js';
import { Editor } from './editor.js';
import { Kinds } from './kinds.js';
import { openForm } from './plan-form.js';
import { KEYS, Programme } from './programme.js';
import { RunningPlan } from './running.js';
import { ChangesPane, HistoryPane, ProposalsPane } from './side.js';
import { StateBar } from './state-bar.js';
import { TasksPane } from './tasks.js';
import { isUrgent, noteOf } from './words.js';

useStyle(import.meta.url);

/** @typedef {'programme'|'history'|'proposals'|'tasks'|'changes'} Name */

export class TabQueue extends Tab {
  static id = 'queue';
  static title = 'Queue';
  static keys = KEYS;
  static channels = [QUEUE];

  /** @param {App} app */
  static note(app) {
    return noteOf(app.of(QUEUE).view);
  }

  /** @param {App} app */
  static isUrgent(app) {
    return isUrgent(app.of(QUEUE).view);
  }

  #bar = /** @type {StateBar} */ (document.createElement('queue-state'));
  #running = /** @type {RunningPlan} */ (document.createElement('queue-running'));
  #programme = /** @type {Programme} */ (document.createElement('queue-programme'));
  #history = /** @type {HistoryPane} */ (document.createElement('queue-history'));
  #proposals = /** @type {ProposalsPane} */ (document.createElement('queue-proposals'));
  #tasks = /** @type {TasksPane} */ (document.createElement('queue-tasks'));
  #changes = /** @type {ChangesPane} */ (document.createElement('queue-changes'));
  #main = h('section', { class: 'queue-main', 'aria-label': 'programme' });
  #side = h('section', { class: 'queue-side', 'aria-label': 'history, proposals, tasks, changes' });
  /** @type {{name: Name, title: string, button: HTMLButtonElement}[]} */
  #segments = /** @type {[Name, string][]} */ ([['programme', 'Programme'], ['history', 'History'], ['proposals', 'Proposals'], ['tasks', 'Tasks'], ['changes', 'Who did what']])
    .map(([name, title]) => ({ name, title, button: h('button', { 'data-pane': name, 'aria-pressed': 'false', onclick: () => this.#choose(name) }, title) }));
  #kinds = /** @type {Kinds} */ (/** @type {unknown} */ (null));

  build() {
    const { app } = this;
    const editor = new Editor(app);
    this.#kinds = new Kinds(editor);
    /** @param {Entry|null} entry @param {'add'|'change'} how @param {Entry} [behind] */
    const form = (entry, how, behind) => openForm({ editor, kinds: this.#kinds, entry, how, behind });
    for (const part of [this.#bar, this.#running, this.#programme, this.#history, this.#proposals, this.#tasks, this.#changes]) {
      part.app = app;
      part.editor = editor;
    }
    for (const part of [this.#bar, this.#running, this.#programme, this.#history, this.#proposals, this.#tasks, this.#changes]) part.kinds = this.#kinds;
    this.#programme.form = form;
    this.#proposals.form = form;
    this.#bar.reveal = (uid) => {
      this.#choose('programme');
      this.draw();
      this.#programme.reveal(uid);
    };
    this.#main.append(this.#running, this.#programme);
    this.#side.append(this.#history, this.#proposals, this.#tasks, this.#changes);
    this.append(this.#bar,
      h('div', { class: 'queue-panes segments', role: 'group', 'aria-label': 'what is shown' }, ...this.#segments.map(({ button }) => button)),
      h('div', { class: 'queue-body' }, this.#main, this.#side));
  }

  /** @param {Name} name */
  #choose(name) {
    this.app.filter({ pane: name === 'programme' ? '' : name });
  }

  /** Which pane the address names. @returns {Name} */
  get #chosen() {
    return this.#segments.find(({ name }) => name === this.app.route.filters.pane)?.name ?? 'programme';
  }

  draw() {
    this.#kinds.look();
    const alone = isForm('tight');
    const shown = !alone && this.#chosen === 'programme' ? 'history' : this.#chosen;
    const waiting = this.app.of(QUEUE).proposals.length;
    for (const { name, title, button } of this.#segments) {
      setAttribute(button, 'aria-pressed', String(name === shown));
      setText(button, name === 'proposals' && waiting > 0 ? `${title} (${waiting})` : title);
      button.hidden = (name === 'programme' && !alone) || (name === 'tasks' && !this.#tasks.isFor);
      button.classList.toggle('waits', name === 'proposals' && waiting > 0);
    }
    this.#main.hidden = alone && shown !== 'programme';
    this.#side.hidden = alone && shown === 'programme';
    this.#history.hidden = shown !== 'history';
    this.#proposals.hidden = shown !== 'proposals';
    this.#tasks.hidden = shown !== 'tasks';
    this.#changes.hidden = shown !== 'changes';
    this.#bar.draw();
    if (!this.#main.hidden) {
      this.#running.draw();
      this.#programme.draw();
    }
    for (const pane of [this.#history, this.#proposals, this.#tasks, this.#changes]) if (!this.#side.hidden && !pane.hidden) pane.draw();
  }

  restyle() {
    this.#programme.restyle();
    this.#history.restyle();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!this.#main.hidden) this.#programme.key(event);
  }

  focusSearch() {
    this.#choose('history');
    this.draw();
    this.#history.focusSearch();
  }
}
