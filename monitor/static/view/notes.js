/**
 * Notes on a shot, or on one of its actions: those that there are, and a form for one more, for
 * whoever may write any.
 */

/** @import {NoteWritten} from '../model/types.js' */
import { moment } from '../model/format.js';
import { plain, shortOf } from '../model/words.js';
import { command } from './api.js';
import { tell } from './commands.js';
import { ask, askFor } from './dialog.js';
import { h, setAttribute } from './dom.js';
import { Inputs, Part } from './part.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

const TEXT_MAX = 4000;

/**
 * What the notes are on.
 * @typedef {object} NotedOn
 * @property {string} tree
 * @property {number} shot
 * @property {string} [path] of an action: its notes alone; else all of the shot
 * @property {NoteWritten[]} [notes] of the whole shot
 * @property {boolean} [fixed] nobody can write any
 */

/** Sends `written` when a note was. */
export class NotesPart extends Part {
  #list = h('ul', { class: 'notes' });
  #text = h('textarea', { rows: 2, maxLength: TEXT_MAX });
  #write = h('button', { type: 'submit' }, 'Write note');
  #form = h('form', {
    class: 'notes-form',
    onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.#add();
    },
  }, this.#text, this.#write);
  /** @type {NotedOn|null} */ #on = null;
  /** What was begun on others. @type {Map<string, string>} */ #drafts = new Map();
  #made = new Inputs();

  build() {
    this.append(this.#list, this.#form);
  }

  /** @param {NotedOn|null} on */
  show(on) {
    const before = nameOf(this.#on);
    const name = nameOf(on);
    this.#on = on;
    const writable = on !== null && !on.fixed && this.app.allows('note');
    this.#text.disabled = this.#write.disabled = !this.app.may('note');
    if (!this.#made.changed(name, on?.notes, writable)) return;
    this.#form.hidden = !writable;
    if (name !== before) {
      if (this.#text.value) this.#drafts.set(before, this.#text.value);
      this.#text.value = this.#drafts.get(name) ?? '';
      this.#drafts.delete(name);
      const label = `a note on this ${on?.path ? 'action' : 'shot'}`;
      setAttribute(this.#text, 'aria-label', label);
      setAttribute(this.#text, 'placeholder', label.replace('a', 'A'));
    }
    const notes = (on?.notes ?? []).filter((note) => !on?.path || note.path === on.path).sort((a, b) => a.note - b.note);
    this.#list.replaceChildren(...notes.map((note) => this.#item(note, writable)));
    if (notes.length === 0) this.#list.append(h('li', { class: 'empty' }, 'none'));
  }

  /** @param {NoteWritten} note @param {boolean} writable */
  #item(note, writable) {
    const about = note.path && !this.#on?.path ? ` on ${plain(shortOf(note.path))}` : '';
    return h('li', { class: note.removed ? 'removed' : '' },
      h('span', { class: 'notes-head' }, `${note.note}${about}, ${whoAndWhen(note)}`),
      note.text && h('span', { class: 'notes-text' }, note.text.split('\n').map(plain).join('\n')),
      writable && !note.removed && h('span', { class: 'notes-acts' },
        h('button', { class: 'small', 'aria-label': `change note ${note.note}`, onclick: () => void this.#change(note) }, 'Change …'),
        h('button', { class: 'small quiet', 'aria-label': `remove note ${note.note}`, onclick: () => void this.#remove(note) }, 'Remove …')));
  }

  async #add() {
    const on = this.#on;
    const text = this.#text.value.trim();
    if (!on || !text) return this.#text.focus();
    const done = await this.#give(on, { text, path: on.path });
    if (!done) return;
    if (nameOf(on) === nameOf(this.#on)) this.#text.value = '';
    else this.#drafts.delete(nameOf(on)); // somebody looks at another one by now
  }

  /** @param {NoteWritten} note */
  async #change(note) {
    const on = this.#on;
    if (!on) return;
    const field = { name: 'text', label: 'Text', type: /** @type {const} */ ('lines'), value: note.text ?? '', longest: TEXT_MAX, required: true };
    const said = await askFor({ title: `Note ${note.note} on ${nameOf(on)}`, fields: [field], yes: 'Write it' });
    if (said) await this.#give(on, { text: said.text, note: note.note });
  }

  /** @param {NoteWritten} note */
  async #remove(note) {
    const on = this.#on;
    if (!on) return;
    const yes = await ask({ title: `Remove note ${note.note} on ${nameOf(on)}?`, text: plain(note.text ?? ''), yes: 'Remove it', cautious: true });
    if (yes) await this.#give(on, { note: note.note, remove: true });
  }

  /** @param {NotedOn} on @param {Record<string, unknown>} said */
  async #give(on, said) {
    const answer = await command('note', { tree: on.tree, shot: on.shot, ...said });
    tell(`Note on ${nameOf(on)}`, answer);
    this.dispatchEvent(new Event('written'));
    return answer.outcome === 'ok';
  }
}

/** @param {NotedOn|null} on */
function nameOf(on) {
  return on ? `${on.tree}/${on.shot}${on.path ? ` ${plain(shortOf(on.path))}` : ''}` : '';
}

/** Return who has written a note, or removed it, and when. @param {NoteWritten} note */
function whoAndWhen(note) {
  if (note.removed) return `of ${plain(note.first_by ?? '')}, removed by ${plain(note.by)}, ${moment(note.time)}`;
  const first = note.first_at ? `, first by ${plain(note.first_by ?? '')} ${moment(note.first_at)}` : '';
  return `${plain(note.by)}, ${moment(note.time)}${first}`;
}

customElements.define('notes-part', NotesPart);
