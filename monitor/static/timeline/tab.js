/**
 * The tab Timeline: the drawing, its zoom and pan, and what is known of the selected action.
 */

/** @import {Bar, Layout, Span} from '../model/timeline.js' */
/** @import {Row, Shot} from '../model/shot.js' */
/** @import {NotesPart} from '../view/notes.js' */
import { beyondWords, layout, layoutWords, timesUsual, zoomed } from '../model/timeline.js';
import { SERVERS } from '../model/system.js';
import { matcher, nodeOf, serverOf } from '../model/table.js';
import { hasFailed } from '../model/shot.js';
import { clock, duration, times } from '../model/format.js';
import { SYMBOLS, details, outcomeWords, plain, stateWords, statusWords, takenS, whenWords } from '../model/words.js';
import { abortRows, canAbort, canDispatch, dispatchRows, openLogs } from '../view/commands.js';
import { h, setAttribute, setText } from '../view/dom.js';
import '../view/notes.js';
import { Inputs } from '../view/part.js';
import { RunStrip, remainingWords } from '../view/run-strip.js';
import { TimelineCanvas } from './canvas.js';
import { TimelineText } from './text.js';
import { Tab } from '../view/tab.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

const MANY = 2000;
const LAID_OUT_EVERY_MS = 250;
const LISTED = 30;
const LONG = 120;
/** @type {[string, string][]} */
const LANES = [['', 'all lanes'], ['used', 'lanes with actions'], ['failed', 'lanes with failures']];

export class TabTimeline extends Tab {
  static id = 'timeline';
  static title = 'Timeline';
  static channels = [SERVERS];
  /** @type {[string, string][]} */
  static keys = [['+ − ← → PgUp PgDn', 'zoom, move, other lanes'], ['f  n  p', 'fit and follow, next and previous action'], ['N  P', 'next and previous that has failed'], ['/', 'filter the lanes']];
  #strip = /** @type {RunStrip} */ (document.createElement('run-strip'));
  #canvas = h('canvas', { class: 'timeline-canvas', role: 'img', 'aria-label': 'timeline of the shot' });
  #space = h('div', { class: 'timeline-space' });
  #scroll = h('div', { class: 'timeline-scroll', tabIndex: 0, role: 'group', 'aria-label': 'timeline: n and p go from action to action' }, this.#canvas, this.#space);
  #above = h('button', { class: 'small more-lanes above', tabIndex: -1, hidden: true, onclick: () => this.#page(-1) });
  #below = h('button', { class: 'small more-lanes below', tabIndex: -1, hidden: true, onclick: () => this.#page(1) });
  #area = h('div', { class: 'timeline-area' }, this.#scroll, this.#above, this.#below);
  #text = /** @type {TimelineText} */ (document.createElement('timeline-text'));
  #asText = h('button', { 'aria-pressed': 'false', onclick: () => this.app.filter({ as: this.app.route.filters.as ? '' : 'table' }) }, 'As a table');
  #said = h('p', { class: 'unseen', 'aria-live': 'polite' });
  #find = h('input', { type: 'search', id: 'lanes', placeholder: 'Lanes, as CAMERA | DAQ:1   /', spellcheck: false, 'aria-label': 'filter the lanes' });
  #which = h('select', { id: 'which-lanes', 'aria-label': 'which lanes' }, ...LANES.map(([value, text]) => h('option', { value }, text)));
  #failed = h('ul', { class: 'action-list failed-list' });
  #failedTitle = h('h2', {}, 'Failed');
  #hover = h('div', { class: 'hover', hidden: true });
  #range = h('select', { id: 'range' }, h('option', { value: 'run' }, 'this run'), h('option', { value: 'shot' }, 'whole shot'));
  #fit = h('button', { onclick: () => this.#follow() }, 'Fit and follow');
  #left = h('p', { class: 'remaining' });
  #critical = h('ol', { class: 'action-list critical-list' });
  #slow = h('ul', { class: 'action-list slow-list' });
  #facts = h('dl', { class: 'facts' });
  #noFacts = h('p', { class: 'none' }, 'Click a bar to see its conditions.');
  #factsTitle = h('h2', {}, 'Selected action');
  #dispatch = h('button', { class: 'small' }, 'Dispatch');
  #abort = h('button', { class: 'small' }, 'Abort');
  #logs = h('button', { class: 'small' }, 'Logs');
  #factButtons = h('div', { class: 'fact-buttons', hidden: true }, this.#dispatch, this.#abort, this.#logs);
  #notes = /** @type {NotesPart} */ (document.createElement('notes-part'));
  #noted = h('section', { class: 'fact-notes', hidden: true }, h('h2', {}, 'Notes on it'), this.#notes);
  #painter = new TimelineCanvas(this.#canvas);
  /** @type {Layout} */ #drawn = layout([], new Map(), []);
  /** @type {Span|null} */ #span = null;
  /** @type {Span} */ #shown = { start: 0, end: 1 };
  #whose = new Inputs();
  #laidOut = new Inputs();
  #wanted = new Inputs();
  #listed = new Inputs();
  #told = new Inputs();
  #failures = new Inputs();
  #chosen = new Inputs();
  /** @type {string|null} */ #hovered = null;
  /** @type {Map<number, {x: number, y: number}>} */ #pointers = new Map();
  #moved = false;

