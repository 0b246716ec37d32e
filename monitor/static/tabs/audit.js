/**
 * The tab Audit: who has asked for what, from where, when, and what came of it; the newest first, as
 * it comes. For administrators.
 */

/** @import {App} from '../view/app.js' */
/** @import {Audited} from '../model/types.js' */
import { duration, moment } from '../model/format.js';
import { SYSTEM } from '../model/system.js';
import { plain } from '../model/words.js';
import { command } from '../view/api.js';
import { h, setText } from '../view/dom.js';
import { Inputs } from '../view/part.js';
import { Tab } from '../view/tab.js';
import { Windowed } from '../view/windowed.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

const PAGE = 200;
const LINES_MAX = 20_000;
const NEAR = 400; // pixels from the end: older lines are read
const SYMBOL = /** @type {Record<string, string>} */ ({ ok: '✓', accepted: '…', failed: '✗', refused: '▲', usage: '▲', nobody: '▲', error: '✗' });
const SINCE = [['', 'ever'], ['1h', 'an hour'], ['1d', 'a day'], ['7d', 'a week'], ['30d', 'a month']];
const SECONDS = /** @type {Record<string, number>} */ ({ h: 3600, d: 86_400 });
const SHOT = /^\s*([A-Za-z][A-Za-z0-9_]*)(?:\/(\d{1,10}))?\s*$/;

/** @param {string} id @param {string[][]} values and what is shown of them */
function choice(id, values) {
  return h('select', { id }, ...values.map(([value, text]) => h('option', { value }, text)));
}

/** @param {string} id @param {string} placeholder */
function words(id, placeholder) {
  return h('input', { type: 'search', id, placeholder, autocomplete: 'off' });
}

export class TabAudit extends Tab {
  static id = 'audit';
  static title = 'Audit';
  static channels = [SYSTEM];

  /** @param {App} app */
  static isFor(app) {
    return app.who.may.includes('administer');
  }

