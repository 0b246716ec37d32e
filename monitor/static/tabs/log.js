/**
 * The tab Log: the daemons' logs, live; filters; a form for a test message.
 */

/** @import {LogLine} from '../model/system.js' */
import { LEVELS, LOG, filterLog } from '../model/system.js';
import { clock } from '../model/format.js';
import { plain } from '../model/words.js';
import { command } from '../view/api.js';
import { openLogs, tell } from '../view/commands.js';
import { h, setText } from '../view/dom.js';
import { Inputs } from '../view/part.js';
import { Windowed } from '../view/windowed.js';
import { Tab } from '../view/tab.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

const SYMBOL = /** @type {Record<string, string>} */ ({ debug: '·', info: 'ℹ', warning: '▲', error: '✗', critical: '✗✗' });

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
  #newest = h('button', { class: 'small', onclick: () => this.#follow(true) }, 'Newest ↓');
  #count = h('span', { class: 'count' });
  #scroll = h('div', { class: 'log-scroll', tabIndex: 0, role: 'log', 'aria-label': 'log' });
  #testLevel = choice('test-level', LEVELS);
  #testText = h('input', { id: 'test-text', placeholder: 'a test message', autocomplete: 'off' });
  #following = true;
  #filtered = new Inputs();
  #offered = new Inputs();
  /** @type {LogLine[]} */ #lines = [];
  /** @type {Windowed<HTMLElement>} */ #rows = /** @type {any} */ (null);

  build() {
    this.#level.value = 'info';
    this.#testLevel.value = 'info';
    for (const input of [this.#level, this.#source, this.#text]) input.addEventListener('input', () => this.app.changed());
    const space = h('div', { class: 'table-space' });
    this.#scroll.append(space);
    this.#rows = new Windowed(this.#scroll, space, createLine, (element, index, made) => this.#fill(element, index, made));
    this.#scroll.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.app.changed()).observe(this.#scroll);
    const form = h('form', { class: 'test-message', onsubmit: (/** @type {Event} */ event) => void this.#send(event) },
      h('span', {}, 'Test message'), this.#testLevel, this.#testText, h('button', { type: 'submit' }, 'Send'));
    /** @param {string} text @param {HTMLElement} input */
    const field = (text, input) => h('label', { class: 'field' }, h('span', {}, text), input);
    this.append(
      h('div', { class: 'toolbar' }, this.#text, field('Level', this.#level), field('From', this.#source), this.#count, this.#newest),
      this.#scroll, form);
  }

  focusSearch() {
    this.#text.focus();
  }

  restyle() {
    this.#rows.measure();
  }

  draw() {
    const log = this.app.of(LOG);
    const sources = log.sources();
    if (this.#offered.changed(...sources)) {
      const chosen = this.#source.value;
      this.#source.replaceChildren(...['', ...sources].map((value) => h('option', { value }, plain(value) || 'all')));
      this.#source.value = chosen;
    }
    if (this.#filtered.changed(log.version, this.#level.value, this.#source.value, this.#text.value)) this.#refresh();
    this.#rows.draw(this.#lines.length);
    if (this.#following) {
      this.#scroll.scrollTop = this.#scroll.scrollHeight;
      this.#rows.look();
      this.#rows.draw(this.#lines.length);
    }
    setText(this.#count, `${this.#lines.length} of ${log.lines.length} lines`);
    this.#newest.hidden = this.#following;
  }

  /** Filter anew; whoever has scrolled up keeps seeing the same lines. */
  #refresh() {
    const log = this.app.of(LOG);
    const first = this.#following ? undefined : this.#lines[Math.floor(this.#scroll.scrollTop / (this.#rows.rowHeight || 1))];
    this.#lines = filterLog(log.lines, { level: this.#level.value, source: this.#source.value, text: this.#text.value });
    if (!first || !this.#rows.rowHeight) return;
    const index = this.#lines.findIndex((line) => line.number >= first.number);
    const height = this.#rows.rowHeight;
    if (index >= 0) this.#scroll.scrollTop = index * height + (this.#scroll.scrollTop % height);
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
