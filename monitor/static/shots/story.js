/** The page of one shot: its runs, its notes, and the ways to its actions, its files, its report. */

/** @import {ShotView} from '../model/types.js' */
/** @import {NotesPart} from '../view/notes.js' */
import { duration, moment } from '../model/format.js';
import { plain, shortOf } from '../model/words.js';
import { placed } from '../view/api.js';
import { h, setText } from '../view/dom.js';
import '../view/notes.js';
import { Inputs, Part } from '../view/part.js';
import { Pages } from './pages.js';
import { compareAddress, failedOf, nameOf, people, shotName } from './words.js';

export class ShotStory extends Part {
  /** @type {Pages<ShotView>} */ #pages = new Pages('find_shots', 'shots', () => this.app.changed());
  #name = h('h2');
  #about = h('p', { class: 'shot-about' });
  #kept = h('p', { class: 'shot-kept', hidden: true });
  #links = h('p', { class: 'shot-links' });
  #runs = h('tbody');
  #failed = h('ul', { class: 'shot-failed' });
  #notes = /** @type {NotesPart} */ (document.createElement('notes-part'));
  #none = h('p', { class: 'empty', hidden: true });
  #with = h('input', { placeholder: 'TREE/SHOT', 'aria-label': 'compare with', size: 12, spellcheck: false, autocomplete: 'off' });
  #body = h('div', { class: 'shot-body' });
  #made = new Inputs();

  build() {
    /** @param {string} title @param {...Node} parts */
    const section = (title, ...parts) => h('section', { 'aria-label': title }, h('h3', {}, title), ...parts);
    const heads = ['Run', 'Phase', 'Began', 'Took', 'How', 'By', 'Failed', 'Reason'].map((text) => h('th', { scope: 'col' }, text));
    const compare = h('form', {
      class: 'shot-compare',
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        const other = shotName(this.#with.value);
        if (other) window.location.hash = compareAddress(other, this.#wanted ?? '');
        else this.#with.focus();
      },
    }, h('label', { class: 'field' }, h('span', {}, 'Compare with'), this.#with), h('button', { type: 'submit', class: 'small' }, 'Compare'));
    this.#notes.app = this.app;
    this.#notes.addEventListener('written', () => {
      this.#pages.forget();
      this.app.changed();
    });
    this.#body.append(
      h('header', { class: 'shot-head' }, this.#name, this.#about, this.#kept, this.#links, compare),
      section('Notes', this.#notes),
      section('Essential actions that have failed', this.#failed),
      section('Runs', h('div', { class: 'shot-wide', tabIndex: 0, role: 'region', 'aria-label': 'table of the runs' }, h('table', { class: 'plain-table' }, h('thead', {}, h('tr', {}, ...heads)), this.#runs))));
    this.append(this.#body, this.#none);
  }

  get #wanted() {
    return shotName(this.app.route.about);
  }

  get #shot() {
    return this.#pages.rows.find((one) => nameOf(one) === this.#wanted);
  }

  draw() {
    const { app } = this;
    const name = this.#wanted;
    const tree = name?.split('/')[0] ?? null;
    const live = app.shot && app.shot.name === name ? app.shot.view?.notes : null;
    this.#pages.look(name ? { tree, words: name, limit: 20 } : null, app.feed.connected, app.system.audited, live?.at(-1)?.time ?? 0);
    if (!this.#shot && this.#pages.next !== null) this.#pages.more(); // others whose names begin so
    const shot = this.#shot;
    this.#notes.show(shot ? { tree: shot.tree, shot: shot.shot, notes: shot.notes, fixed: Boolean(shot.kept) } : null);
    if (!this.#made.changed(this.#pages.version, name)) return;
    this.#body.hidden = !shot;
    this.#none.hidden = Boolean(shot);
    if (shot) this.#drawShot(shot);
    else setText(this.#none, this.#pages.problem || (this.#pages.reading ? 'reading …' : `No shot ${plain(this.app.route.about) || 'is named'} is known.`));
  }

  /** @param {ShotView} shot */
  #drawShot(shot) {
    const { tree, shot: number } = shot;
    setText(this.#name, nameOf(shot));
    const counts = Object.entries(shot.counts ?? {}).filter(([, count]) => count).map(([what, count]) => `${count} ${what.replaceAll('_', ' ')}`);
    const by = people(shot);
    setText(this.#about, plain([`${shot.actions ?? 0} actions: ${counts.join(', ') || 'none'}`, shot.built_at ? `tables built ${moment(shot.built_at)}` : '', by && `run by ${by}`].filter(Boolean).join('  ·  ')));
    this.#kept.hidden = !shot.kept;
    setText(this.#kept, plain(shot.kept ? `${shot.kept_words ?? ''}. It is only looked at, and never run.` : ''));
    const file = (/** @type {string} */ form) => placed(`api/shot_file?tree=${encodeURIComponent(tree)}&shot=${number}&form=${form}`);
    const actions = shot.kept ? [] : [h('a', { href: `#/actions?tree=${tree}&shot=${number}` }, 'Its actions'), h('a', { href: `#/timeline?tree=${tree}&shot=${number}` }, 'Its timeline')];
    this.#links.replaceChildren(...actions,
      h('a', { href: placed(`shots/${tree}/${number}/report`), target: '_blank', rel: 'noopener' }, 'Report to print'),
      h('a', { href: file('shot'), download: '' }, 'Export'),
      h('a', { href: file('csv'), download: '' }, 'Table (CSV)'));
    const runs = shot.runs ?? [];
    this.#runs.replaceChildren(...runs.map((one) => h('tr', { class: failedOf(one.counts) > 0 ? 'bad' : '' },
      ...[String(one.run), one.phase, moment(one.opened_at), typeof one.duration_s === 'number' ? duration(one.duration_s) : '', one.outcome ?? one.state, one.who ?? '', String(failedOf(one.counts) || ''), one.reason ?? '']
        .map((text) => h('td', {}, plain(text))))));
    const failed = shot.essential_failures ?? [];
    this.#failed.replaceChildren(...(failed.length > 0 ? failed : ['none']).map((path) => h('li', {}, plain(shortOf(path)))));
  }
}

customElements.define('shot-story', ShotStory);
