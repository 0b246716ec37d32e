/** The views that are lists: shots, failures, what was found. What is looked for stands in the address. */

/** @import {ImportPart} from './import.js' */
import { plain } from '../model/words.js';
import { h, setText } from '../view/dom.js';
import { Part } from '../view/part.js';
import './import.js';
import { Pages } from './pages.js';
import { FailuresTable, FoundTable, ShotsTable } from './tables.js';
import { SINCE, compareAddress, nameOf, sinceOf } from './words.js';

const PAGE = 200;

/** @param {string} id @param {string[][]} values and what is shown of them @param {string} label */
function choice(id, values, label) {
  return h('select', { id, 'aria-label': label }, ...values.map(([value, text]) => h('option', { value }, text)));
}

/**
 * The base of the lists: fields whose values are in the address, a table, what was read, more of it.
 * @template {ShotsTable|FailuresTable|FoundTable} T
 */
class ListView extends Part {
  /** What one row is, in words. */
  one = 'row';
  verb = '';
  list = '';
  /** @type {Record<string, HTMLInputElement|HTMLSelectElement>} */ fields = {};
  table = /** @type {T} */ (/** @type {unknown} */ (null));
  pages = /** @type {Pages<any>} */ (/** @type {unknown} */ (null));
  #count = h('span', { class: 'count', role: 'status' });
  #more = h('button', { class: 'small', onclick: () => this.pages.more() }, 'Older ones');
  #again = h('button', { class: 'small quiet', onclick: () => this.again() }, 'Read again');

  /** @param {string} tag of the table */
  begin(tag) {
    this.table = /** @type {T} */ (/** @type {unknown} */ (document.createElement(tag)));
    this.table.app = this.app;
    this.pages = new Pages(this.verb, this.list, () => this.app.changed());
    for (const [name, input] of Object.entries(this.fields)) {
      input.addEventListener('change', () => {
        const value = input instanceof HTMLInputElement && input.type === 'checkbox' ? (input.checked ? '1' : '') : input.value.trim();
        this.app.go({ filters: { ...this.app.route.filters, [name]: value } });
      });
    }
  }

