/**
 * The tab Log: the daemons' logs, live; filters; a form for a test message.
 */

/** @import {LogLine} from '../model/system.js' */
import { LEVELS, LOG, filterLog } from '../model/system.js';
import { clock, moment } from '../model/format.js';
import { linesOf } from '../model/stack.js';
import { plain } from '../model/words.js';
import { command } from '../view/api.js';
import { openLogs, tell } from '../view/commands.js';
import { h, setOptions, setText } from '../view/dom.js';
import { isForm } from '../view/forms.js';
import { measureOf } from '../view/measure.js';
import { Inputs } from '../view/part.js';
import { Windowed } from '../view/windowed.js';
import { Tab } from '../view/tab.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

const SYMBOL = /** @type {Record<string, string>} */ ({ debug: '·', info: 'ℹ', warning: '▲', error: '✗', critical: '✗✗' });

/** What a line takes where there is little room: who has written it, and when, stands above it. */
const LINE = 19; // pixels
const AROUND = 22;
const PADDING = 20;
const USUAL = 'info';

/** @param {string} id @param {string[]} values */
function choice(id, values) {
  return h('select', { id }, ...values.map((value) => h('option', { value }, value || 'all')));
}

export class TabLog extends Tab {
  static id = 'log';
  static title = 'Log';
  static channels = [LOG];
  #level = choice('log-level', LEVELS);
  #source = choice('log-source', ['']);
  #text = h('input', { type: 'search', id: 'log-find', placeholder: 'Search the log   /' });
  #server = h('input', { id: 'log-server', list: 'log-servers', size: 9, autocomplete: 'off', spellcheck: false });
  #servers = h('datalist', { id: 'log-servers' });
  #shot = h('input', { id: 'log-shot', list: 'log-shots', size: 9, placeholder: 'TREE/SHOT', autocomplete: 'off', spellcheck: false });
  #shots = h('datalist', { id: 'log-shots' });
  #newest = h('button', { class: 'small', onclick: () => this.#follow(true) }, 'Newest ↓');
  #count = h('span', { class: 'count' });
  #scroll = h('div', { class: 'log-scroll', tabIndex: 0, role: 'log', 'aria-live': 'off', 'aria-label': 'log' });
  #testLevel = choice('test-level', LEVELS);
  #testText = h('input', { id: 'test-text', placeholder: 'a test message', 'aria-label': 'test message', autocomplete: 'off' });
  #following = true;
  #filtered = new Inputs();
  #offered = new Inputs();
  /** @type {LogLine[]} */ #lines = [];
  /** @type {Windowed<HTMLElement>} */ #rows = /** @type {any} */ (null);