  build() {
    this.#strip.app = this.app;
    const zoom = /** @param {string} text @param {string} label @param {number} factor */ (text, label, factor) =>
      h('button', { 'aria-label': label, title: label, onclick: () => this.#zoom(factor) }, text);
    const toolbar = h('div', { class: 'toolbar' },
      this.#find, this.#which, h('label', { class: 'field' }, h('span', {}, 'Show'), this.#range), this.#fit,
      zoom('+', 'zoom in', 0.6), zoom('−', 'zoom out', 1 / 0.6), this.#asText,
      h('span', { class: 'legend' }, legend('usual', 'usual duration'), legend('slow', 'beyond the usual'), legend('critical', 'limits the phase')));
    const side = h('aside', { class: 'timeline-side', 'aria-label': 'about the timeline', tabIndex: 0 },
      this.#left,
      h('section', {}, this.#failedTitle, this.#failed),
      h('section', {}, this.#factsTitle, this.#noFacts, this.#facts, this.#factButtons),
      this.#noted,
      h('section', {}, h('h2', {}, 'Slower than usual'), this.#slow),
      h('section', {}, h('h2', {}, 'Limits the phase'), this.#critical));
    this.append(this.#strip, toolbar, h('div', { class: 'timeline-body' }, this.#area, this.#text, side), this.#said, this.#hover);
    this.#text.app = this.app;
    this.#notes.app = this.app;
    this.#listen();
    this.fromRoute();
    this.#painter.restyle();
  }

  #listen() {
    const row = () => this.#selectedRow();
    this.#range.addEventListener('input', () => {
      this.#span = null;
      this.app.filter({ range: this.#range.value === 'run' ? '' : this.#range.value });
    });
    this.#find.addEventListener('input', () => this.app.go({ find: this.#find.value }));
    this.#which.addEventListener('input', () => this.app.filter({ lanes: this.#which.value }));
    this.#dispatch.addEventListener('click', () => { const one = row(); if (one) void dispatchRows([one]); });
    this.#abort.addEventListener('click', () => { const one = row(); if (one) void abortRows([one]); });
    this.#logs.addEventListener('click', () => { const one = row(); if (one) openLogs(one); });
    const area = this.#scroll;
    area.addEventListener('scroll', () => this.app.changed(), { passive: true });
    area.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    area.addEventListener('pointerdown', (event) => this.#down(event));
    area.addEventListener('pointermove', (event) => this.#move(event));
    for (const name of /** @type {const} */ (['pointerup', 'pointercancel'])) {
      area.addEventListener(name, (event) => this.#up(event));
    }
    area.addEventListener('pointerleave', () => this.#hoverAt(null, 0, 0));
    new ResizeObserver(() => this.app.changed()).observe(area);
  }

  focusSearch() {
    this.#find.focus();
    this.#find.select();
  }

  fromRoute() {
    const { find, filters } = this.app.route;
    if (this.#find.value !== find) this.#find.value = find;
    this.#range.value = filters.range === 'shot' ? 'shot' : 'run';
    this.#which.value = LANES.find(([value]) => value === filters.lanes)?.[0] ?? '';
  }

  restyle() {
    this.#painter.restyle();
    this.#text.restyle();
    this.app.changed();
  }

  draw() {
    const { shot } = this.app;
    this.#strip.draw();
    if (this.#whose.changed(shot)) {
      this.#span = null;
      this.#laidOut.forget();
    }
    this.#layOut(shot);
    const now = this.app.now();
    const slow = new Set(shot?.estimate?.slow);
    const critical = shot?.estimate?.critical ?? [];
    this.#shown = this.#span ?? this.#wholeSpan(shot, now);
    this.#space.style.height = `${Math.max(0, this.#painter.heightOf(this.#drawn) - this.#scroll.clientHeight)}px`;
    const asText = Boolean(this.app.route.filters.as);
    this.#area.hidden = asText;
    this.#text.hidden = !asText;
    setAttribute(this.#asText, 'aria-pressed', String(asText));
    if (asText) this.#text.show(this.#drawn);
    else this.#paint({
      drawn: this.#drawn,
      span: this.#shown,
      now,
      origin: this.#origin(shot),
      top: this.#scroll.scrollTop,
      selected: this.app.selected,
      hovered: this.#hovered,
      slow,
      critical: new Set(critical),
      open: shot?.busy ?? false,
      category: this.app.category,
    });
    setAttribute(this.#canvas, 'aria-label', layoutWords(this.#drawn));
    setAttribute(this.#fit, 'aria-pressed', String(this.#span === null));
    setText(this.#left, shot ? remainingWords(shot) : '');
    this.#drawLists(shot, critical, slow, now);
    this.#drawFailed();
    this.#drawFacts(now);
    this.#say();
  }

  /** @param {import('./canvas.js').Scene} scene */
  #paint(scene) {
    this.#painter.draw(scene);
    const { above, below } = this.#painter.beyond(scene);
    for (const [button, where, sign] of /** @type {const} */ ([[this.#above, above, '▲'], [this.#below, below, '▼']])) {
      button.hidden = where.lanes === 0;
      setText(button, `${sign} ${beyondWords(where)}`);
      button.classList.toggle('danger', where.failed > 0);
    }
  }

  /** See other lanes. @param {1|-1} by */
  #page(by) {
    this.#scroll.scrollTop += by * Math.max(60, this.#scroll.clientHeight - 80);
  }

  /** Say what was chosen, once. */
  #say() {
    const row = this.#selectedRow();
    if (!this.#chosen.changed(row?.path)) return;
    setText(this.#said, row ? `${plain(nodeOf(row))}, ${outcomeWords(row.last)}, ${plain(serverOf(row))}, ${duration(takenS(row.last, this.app.now()))}` : '');
  }

  /** All that has failed in the shot, also what no server took. */
  #drawFailed() {
    const { shot } = this.app;
    const rows = (shot?.rows ?? []).filter(hasFailed);
    if (!this.#failures.changed(shot, shot?.generation, rows.length, ...rows.slice(0, LISTED).flatMap((row) => [row.path, row.version]))) return;
    setText(this.#failedTitle, rows.length > 0 ? `Failed: ${rows.length}` : 'Failed');
    this.#failed.replaceChildren(...rows.slice(0, LISTED).map((row) => h('li', { 'data-path': row.path },
      h('a', { class: 'link', href: this.app.href({ at: row.path }), onclick: (/** @type {Event} */ event) => { event.preventDefault(); this.#choose(row.path); } }, `${SYMBOLS[row.colour]}\u00a0${plain(nodeOf(row))}`),
      h('span', {}, details(row) || outcomeWords(row.last)))));
    if (rows.length === 0) this.#failed.append(h('li', { class: 'none' }, 'none'));
    else if (rows.length > LISTED) {
      this.#failed.append(h('li', {}, h('a', { class: 'link', href: this.app.href({ tab: 'actions', only: 'failed' }) }, `${rows.length - LISTED} more`)));
    }
  }

  /** Choose an action, and bring its bar into sight. @param {string} path */
  #choose(path) {
    this.app.select(path);
    const bar = this.#drawn.byPath.get(path);
    if (this.app.route.filters.as) this.#text.reveal(path);
    const place = this.#painter.scrollTo(this.#drawn, path);
    if (!bar || !place) return;
    const room = this.#scroll.clientHeight - this.#painter.ruler;
    if (place.top < this.#scroll.scrollTop) this.#scroll.scrollTop = place.top;
    else if (place.end > this.#scroll.scrollTop + room) this.#scroll.scrollTop = place.end - room;
    const end = bar.end ?? this.app.now();
    const { start, end: until } = this.#shown;
    if (end < start || bar.start > until) {
      const length = until - start;
      this.#span = { start: bar.start - length / 2, end: bar.start + length / 2 };
    }
    this.app.changed();
  }

  /**
   * Return where a bar stands on the screen, for whoever wants to point at it.
   * @param {string} path
   */
  barAt(path) {
    const rect = this.#painter.rects.find((one) => one.path === path);
    const box = this.#canvas.getBoundingClientRect();
    return rect ? { x: box.x + rect.x, y: box.y + rect.y, width: rect.width, height: rect.height } : null;
  }

  /** @param {Shot|null} shot */
  #layOut(shot) {
    const there = [...this.app.servers.byName.values()].filter((server) => server.liveness !== 'absent');
    const every = (shot?.rows.length ?? 0) > MANY ? LAID_OUT_EVERY_MS : 0;
    const { find, filters } = this.app.route;
    if (this.#wanted.changed(find, filters.lanes)) this.#laidOut.forget();
    if (!this.#laidOut.due(every, shot, shot?.version, ...there.map((server) => server.server))) return;
    const classes = new Set(shot?.rows.map((row) => row.view.server_class));
    const servers = there.filter((server) => classes.has(server.server_class)).map((server) => server.server);
    const fits = matcher(find, false);
    const keep = /** @param {string} name @param {Bar[]} bars */ (name, bars) => fits(name)
      && (filters.lanes !== 'used' || bars.length > 0) && (filters.lanes !== 'failed' || bars.some((bar) => hasFailed(bar.row)));
    this.#drawn = layout(shot?.rows ?? [], shot?.medians ?? new Map(), servers, keep);
  }

  /** @param {Shot|null} shot */
  #origin(shot) {
    const run = shot?.run;
    return this.#range.value === 'run' && run ? run.opened_at : this.#drawn.start;
  }

  /** @param {Shot|null} shot @param {number} now @returns {Span} */
  #wholeSpan(shot, now) {
    const run = shot?.run ?? null;
    const ofRun = this.#range.value === 'run' && run !== null;
    const start = ofRun ? run.opened_at : this.#drawn.start || now - 10;
    let end = ofRun ? (run.ended_at ?? now) : this.#drawn.end;
    if (shot?.busy) end = now + (shot.estimate?.remaining_s ?? 0);
    for (const bar of this.#drawn.bars) {
      if (!ofRun || bar.start >= start) end = Math.max(end, bar.end ?? now);
    }
    const length = Math.max(1, end - start);
    return { start: start - length * 0.01, end: start + length * 1.07 };
  }

  #follow() {
    this.#span = null;
    this.app.changed();
  }

  /** @param {number} factor @param {number} [around] */
  #zoom(factor, around) {
    this.#span = zoomed(this.#shown, factor, around ?? (this.#shown.start + this.#shown.end) / 2);
    this.#shown = this.#span;
    this.app.changed();
  }

  /** @param {number} pixels */
  #pan(pixels) {
    const { start, end } = this.#shown;
    const by = (pixels / Math.max(1, this.#painter.width - this.#painter.gutter)) * (end - start);
    this.#span = { start: start + by, end: end + by };
    this.#shown = this.#span;
    this.app.changed();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const overflows = this.#scroll.scrollHeight > this.#scroll.clientHeight + 1;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) this.#pan(event.deltaX || event.deltaY);
    else if (event.ctrlKey || !overflows) {
      const x = event.clientX - this.#canvas.getBoundingClientRect().x;
      this.#zoom(1.0018 ** event.deltaY, this.#painter.timeAt(x, this.#shown));
    } else return;
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#moved = false;
    this.#scroll.focus({ preventScroll: true });
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const last = this.#pointers.get(event.pointerId);
    if (!last) {
      const box = this.#canvas.getBoundingClientRect();
      this.#hoverAt(this.#painter.pathAt(event.clientX - box.x, event.clientY - box.y), event.clientX, event.clientY);
      return;
    }
    const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
    if (!this.#moved && Math.hypot(dx, dy) < 4) return;
    if (!this.#moved) this.#scroll.setPointerCapture(event.pointerId);
    this.#moved = true;
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const before = Math.max(20, Math.abs(last.x - other.x));
      const after = Math.max(20, Math.abs(event.clientX - other.x));
      this.#zoom(before / after, this.#painter.timeAt(other.x - this.#canvas.getBoundingClientRect().x, this.#shown));
    } else {
      this.#pan(-dx);
      if (event.pointerType === 'mouse') this.#scroll.scrollTop -= dy;
    }
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (!this.#pointers.delete(event.pointerId) || this.#moved || event.type === 'pointercancel') return;
    const box = this.#canvas.getBoundingClientRect();
    this.app.select(this.#painter.pathAt(event.clientX - box.x, event.clientY - box.y));
  }

  /** @param {string|null} path @param {number} x @param {number} y */
  #hoverAt(path, x, y) {
    const row = path ? this.app.shot?.byPath.get(path) : undefined;
    this.#hover.hidden = !row;
    if (row) {
      const usual = this.app.shot?.medians.get(row.path);
      const lines = [
        plain(nodeOf(row)),
        `${stateWords(row.last)} ${statusWords(row.last)}`.trim(),
        `${clock(row.last.started_at, 1)}   ${duration(takenS(row.last, this.app.now()))}${usual ? `   usually ${duration(usual)}` : ''}`,
        details(row),
      ];
      this.#hover.replaceChildren(...lines.filter(Boolean).map((line) => h('div', {}, line)));
      const left = Math.min(x + 14, window.innerWidth - this.#hover.offsetWidth - 8);
      const top = y + 18 + this.#hover.offsetHeight > window.innerHeight ? y - this.#hover.offsetHeight - 10 : y + 18;
      this.#hover.style.transform = `translate(${left}px, ${top}px)`;
    }
    if (path !== this.#hovered) {
      this.#hovered = path;
      this.app.changed();
    }
  }

  /** Take a key of the page's. @param {KeyboardEvent} event */
  key(event) {
    const step = this.#painter.width / 8;
    const row = this.#selectedRow();
    if (event.key === '+' || event.key === '=') this.#zoom(0.7);
    else if (event.key === '-') this.#zoom(1 / 0.7);
    else if (event.key === 'ArrowLeft') this.#pan(-step);
    else if (event.key === 'ArrowRight') this.#pan(step);
    else if (event.key === 'f') this.#follow();
    else if (event.key === 'n' || event.key === 'p') this.#next(event.key === 'n' ? 1 : -1, this.#barsShown());
    else if (event.key === 'N' || event.key === 'P') this.#next(event.key === 'N' ? 1 : -1, this.#drawn.failed);
    else if (event.key === 'PageDown' || event.key === 'PageUp') this.#page(event.key === 'PageDown' ? 1 : -1);
    else if (event.key === 'l' && row) openLogs(row);
    else if (event.key === 'd' && row && this.app.may('dispatch')) void dispatchRows([row]);
    else if (event.key === 'a' && row && this.app.may('abort')) void abortRows([row]);
    else if (event.key === 'Escape') this.app.select(null);
    else return;
    event.preventDefault();
  }

  /** The bars of the run, or of all. */
  #barsShown() {
    const run = this.#range.value === 'run' ? (this.app.shot?.run?.run ?? null) : null;
    return this.#drawn.bars.filter((bar) => run === null || bar.row.last.run === run);
  }

  /** @param {number} by @param {Bar[]} bars */
  #next(by, bars) {
    const at = bars.findIndex((bar) => bar.row.path === this.app.selected);
    const next = bars[at < 0 ? 0 : Math.max(0, Math.min(bars.length - 1, at + by))];
    if (next) this.#choose(next.row.path);
  }

  #selectedRow() {
    return this.app.selected ? this.app.shot?.byPath.get(this.app.selected) : undefined;
  }

  /**
   * @param {Shot|null} shot
   * @param {string[]} critical
   * @param {Set<string>} slow
   * @param {number} now
   */
  #drawLists(shot, critical, slow, now) {
    /** @param {string} path */
    const factor = (path) => {
      const bar = this.#drawn.byPath.get(path);
      const factor = bar ? timesUsual(bar, now) : null;
      return factor === null ? '' : times(factor);
    };
    const slowest = [...slow].sort((a, b) => parseFloat(factor(b) || '0') - parseFloat(factor(a) || '0')).slice(0, LISTED);
    const medians = shot?.medians;
    if (!this.#listed.changed(shot, shot?.generation, medians, ...critical, null, ...slowest, ...slowest.map(factor))) return;
    /** @param {string} path @param {string} note */
    const item = (path, note) => {
      const row = shot?.byPath.get(path);
      return h('li', { 'data-path': path }, h('button', { class: 'link', onclick: () => this.app.select(path) }, plain(row ? nodeOf(row) : path)), note && h('span', {}, note));
    };
    this.#critical.replaceChildren(...critical.slice(0, LISTED).map((path) => item(path, duration(medians?.get(path)))));
    this.#slow.replaceChildren(...slowest.map((path) => item(path, `▲ ${factor(path)} its usual ${duration(medians?.get(path))}`)));
    if (critical.length === 0) this.#critical.replaceChildren(h('li', { class: 'none' }, 'not known yet'));
    if (slowest.length === 0) this.#slow.replaceChildren(h('li', { class: 'none' }, 'none'));
  }

  /** @param {number} now */
  #drawFacts(now) {
    const row = this.#selectedRow();
    this.#dispatch.disabled = !row || !this.app.may('dispatch') || !canDispatch(row);
    this.#abort.disabled = !row || !this.app.may('abort') || !canAbort(row);
    this.#noted.hidden = !row;
    this.#notes.show(row ? { tree: row.tree, shot: row.shot, path: row.path, notes: this.app.shot?.view?.notes } : null);
    const facts = row ? factsOf(row, this.app.shot, Math.floor(now * 5) / 5).filter(([, text]) => text) : [];
    if (!this.#told.changed(row?.path, row && nodeOf(row), ...facts.flat())) return;
    this.#factButtons.hidden = !row;
    this.#noFacts.hidden = Boolean(row);
    setText(this.#factsTitle, row ? plain(nodeOf(row)) : 'Selected action');
    if (!row) {
      this.#facts.replaceChildren();
      return;
    }
    this.#facts.replaceChildren(...facts.flatMap(([name, text]) => [h('dt', {}, name), h('dd', { class: text.length > LONG ? 'long' : '' }, text)]));
  }
}

/**
 * @param {Row} row
 * @param {Shot|null} shot
 * @param {number} now
 * @returns {[string, string][]}
 */
function factsOf(row, shot, now) {
  const { last, view } = row;
  const references = (view.references ?? []).map((path) => {
    const other = shot?.byPath.get(path);
    return other ? `${SYMBOLS[other.colour]} ${plain(nodeOf(other))}` : plain(path);
  });
  return [
    ['Path', plain(row.path)],
    ['State', `${SYMBOLS[row.colour]} ${stateWords(last)}`],
    ['Status', statusWords(last)],
    ['Reason', details(row)],
    ['Server', plain(serverOf(row))],
    ['Phase', plain(view.phase ?? '')],
    ['When', whenWords(view)],
    ['Waits for', references.join('   ')],
    ['Attempt', last.attempt ? `${last.attempt}, run ${last.run ?? '–'}` : ''],
    ['Start', clock(last.started_at, 3)],
    ['Duration', duration(takenS(last, now))],
    ['Usually', duration(shot?.medians.get(row.path))],
    ['Time limit', duration(view.timeout_s)],
    ['Code', last.code === null || last.code === undefined ? '' : String(last.code)],
    ['Events', row.events.map(plain).join('; ') || plain(view.completion_event ?? '')],
    ['Task', plain(view.text ?? '')],
    ['Help', plain(view.help ?? '')],
    ['Contact', plain(view.contact ?? '')],
  ];
}

/** @param {string} kind @param {string} text */
function legend(kind, text) {
  return h('span', { class: `key ${kind}` }, h('i'), text);
}
