/**
 * The programme: the queue's entries as rows, in their order. They are moved by dragging, and by the
 * keyboard; while they are on their way the rows stand as they would, and nothing is changed yet.
 */

/** @import {Entry} from '../model/types.js' */
/** @import {Inputs} from '../view/part.js' */
/** @import {Editor} from './editor.js' */
/** @import {Kinds} from './kinds.js' */
import { movedBy } from '../model/table.js';
import { ask } from '../view/dialog.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Part } from '../view/part.js';
import { Windowed } from '../view/windowed.js';
import { useStyle } from '../view/style.js';
import { beside, placed, without } from './board.js';
import { EMPTY, heldWords, planDetails, planName, whoWords } from './words.js';

useStyle(import.meta.url);

/** What the programme's keys do. @type {[string, string][]} */
export const KEYS = [
  ['↑ ↓ PgUp PgDn Home End', 'move in the programme'],
  ['Space', 'grab the row, or the selected rows; ↑ ↓ Home End move them, Space drops, Esc leaves all as it was'],
  ['Shift+↑ ↓, x', 'select rows'],
  ['Enter  Del  r', 'Change, Remove, Release the row or the selected rows'],
  ['a', 'add a plan'],
];

const DRAG_PX = 5;
const EDGE_PX = 36;

/**
 * Entries on their way.
 * @typedef {object} Grab
 * @property {string[]} uids
 * @property {number} at of the list without them
 * @property {boolean} dragged
 * @property {number} held which of them the pointer holds
 * @property {boolean} sent
 */

/**
 * @typedef {HTMLElement & {parts: Parts}} RowElement
 * @typedef {object} Parts
 * @property {string} uid
 * @property {HTMLInputElement} box
 * @property {HTMLElement} place
 * @property {HTMLElement} name
 * @property {HTMLElement} held
 * @property {HTMLElement} details
 * @property {HTMLElement} who
 * @property {HTMLButtonElement} release
 * @property {HTMLButtonElement} change
 * @property {HTMLButtonElement} remove
 */

export class Programme extends Part {
  /** @type {Editor} */ editor = /** @type {any} */ (null);
  /** @type {Kinds} */ kinds = /** @type {any} */ (null);
  /** Opens the form for an entry, or a new one like it. @type {(entry: Entry|null, how: 'add'|'change', behind?: Entry) => void} */ form = () => {};
  #ticked = new Set();
  #cursor = '';
  /** @type {Grab|null} */ #grab = null;
  /** Where the pointer went down. @type {{uid: string, x: number, y: number, id: number}|null} */ #down = null;
  #pointerY = 0;
  /** @type {string[]} */ #shown = [];
  /** @type {Windowed<RowElement>} */ #rows = /** @type {any} */ (null);
  #add = h('button', { class: 'primary', onclick: () => this.#new(null) }, 'Add a plan …');
  #count = h('span', { class: 'count' });
  #clear = h('button', { class: 'small quiet', onclick: () => void this.#clearAll() }, 'Clear …');
  #chosen = h('span', { class: 'count' });
  #selection = h('div', { class: 'programme-selection', role: 'group', 'aria-label': 'selected rows' },
    this.#chosen,
    this.#button('Release …', 'queue_release', () => void this.editor.release(this.#entries().filter((one) => one.state === 'held'))),
    this.#button('Change …', 'queue_update', () => this.#change()),
    this.#button('Copy …', 'queue_add', () => this.#copy()),
    this.#button('To the front', 'queue_move', () => void this.#send(this.#uids(), 0)),
    this.#button('To the back', 'queue_move', () => void this.#send(this.#uids(), Infinity)),
    this.#button('Remove', 'queue_remove', () => void this.editor.remove(this.#entries())));
  #body = h('div', { class: 'plan-scroll', tabIndex: 0, role: 'grid', 'aria-label': 'programme', 'aria-multiselectable': 'true', 'aria-describedby': 'programme-help' });
  #empty = h('p', { class: 'empty', hidden: true });
  #help = h('p', { id: 'programme-help', class: 'programme-help' });
  #said = h('p', { class: 'unseen', role: 'status', 'aria-live': 'assertive' });

