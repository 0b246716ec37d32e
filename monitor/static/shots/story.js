/** The page of one shot: its runs, its notes, and the ways to its actions, its files, its report. */

/** @import {NoteWritten, ShotView} from '../model/types.js' */
import { duration, moment } from '../model/format.js';
import { plain } from '../model/words.js';
import { command, placed } from '../view/api.js';
import { tell } from '../view/commands.js';
import { ask, askFor } from '../view/dialog.js';
import { h, setText } from '../view/dom.js';
import { Inputs, Part } from '../view/part.js';
import { Pages } from './pages.js';
import { compareAddress, failedOf, nameOf, noteWords, people, shotName } from './words.js';

export class ShotStory extends Part {
  /** @type {Pages<ShotView>} */ #pages = new Pages('find_shots', 'shots', () => this.app.changed());
  #name = h('h2');
  #about = h('p', { class: 'shot-about' });
  #kept = h('p', { class: 'shot-kept', hidden: true });
  #links = h('p', { class: 'shot-links' });
  #runs = h('tbody');
  #failed = h('ul', { class: 'shot-failed' });
  #notes = h('ul', { class: 'shot-notes' });
  #text = h('textarea', { rows: 2, maxLength: 4000, 'aria-label': 'a note on this shot', placeholder: 'A note on this shot' });
  #add = h('button', { type: 'submit' }, 'Write note');
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
    const form = h('form', {
      class: 'shot-note-form',
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        void this.#write();
      },
    }, this.#text, this.#add);
    this.#body.append(
      h('header', { class: 'shot-head' }, this.#name, this.#about, this.#kept, this.#links, compare),
      section('Notes', this.#notes, form),
      section('Essential actions that have failed', this.#failed),
      section('Runs', h('div', { class: 'shot-wide', tabIndex: 0, role: 'region', 'aria-label': 'runs' }, h('table', { class: 'plain-table' }, h('thead', {}, h('tr', {}, ...heads)), this.#runs))));
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
    this.#pages.look(name ? { tree, words: name, limit: 20 } : null, app.feed.connected, app.system.audited, live?.length ?? 0);
    if (!this.#shot && this.#pages.next !== null) this.#pages.more(); // others whose names begin so
    this.#add.disabled = this.#text.disabled = !app.may('note') || Boolean(this.#shot?.kept);
    if (!this.#made.changed(this.#pages.version, name, app.may('note'))) return;
    const shot = this.#shot;
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
    this.#failed.replaceChildren(...(failed.length > 0 ? failed : ['none']).map((path) => h('li', {}, plain(path))));
    this.#drawNotes(shot);
  }

  /** @param {ShotView} shot */
  #drawNotes(shot) {
    const may = this.app.may('note') && !shot.kept;
    const notes = shot.notes ?? [];
    this.#notes.replaceChildren(...notes.map((note) => h('li', { class: note.removed ? 'removed' : '' },
      h('span', { class: 'shot-note-head' }, `${note.note}${note.path ? ` on ${plain(note.path)}` : ''}, ${noteWords(note)}`),
      note.text && h('span', { class: 'shot-note-text' }, note.text),
      may && !note.removed && h('span', { class: 'shot-note-acts' },
        h('button', { class: 'small', 'aria-label': `change note ${note.note}`, onclick: () => void this.#change(shot, note) }, 'Change …'),
        h('button', { class: 'small quiet', 'aria-label': `remove note ${note.note}`, onclick: () => void this.#remove(shot, note) }, 'Remove …')))));
    if (notes.length === 0) this.#notes.replaceChildren(h('li', { class: 'empty' }, 'none'));
  }

  async #write() {
    const shot = this.#shot;
    const text = this.#text.value.trim();
    if (!shot || !text) return this.#text.focus();
    const done = await this.#give(shot, { text });
    if (done) this.#text.value = '';
  }

  /** @param {ShotView} shot @param {NoteWritten} note */
  async #change(shot, note) {
    const said = await askFor({ title: `Note ${note.note} on ${nameOf(shot)}`, fields: [{ name: 'text', label: 'Text', value: note.text ?? '', required: true }], yes: 'Write it' });
    if (said) await this.#give(shot, { text: said.text, note: note.note });
  }

  /** @param {ShotView} shot @param {NoteWritten} note */
  async #remove(shot, note) {
    const yes = await ask({ title: `Remove note ${note.note} on ${nameOf(shot)}?`, text: plain(note.text ?? ''), yes: 'Remove it', cautious: true });
    if (yes) await this.#give(shot, { note: note.note, remove: true });
  }

  /** @param {ShotView} shot @param {Record<string, unknown>} said */
  async #give(shot, said) {
    const answer = await command('note', { tree: shot.tree, shot: shot.shot, ...said });
    tell(`Note on ${nameOf(shot)}`, answer);
    this.#pages.forget();
    this.app.changed();
    return answer.outcome === 'ok';
  }
}

customElements.define('shot-story', ShotStory);