  #fields = {
    who: words('audit-who', 'Who, or from where   /'),
    command: words('audit-command', 'command, as abort'),
    about: words('audit-about', 'TREE or TREE/SHOT'),
    outcome: choice('audit-outcome', ['', 'ok', 'accepted', 'refused', 'failed', 'usage', 'error'].map((one) => [one, one || 'all'])),
    since: choice('audit-since', SINCE),
  };
  #count = h('span', { class: 'count' });
  #scroll = h('div', { class: 'log-scroll', tabIndex: 0, role: 'log', 'aria-live': 'off', 'aria-label': 'audit' });
  #asked = new Inputs();
  /** @type {Audited[]} */ #lines = [];
  /** @type {string|null} */ #next = null; // older ones may follow behind this one
  #problem = '';
  #reading = false;
  #again = false; // something came while it was read
  /** @type {Windowed<HTMLElement>} */ #rows = /** @type {any} */ (null);

  build() {
    const space = h('div', { class: 'table-space' });
    this.#scroll.append(space);
    this.#rows = new Windowed(this.#scroll, space, createLine, (element, index, made) => this.#fill(element, index, made), (index) => this.#lines[index]?.id ?? index);
    this.#scroll.addEventListener('scroll', () => this.app.changed(), { passive: true });
    new ResizeObserver(() => this.app.changed()).observe(this.#scroll);
    for (const [name, input] of Object.entries(this.#fields)) {
      input.addEventListener('change', () => this.#filter(name, input.value.trim()));
    }
    /** @param {string} text @param {HTMLElement} input */
    const field = (text, input) => h('label', { class: 'field' }, h('span', {}, text), input);
    const { who, command: given, about, outcome, since } = this.#fields;
    this.append(
      h('div', { class: 'toolbar' }, who, field('Command', given), field('About', about), field('Outcome', outcome), field('Since', since), this.#count),
      this.#scroll);
    this.fromRoute();
  }

  /** @param {string} name @param {string} value */
  #filter(name, value) {
    this.app.filter({ [name]: value });
  }

  fromRoute() {
    for (const [name, input] of Object.entries(this.#fields)) {
      const value = this.app.route.filters[name] ?? '';
      if (input.value !== value) input.value = value;
    }
  }

  focusSearch() {
    this.#fields.who.focus();
  }

  restyle() {
    this.#rows.measure();
  }

  draw() {
    const { route, system, feed } = this.app;
    if (this.#asked.changed(JSON.stringify(route.filters), system.audited, feed.connected)) void this.#read();
    this.#rows.draw(this.#lines.length);
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    if (this.#next !== null && scrollHeight - scrollTop - clientHeight < NEAR) void this.#readOlder();
    const more = this.#next === null ? '' : ', and older ones';
    setText(this.#count, this.#problem || (this.#reading && this.#lines.length === 0 ? 'reading …' : `${this.#lines.length} ${this.#lines.length === 1 ? 'line' : 'lines'}${more}`));
  }

  /** Read the newest lines; those that are known already stay. */
  async #read() {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    const version = JSON.stringify(this.app.route.filters);
    const known = this.#known === version ? this.#lines : [];
    const found = await this.#ask({});
    if (found !== null && JSON.stringify(this.app.route.filters) === version) {
      const at = known.length > 0 ? found.lines.findIndex((line) => line.id === known[0].id) : -1;
      const joins = at >= 0 || (known.length > 0 && found.next === null && found.lines.length === 0);
      if (!joins) this.#next = found.next;
      this.#lines = joins ? [...found.lines.slice(0, Math.max(at, 0)), ...known] : found.lines;
      this.#known = version;
      if (this.#lines.length > LINES_MAX) {
        this.#lines = this.#lines.slice(0, LINES_MAX);
        this.#next = this.#lines[LINES_MAX - 1].id;
      }
    }
    this.#ended();
  }

  /** Read what stands behind the last line. */
  async #readOlder() {
    if (this.#reading || this.#next === null || this.#lines.length >= LINES_MAX) return;
    const version = this.#known;
    const found = await this.#ask({ before: this.#next });
    if (found === null) this.#next = null; // what is wrong is shown
    else if (JSON.stringify(this.app.route.filters) === version) {
      this.#lines = [...this.#lines, ...found.lines];
      this.#next = found.next;
    }
    this.#ended();
  }

  #ended() {
    this.#reading = false;
    const again = this.#again;
    this.#again = false;
    if (again) void this.#read();
    this.app.changed();
  }

  /**
   * Ask for lines with the filters of the address.
   * @param {Record<string, unknown>} more
   * @returns {Promise<{lines: Audited[], next: string|null}|null>}
   */
  async #ask(more) {
    this.#reading = true;
    const wanted = asked(this.app.route.filters, this.app.now());
    if (wanted === null) {
      this.#problem = 'About: give TREE or TREE/SHOT';
      return { lines: [], next: null };
    }
    const answer = await command('audit', { ...wanted, ...more, limit: PAGE });
    this.#problem = answer.status === 200 ? '' : plain(answer.message) || 'it cannot be read now';
    return answer.status === 200 ? answer.result : null;
  }

  /** The filters that the lines were read with. */
  #known = '';

  /** @param {HTMLElement} element @param {number} index @param {Inputs} made */
  #fill(element, index, made) {
    const line = this.#lines[index];
    if (!line || !made.changed(line)) return;
    element.className = `log-line audit-line ${line.outcome}`;
    const [at, outcome, who, what, message] = element.children;
    setText(at, moment(line.time));
    setText(outcome, `${SYMBOL[line.outcome] ?? ''} ${line.outcome}`);
    setText(who, plain(giver(line)));
    setText(what, plain(said(line)));
    const took = typeof line.duration_s === 'number' ? `  (${duration(line.duration_s)})` : '';
    const untold = line.untold ? `  (${line.untold} others before it are not told)` : '';
    setText(message, plain(line.message ?? '') + took + untold);
    element.title = plain(`${giver(line)}\n${said(line)}\n${line.message ?? ''}`.replaceAll('\n', ' · '));
  }
}

/**
 * Return what is asked of the monitor; null where the shot cannot be read.
 * @param {Record<string, string>} filters
 * @param {number} now
 */
function asked(filters, now) {
  /** @type {Record<string, unknown>} */
  const wanted = {};
  if (filters.who) wanted.who = filters.who;
  if (filters.command) wanted.command = filters.command.trim().replaceAll('-', '_');
  if (filters.outcome) wanted.outcome = filters.outcome;
  const since = /^(\d{1,4})([hd])$/.exec(filters.since ?? '');
  if (since) wanted.since = now - Number(since[1]) * SECONDS[since[2]];
  if (filters.about) {
    const shot = SHOT.exec(filters.about);
    if (!shot) return null;
    wanted.tree = shot[1].toUpperCase();
    if (shot[2]) wanted.shot = Number(shot[2]);
  }
  return wanted;
}

/** Return who it was, and from where. @param {Audited} line */
function giver(line) {
  const own = (line.via ?? 'program') === 'program';
  return [
    line.who || 'somebody',
    !own && `(${line.via})`,
    line.browser && `at ${line.browser}`,
    !own && line.program && `by ${line.program}`,
    line.key && `with the key ${line.key}`,
    line.address && `from ${line.address}`,
  ].filter(Boolean).join(' ');
}

/** Return what was asked for. @param {Audited} line */
function said(line) {
  const shot = [line.tree, line.shot].filter((one) => one !== null && one !== undefined).join('/');
  return [line.verb, shot, line.arguments].filter(Boolean).join(' ');
}

/** @returns {HTMLElement} */
function createLine() {
  return h('div', { class: 'log-line' }, h('time'), h('span', { class: 'level' }), h('span', { class: 'audit-who' }),
    h('span', { class: 'audit-what' }), h('span', { class: 'text' }));
}