  build() {
    this.#testLevel.value = USUAL;
    this.#testLevel.setAttribute('aria-label', 'its level');
    this.#text.setAttribute('aria-label', 'search the log');
    this.#text.addEventListener('input', () => this.app.go({ find: this.#text.value }));
    for (const [name, input] of this.#fields) {
      input.addEventListener('input', () => this.app.filter({ [name]: name === 'level' && input.value === USUAL ? '' : input.value.trim() }));
    }
    const space = h('div', { class: 'table-space' });
    this.#scroll.append(space);
    this.#rows = new Windowed(this.#scroll, space, createLine, (element, index, made) => this.#fill(element, index, made));
    this.#rows.heightOf = (index) => this.#heightOf(index);
    this.#scroll.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.app.changed()).observe(this.#scroll);
    const form = h('form', { class: 'test-message', onsubmit: (/** @type {Event} */ event) => void this.#send(event) },
      h('span', {}, 'Test message'), this.#testLevel, this.#testText, h('button', { type: 'submit' }, 'Send'));
    /** @param {string} text @param {HTMLElement} input */
    const field = (text, input) => h('label', { class: 'field' }, h('span', {}, text), input);
    this.append(
      h('div', { class: 'toolbar' }, this.#text, field('Level', this.#level), field('From', this.#source), field('Server', this.#server), field('Shot', this.#shot),
        this.#servers, this.#shots, this.#count, this.#newest),
      this.#scroll, form);
    this.fromRoute();
  }

  /** By their names in the address. @type {[string, HTMLInputElement|HTMLSelectElement][]} */
  get #fields() {
    return [['level', this.#level], ['from', this.#source], ['server', this.#server], ['of', this.#shot]];
  }

  fromRoute() {
    const { find, filters } = this.app.route;
    if (this.#text.value !== find) this.#text.value = find;
    for (const [name, input] of this.#fields) {
      const value = filters[name] ?? (name === 'level' ? USUAL : '');
      if (name === 'from') this.#offer(value);
      if (input.value.trim() !== value) input.value = value;
    }
    if (!LEVELS.includes(this.#level.value)) this.#level.value = USUAL;
  }

  /** Offer the daemons that have written, and the one that the address names. @param {string} chosen */
  #offer(chosen) {
    const sources = this.app.of(LOG).sources();
    const all = chosen && !sources.includes(chosen) ? [...sources, chosen].sort() : sources;
    if (!this.#offered.changed(...all)) return;
    this.#source.replaceChildren(...['', ...all].map((value) => h('option', { value }, plain(value) || 'all')));
    this.#source.value = chosen;
  }

  focusSearch() {
    this.#text.focus();
  }

  restyle() {
    this.#rows.measure();
  }

  draw() {
    const log = this.app.of(LOG);
    this.#offer(this.app.route.filters.from ?? '');
    setOptions(this.#servers, [...this.app.servers.byName.keys()].sort());
    setOptions(this.#shots, [...this.app.system.shots.keys()].slice(-50).reverse());
    if (this.#filtered.changed(log.version, this.#text.value, ...this.#fields.map(([, input]) => input.value))) this.#refresh();
    this.#rows.draw(this.#lines.length);
    if (this.#following) {
      this.#scroll.scrollTop = this.#scroll.scrollHeight;
      this.#rows.look();
      this.#rows.draw(this.#lines.length);
    }
    setText(this.#count, `${this.#lines.length} of ${log.lines.length} lines`);
    this.#newest.hidden = this.#following;
  }

  /** How high a line is: where there is little room it is wrapped, and whole. @param {number} index */
  #heightOf(index) {
    if (!isForm('tight')) return this.#rows.rowHeight;
    this.#measure ??= measureOf(this.#scroll);
    return AROUND + LINE * Math.max(1, linesOf(plain(this.#lines[index].text), this.#scroll.clientWidth - PADDING, this.#measure));
  }

  /** @type {((text: string) => number)|undefined} */ #measure;

  /** Filter anew; whoever has scrolled up keeps seeing the same lines. */
  #refresh() {
    const log = this.app.of(LOG);
    const { stack } = this.#rows;
    const { scrollTop } = this.#scroll;
    const at = stack.at(scrollTop);
    const first = this.#following ? undefined : this.#lines[at];
    const into = scrollTop - stack.top(at);
    this.#lines = filterLog(log.lines, { level: this.#level.value, source: this.#source.value, text: this.#text.value, server: this.#server.value, shot: this.#shot.value });
    this.#rows.stale();
    if (!first || !this.#rows.rowHeight) return;
    const index = this.#lines.findIndex((line) => line.number >= first.number);
    this.#rows.draw(this.#lines.length);
    if (index >= 0) this.#scroll.scrollTop = this.#rows.stack.top(index) + into;
    this.#rows.look();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    const bottom = scrollHeight - scrollTop - clientHeight < 8;
    if (bottom !== this.#following) this.#following = bottom;
    this.app.changed();
  }

  /** @param {boolean} on */
  #follow(on) {
    this.#following = on;
    this.app.changed();
  }

  /** @param {HTMLElement} element @param {number} index @param {Inputs} made */
  #fill(element, index, made) {
    const line = this.#lines[index];
    if (!line || !made.changed(line)) return;
    element.className = `log-line ${line.level}`;
    const [at, level, source, text, output] = element.children;
    setText(at, clock(line.at, 3));
    /** @type {HTMLElement} */ (at).title = moment(line.at);
    setText(level, `${SYMBOL[line.level] ?? ''} ${line.level}`);
    setText(source, plain(line.source));
    setText(text, plain(line.text));
    /** @type {HTMLElement} */ (text).title = line.text;
    const button = /** @type {HTMLButtonElement} */ (output);
    button.hidden = line.about === null;
    button.onclick = line.about && openLogs.bind(null, line.about);
  }

  /** @param {Event} event */
  async #send(event) {
    event.preventDefault();
    const text = this.#testText.value.trim();
    if (!text) return;
    const answer = await command('log', { level: this.#testLevel.value, text });
    if (answer.status === 200) this.#testText.value = '';
    else tell('Test message', answer);
  }
}

/** @returns {HTMLElement} */
function createLine() {
  return h('div', { class: 'log-line' }, h('time'), h('span', { class: 'level' }), h('span', { class: 'source' }), h('span', { class: 'text' }),
    h('button', { class: 'small quiet', hidden: true, title: 'what the action has written' }, 'Output'));
}