  /** @param {string} text @param {string} verb @param {() => void} act */
  #button(text, verb, act) {
    return h('button', { class: 'small', 'data-verb': verb, onclick: act }, text);
  }

  build() {
    const space = h('div', { class: 'table-space', role: 'rowgroup' });
    this.#body.append(space);
    this.append(
      h('header', { class: 'programme-head' }, h('h2', {}, 'Programme'), this.#count, this.#clear, this.#add),
      // Below the rows: what appears there moves none of them away from under a finger.
      this.#body, this.#empty, this.#selection, this.#help, this.#said);
    this.#rows = new Windowed(this.#body, space, () => this.#create(), (element, index, made) => this.#update(element, index, made), (index) => this.#shown[index]);
    this.#body.addEventListener('scroll', () => this.app.changed(), { passive: true });
    new ResizeObserver(() => this.app.changed()).observe(this.#body);
    this.#body.addEventListener('pointerdown', (event) => this.#pressed(event));
    this.#body.addEventListener('pointermove', (event) => this.#pointed(event));
    this.#body.addEventListener('pointerup', (event) => this.#released(event));
    this.#body.addEventListener('pointercancel', () => this.#leave());
    this.#body.addEventListener('dblclick', (event) => {
      if (uidAt(event)) this.#change();
    });
  }

  restyle() {
    this.#rows.measure();
  }

  draw() {
    const { board } = this.editor;
    const grab = this.#grab;
    if (grab && !grab.uids.every((uid) => board.place(uid) > 0)) this.#lost();
    this.#shown = this.#grab ? placed(board.order, this.#grab.uids, this.#grab.at) : board.order;
    for (const uid of this.#ticked) if (!board.entries.has(uid)) this.#ticked.delete(uid);
    this.#rows.draw(this.#shown.length);
    setAttribute(this.#body, 'aria-rowcount', String(this.#shown.length));
    const here = this.#shown.indexOf(this.#cursor);
    setAttribute(this.#body, 'aria-activedescendant', here >= 0 ? rowId(this.#cursor) : null);
    this.#body.classList.toggle('grabbed', this.#grab !== null);
    this.#body.hidden = this.#shown.length === 0;
    this.#empty.hidden = this.#shown.length > 0;
    setText(this.#empty, board.view ? this.#emptyWords() : 'Waiting for the monitor …');
    setText(this.#count, String(this.#shown.length));
    const may = this.app.may('queue_move');
    this.#help.hidden = this.#shown.length < 2 || !may;
    setText(this.#help, this.#grab ? 'Arrows move it; Space drops it; Esc leaves all as it was.' : 'Drag a row to move it; or Space, arrows, Space.');
    const adds = this.app.may('queue_add');
    this.#add.disabled = (!adds && !this.app.may('queue_propose')) || this.kinds.problem !== '';
    setText(this.#add, adds ? 'Add a plan …' : 'Propose a plan …');
    this.#drawSelection();
  }

  #emptyWords() {
    if (!this.app.may('queue_add')) return 'The queue is empty: propose a plan, which somebody approves.';
    return this.editor.board.view?.running ? 'Nothing waits behind the running plan.' : EMPTY;
  }

  #drawSelection() {
    const entries = this.#entries();
    this.#clear.hidden = this.#shown.length === 0 || entries.length > 0;
    this.#clear.disabled = !this.app.may('queue_clear');
    this.#selection.hidden = entries.length === 0 || this.#grab !== null;
    setText(this.#chosen, this.#ticked.size > 0 ? `${this.#ticked.size} selected` : '');
    for (const button of this.#selection.querySelectorAll('button')) {
      const { verb } = button.dataset;
      button.disabled = !this.app.may(verb ?? '');
      if (verb === 'queue_release') button.hidden = !entries.some((one) => one.state === 'held');
      if (verb === 'queue_update' || verb === 'queue_add') button.hidden = entries.length !== 1 || !this.kinds.fit(entries[0].plan);
    }
  }

  // Rows

  /** @returns {RowElement} */
  #create() {
    const element = /** @type {RowElement} */ (/** @type {HTMLElement} */ (h('div', { class: 'plan-row', role: 'row' })));
    const box = h('input', { type: 'checkbox', tabIndex: -1, 'aria-label': 'select this row', onchange: () => this.#tick(element.parts.uid, box.checked) });
    const place = h('span', { class: 'plan-place' });
    const name = h('strong', { class: 'plan-name' });
    const held = h('span', { class: 'plan-held' });
    const details = h('span', { class: 'plan-details' });
    const who = h('span', { class: 'plan-who' });
    /** @param {string} text @param {(entry: Entry) => void} act */
    const button = (text, act) => h('button', { class: 'small', tabIndex: -1, onclick: () => {
      const entry = this.editor.board.entries.get(element.parts.uid);
      if (entry) act(entry);
    } }, text);
    const release = button('Release …', (entry) => void this.editor.release([entry]));
    const change = button('Change', (entry) => this.form(entry, 'change'));
    const remove = button('Remove', (entry) => void this.editor.remove([entry]));
    element.append(
      h('div', { class: 'plan-grip', role: 'gridcell' }, h('span', { class: 'grip', 'aria-hidden': 'true', title: 'drag it to its place' }, '⠿'), box, place),
      h('div', { class: 'plan-what', role: 'gridcell' }, h('div', { class: 'plan-line' }, held, name, details), who),
      h('div', { class: 'plan-buttons row-actions', role: 'gridcell' }, release, change, remove));
    element.parts = { uid: '', box, place, name, held, details, who, release, change, remove };
    return element;
  }

  /** @param {RowElement} element @param {number} index @param {Inputs} made */
  #update(element, index, made) {
    const uid = this.#shown[index];
    const entry = this.editor.board.entries.get(uid);
    const { parts } = element;
    if (!entry) return;
    const ticked = this.#ticked.has(uid);
    const cursor = this.#cursor === uid;
    const moving = this.#grab?.uids.includes(uid) ?? false;
    const may = ['queue_release', 'queue_update', 'queue_remove', 'queue_move'].map((verb) => this.app.may(verb));
    const fits = this.kinds.fit(entry.plan);
    if (!made.changed(entry, index, ticked, cursor, moving, this.kinds.version, ...may)) return;
    const held = entry.state === 'held';
    parts.uid = uid;
    element.id = rowId(uid);
    element.dataset.uid = uid;
    setAttribute(element, 'class', `plan-row${held ? ' held' : ''}${entry.plan.type === 'stop' ? ' stop' : ''}${ticked ? ' ticked' : ''}${cursor ? ' cursor' : ''}${moving ? ' moving' : ''}${may[3] ? ' movable' : ''}`);
    setAttribute(element, 'aria-rowindex', String(index + 1));
    setAttribute(element, 'aria-selected', String(ticked));
    parts.box.checked = ticked;
    setText(parts.place, String(index + 1));
    setText(parts.held, held ? 'HELD' : '');
    setText(parts.name, planName(entry.plan));
    setText(parts.details, planDetails(entry.plan, this.kinds.of(entry.plan.kind)));
    setText(parts.who, [whoWords(entry), held ? heldWords(entry) : ''].filter(Boolean).join(' · '));
    element.title = `${planName(entry.plan)}  ${parts.details.textContent}\n${parts.who.textContent}`;
    parts.release.hidden = !held;
    parts.change.hidden = !fits;
    [parts.release.disabled, parts.change.disabled, parts.remove.disabled] = may.map((one) => !one);
  }

  /** @param {string} uid @param {boolean} on */
  #tick(uid, on) {
    if (on) this.#ticked.add(uid);
    else this.#ticked.delete(uid);
    this.#cursor = uid;
    this.app.changed();
  }

  /** Return what is selected, in the queue's order; nothing ticked: the row of the cursor. */
  #uids() {
    const { order } = this.editor.board;
    if (this.#ticked.size > 0) return order.filter((uid) => this.#ticked.has(uid));
    return order.includes(this.#cursor) ? [this.#cursor] : [];
  }

  /** @returns {Entry[]} */
  #entries() {
    return this.editor.board.of(this.#uids());
  }

  #change() {
    const [entry] = this.#entries();
    if (entry && this.app.may('queue_update') && this.kinds.fit(entry.plan)) this.form(entry, 'change');
  }

  async #clearAll() {
    const { board } = this.editor;
    if (!(await ask({ title: board.order.length === 1 ? 'Remove the only plan?' : `Remove all ${board.order.length} plans?`, text: 'Proposals stay, and so does what runs.', yes: 'Remove all', cautious: true }))) return;
    await this.editor.run('Clear the queue', 'queue_clear', {}, { version: board.number });
  }

  #copy() {
    const [entry] = this.#entries();
    if (entry) this.#new(entry);
  }

  /** @param {Entry|null} like */
  #new(like) {
    this.form(like, 'add', this.editor.board.of(this.editor.board.place(this.#cursor) > 0 ? [this.#cursor] : [])[0]);
  }

  /** Bring an entry into view, with the cursor on it. @param {string} uid */
  reveal(uid) {
    const index = this.#shown.indexOf(uid);
    if (index < 0) return;
    this.#cursor = uid;
    this.#rows.reveal(index);
    this.app.changed();
  }

  // On their way

  /** @param {string[]} uids @param {{dragged?: boolean, held?: number}} [how] */
  #take(uids, { dragged = false, held = 0 } = {}) {
    const { order } = this.editor.board;
    const first = order.indexOf(uids[0]);
    const at = without(order.slice(0, first), uids).length;
    this.#grab = { uids, at, dragged, held, sent: false };
    if (!dragged) this.#say(`grabbed ${this.#named()}, place ${at + 1} of ${order.length}`);
    this.app.changed();
  }

  /** @param {number} at */
  #to(at) {
    const grab = this.#grab;
    if (!grab || grab.sent) return;
    const { order } = this.editor.board;
    const most = order.length - grab.uids.length;
    const wanted = Math.max(0, Math.min(most, at));
    if (wanted === grab.at) return;
    this.#grab = { ...grab, at: wanted };
    this.#shown = placed(order, grab.uids, wanted);
    if (!grab.dragged) {
      this.#rows.reveal(wanted);
      this.#say(`place ${wanted + 1} of ${order.length}`);
    }
    this.app.changed();
  }

  async #drop() {
    const grab = this.#grab;
    if (!grab || grab.sent) return;
    const { order } = this.editor.board;
    const same = placed(order, grab.uids, grab.at).every((uid, index) => uid === order[index]);
    if (same) {
      this.#leave();
      return;
    }
    this.#grab = { ...grab, sent: true };
    this.#say(`dropped ${this.#named()} at place ${grab.at + 1}`);
    await this.#send(grab.uids, grab.at);
    this.#leave();
  }

  /** Leave all as it was. */
  #leave() {
    this.#down = null;
    if (this.#grab && !this.#grab.sent) this.#say('left where it was');
    this.#grab = null;
    this.app.changed();
  }

  /** Somebody else has taken out what was grabbed, or it runs. */
  #lost() {
    this.#grab = null;
    this.#down = null;
    this.#say('what was grabbed is no longer in the queue');
  }

  /** @param {string[]} uids @param {number} at of the list without them */
  async #send(uids, at) {
    const { board } = this.editor;
    const what = uids.length === 1 ? `Move ${planName(board.entries.get(uids[0])?.plan ?? {})}` : `Move ${uids.length} plans`;
    await this.editor.run(what, 'queue_move', { uids, ...beside(board.order, uids, at) }, { version: board.number });
  }

  #named() {
    const uids = this.#grab?.uids ?? [];
    return uids.length === 1 ? planName(this.editor.board.entries.get(uids[0])?.plan ?? {}) : `${uids.length} plans`;
  }

  /** @param {string} text */
  #say(text) {
    setText(this.#said, text);
  }

  // The pointer

  /** @param {PointerEvent} event */
  #pressed(event) {
    const uid = uidAt(event);
    if (!uid || event.button !== 0) return;
    const target = /** @type {Element} */ (event.target);
    if (target.closest('button, input')) return;
    this.#cursor = uid;
    if (event.ctrlKey || event.metaKey) this.#tick(uid, !this.#ticked.has(uid));
    // A finger on the row scrolls; on the grip it drags.
    const drags = event.pointerType === 'mouse' || target.closest('.plan-grip') !== null;
    if (drags && this.app.may('queue_move') && !this.#grab) {
      this.#down = { uid, x: event.clientX, y: event.clientY, id: event.pointerId };
    }
    this.app.changed();
  }

  /** @param {PointerEvent} event */
  #pointed(event) {
    const down = this.#down;
    if (!down || event.pointerId !== down.id) return;
    this.#pointerY = event.clientY;
    if (!this.#grab) {
      if (Math.hypot(event.clientX - down.x, event.clientY - down.y) < DRAG_PX) return;
      const uids = this.#ticked.has(down.uid) ? this.#uids() : [down.uid];
      this.#take(uids, { dragged: true, held: uids.indexOf(down.uid) });
      this.#body.setPointerCapture(down.id);
      this.#scrollAlong();
    }
    this.#follow();
    event.preventDefault();
  }

  /** Put what is dragged where the pointer is. */
  #follow() {
    const grab = this.#grab;
    if (!grab?.dragged) return;
    const top = this.#body.getBoundingClientRect().top;
    const row = Math.floor((this.#pointerY - top + this.#body.scrollTop) / (this.#rows.rowHeight || 1));
    this.#to(row - grab.held);
  }

  /** Scroll while something is dragged near an edge. */
  #scrollAlong() {
    if (!this.#grab?.dragged || this.#grab.sent) return;
    const { top, bottom } = this.#body.getBoundingClientRect();
    const over = Math.min(0, this.#pointerY - top - EDGE_PX) + Math.max(0, this.#pointerY - bottom + EDGE_PX);
    if (over !== 0) {
      this.#body.scrollTop += over / 3;
      this.#rows.look();
      this.#follow();
    }
    requestAnimationFrame(() => this.#scrollAlong());
  }

  /** @param {PointerEvent} event */
  #released(event) {
    if (event.pointerId !== this.#down?.id) return;
    this.#down = null;
    if (this.#grab?.dragged) void this.#drop();
  }

  // Keys

  /** @param {KeyboardEvent} event */
  key(event) {
    if (this.#grab ? this.#keyWhileGrabbed(event) : this.#keyAtRest(event)) event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  #keyWhileGrabbed(event) {
    const { at } = /** @type {Grab} */ (this.#grab);
    const page = this.#page();
    /** @type {Record<string, number>} */
    const moves = { ArrowUp: at - 1, ArrowDown: at + 1, PageUp: at - page, PageDown: at + page, Home: 0, End: Infinity };
    if (event.key in moves) this.#to(moves[event.key]);
    else if (event.key === ' ' || event.key === 'Enter') void this.#drop();
    else if (event.key === 'Escape') this.#leave();
    else return false;
    return true;
  }

  /** @param {KeyboardEvent} event */
  #keyAtRest(event) {
    const shown = this.#shown;
    const at = shown.indexOf(this.#cursor);
    const to = movedBy(event.key, at, shown.length, this.#page());
    if (to !== null) {
      const next = shown[to];
      if (event.shiftKey) for (const uid of [this.#cursor, next]) if (uid) this.#ticked.add(uid);
      this.reveal(next);
    } else if (event.key === ' ' && at >= 0 && this.app.may('queue_move')) this.#take(this.#ticked.has(this.#cursor) ? this.#uids() : [this.#cursor]);
    else if (event.key === 'x' && at >= 0) this.#tick(this.#cursor, !this.#ticked.has(this.#cursor));
    else if (event.key === 'Escape') this.#ticked.clear();
    else if (event.key === 'Enter') this.#change();
    else if (event.key === 'Delete' && this.app.may('queue_remove')) void this.editor.remove(this.#entries());
    else if (event.key === 'r' && this.app.may('queue_release')) void this.editor.release(this.#entries().filter((one) => one.state === 'held'));
    else if (event.key === 'a' && !this.#add.disabled) this.#new(null);
    else return false;
    this.app.changed();
    return true;
  }

  #page() {
    return Math.max(1, Math.floor(this.#body.clientHeight / (this.#rows.rowHeight || 1)) - 1);
  }
}

/** @param {Event} event */
function uidAt(event) {
  const row = event.target instanceof Element ? event.target.closest('.plan-row') : null;
  return row instanceof HTMLElement ? (row.dataset.uid ?? '') : '';
}

/** @param {string} uid */
function rowId(uid) {
  return `plan-${uid}`;
}

customElements.define('queue-programme', Programme);