  /** @param {...Node} parts */
  bar(...parts) {
    this.append(h('div', { class: 'toolbar' }, ...parts, this.#count, this.#more, this.#again), this.table);
  }

  again() {
    this.pages.forget();
    this.app.changed();
  }

  /** Return what is asked; null: nothing yet. @returns {Record<string, unknown>|null} */
  wanted() {
    const { tree, since } = this.app.route.filters;
    return { tree: tree || null, since: sinceOf(since ?? '', this.app.now()) ?? null, limit: PAGE };
  }

  draw() {
    for (const [name, input] of Object.entries(this.fields)) {
      const value = this.app.route.filters[name] ?? '';
      if (input instanceof HTMLInputElement && input.type === 'checkbox') input.checked = value === '1';
      else if (document.activeElement !== input && input.value !== value) input.value = value;
    }
    this.pages.look(this.wanted(), this.app.feed.connected);
    this.table.rows = this.pages.rows;
    this.table.none = this.nothing();
    this.table.draw();
    setText(this.#count, this.pages.words(this.one));
    this.#more.hidden = this.pages.next === null;
    this.#more.disabled = this.pages.reading;
  }

  /** Return why there are no rows. */
  nothing() {
    return this.pages.words(this.one);
  }

  restyle() {
    this.table.restyle();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    this.table.key(event);
  }

  focusSearch() {
    const [first] = Object.values(this.fields);
    first?.focus();
  }
}

/** @param {string} text @param {HTMLElement} input */
const field = (text, input) => h('label', { class: 'field' }, h('span', {}, text), input);

/** @param {string} text @param {HTMLInputElement} input */
const tick = (text, input) => h('label', { class: 'tick' }, input, ` ${text}`);

const trees = () => h('input', { type: 'search', placeholder: 'all', size: 8, autocomplete: 'off', spellcheck: false });

/** @extends {ListView<ShotsTable>} */
export class ShotsView extends ListView {
  one = 'shot';
  verb = 'find_shots';
  list = 'shots';
  fields = {
    words: h('input', { type: 'search', id: 'shots-words', placeholder: 'Shot, phase, person, note   /', 'aria-label': 'words', autocomplete: 'off' }),
    tree: trees(),
    since: choice('shots-since', SINCE, 'since'),
    failed: h('input', { type: 'checkbox' }),
    noted: h('input', { type: 'checkbox' }),
    kept: h('input', { type: 'checkbox' }),
  };
  #import = /** @type {ImportPart} */ (document.createElement('import-part'));
  #chosen = h('strong', {});
  #compare = h('a', { class: 'sub-link' }, 'Compare');
  #selection = h('div', { class: 'sub-selection', role: 'group', 'aria-label': 'selected shots', hidden: true }, this.#chosen, this.#compare);

  build() {
    this.begin('shots-table');
    const { words, tree, since, failed, noted, kept } = this.fields;
    this.bar(words, field('Experiment', tree), field('Since', since), tick('failed', failed), tick('with notes', noted), tick('in files', kept), this.#import);
    this.#import.app = this.app;
    this.#import.addEventListener('imported', () => this.again());
    this.append(this.#selection);
    this.table.addEventListener('selection', () => this.app.changed());
  }

  wanted() {
    const { words, failed, noted, kept } = this.app.route.filters;
    return { ...super.wanted(), words: words ?? '', failed: failed === '1', noted: noted === '1', kept: kept === '1' };
  }

  draw() {
    super.draw();
    this.#import.draw();
    const chosen = this.table.ticked === 2 ? this.table.chosen.map(nameOf) : [];
    this.#selection.hidden = this.table.ticked === 0;
    setText(this.#chosen, chosen.length === 2 ? chosen.join(' and ') : `${this.table.ticked} selected: select two to compare them`);
    this.#compare.hidden = chosen.length !== 2;
    if (chosen.length === 2) this.#compare.href = compareAddress(chosen[0], chosen[1]);
  }
}

/** @extends {ListView<FailuresTable>} */
export class FailuresView extends ListView {
  one = 'failure';
  verb = 'failures';
  list = 'failures';
  fields = { since: choice('failures-since', SINCE, 'since'), tree: trees() };

  build() {
    this.begin('failures-table');
    this.bar(field('Since', this.fields.since), field('Experiment', this.fields.tree));
  }

  nothing() {
    return this.pages.reading || this.pages.problem ? super.nothing() : 'Nothing has failed in these shots.';
  }
}

/** @type {[string, string][]} */
const PLACES = [['', 'everywhere'], ['action', 'actions'], ['server', 'servers'], ['reason', 'reasons'], ['output', 'output'], ['note', 'notes'], ['who', 'people']];

/** @extends {ListView<FoundTable>} */
export class SearchView extends ListView {
  one = 'place';
  verb = 'search';
  list = 'found';
  fields = {
    words: h('input', { type: 'search', id: 'search-words', placeholder: 'Words in all shots   /', 'aria-label': 'words', autocomplete: 'off' }),
    where: choice('search-where', PLACES, 'where'),
    since: choice('search-since', SINCE, 'since'),
    tree: trees(),
  };

  build() {
    this.begin('found-table');
    const { words, where, since, tree } = this.fields;
    this.bar(words, field('In', where), field('Since', since), field('Experiment', tree));
  }

  wanted() {
    const { words, where } = this.app.route.filters;
    return words ? { ...super.wanted(), words, where: where ? [where] : [] } : null;
  }

  nothing() {
    if (!this.app.route.filters.words) return 'Give words of an action, a server, a reason, a note, or a line of output.';
    if (this.pages.reading || this.pages.problem) return super.nothing();
    const more = this.pages.next === null ? '' : '; there are older ones';
    return `“${plain(this.app.route.filters.words)}” was not found in ${this.pages.lookedAt} shots${more}.`;
  }
}

customElements.define('shots-view', ShotsView);
customElements.define('failures-view', FailuresView);
customElements.define('search-view', SearchView);
