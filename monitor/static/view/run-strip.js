/**
 * The live summary: which shot and run, its phases as bars, counts by category, time remaining.
 */

/** @import {Button} from '../model/verbs.js' */
/** @import {Category} from '../model/types.js' */
import { BUTTONS } from '../model/verbs.js';
import { duration, remaining } from '../model/format.js';
import { CATEGORIES, SYMBOLS, plain, runState, runWords } from '../model/words.js';
import { ask } from './dialog.js';
import { run } from './commands.js';
import { h, setAttribute, setText } from './dom.js';
import { Inputs, Part } from './part.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

/** Of many actions the counts are made only so often. */
const MANY = 2000;
const COUNTED_EVERY_MS = 100;

export class RunStrip extends Part {
  #whose = new Inputs();
  #counted = new Inputs();
  #named = new Inputs();
  #name = h('strong', { class: 'run-shot' });
  #what = h('span', { class: 'run-what' });
  #state = h('span', { class: 'run-state' });
  #time = h('span', { class: 'run-time' });
  #left = h('span', { class: 'run-left' });
  #reason = h('span', { class: 'run-reason' });
  #buttons = h('span', { class: 'run-buttons' });
  #phases = h('div', { class: 'phases' });
  #chips = h('div', { class: 'chips', role: 'group', 'aria-label': 'counts by category' });
  #verbs = BUTTONS.filter(({ beside }) => beside === 'run').map((kind) => ({
    kind,
    button: h('button', { title: kind.title, class: kind.aborts ? 'danger' : 'quiet', onclick: () => void this.#do(kind) }, kind.text),
  }));
  /** @type {Map<string, {button: HTMLButtonElement, count: HTMLElement}>} */ #counts = new Map();
  /** @type {Map<string, {box: HTMLElement, label: HTMLElement, parts: Map<string, HTMLElement>}>} */ #bars = new Map();

  build() {
    this.#buttons.append(...this.#verbs.map(({ button }) => button));
    const total = this.#chip('total', 'total', '', null);
    this.#chips.append(total);
    for (const [category, words, colour] of CATEGORIES) {
      this.#chips.append(this.#chip(category, words, colour, category));
    }
    this.append(
      h('div', { class: 'run-line' }, this.#name, this.#what, this.#state, this.#time, this.#left, this.#reason, this.#buttons),
      this.#phases,
      this.#chips,
    );
  }

  /**
   * @param {string} id
   * @param {string} words
   * @param {string} colour
   * @param {Category|null} category
   */
  #chip(id, words, colour, category) {
    const count = h('b', {}, '0');
    const button = h('button', {
      class: `chip ${colour}`,
      'data-category': id,
      title: category ? `show only ${words}` : 'show all',
      onclick: () => this.app.choose(category),
    },
    colour && h('span', { class: 'symbol', 'aria-hidden': 'true' }, SYMBOLS[/** @type {'red'} */ (colour)]),
    count, words);
    this.#counts.set(id, { button, count });
    return button;
  }

  draw() {
    const { shot } = this.app;
    this.#drawRun();
    if (this.#whose.changed(shot)) this.#counted.forget();
    const every = (shot?.rows.length ?? 0) > MANY ? COUNTED_EVERY_MS : 0;
    if (this.#counted.due(every, shot, shot?.version)) {
      this.#drawCounts();
      this.#drawPhases();
    }
    for (const [id, { button }] of this.#counts) {
      setAttribute(button, 'aria-pressed', String(id === (this.app.category ?? 'total')));
    }
  }

  #drawRun() {
    const { shot, system } = this.app;
    const current = system.view.current;
    setText(this.#name, shot ? shot.name : 'no shot');
    const isCurrent = shot !== null && current?.[0] === shot.tree && current[1] === shot.shot;
    setAttribute(this.#name, 'title', isCurrent ? 'the current pulse' : 'not the current pulse');
    const one = shot?.run ?? null;
    setText(this.#what, one ? runWords(one) : shot?.known ? 'no run yet' : '');
    const { text, look } = one ? runState(one) : { text: '', look: '' };
    setText(this.#state, text);
    this.#state.className = `run-state ${look}`;
    const seconds = one ? (one.duration_s ?? Math.max(0, this.app.now() - one.opened_at)) : null;
    setText(this.#time, duration(seconds === null ? null : Math.floor(seconds * 10) / 10));
    setText(this.#left, this.#remaining());
    this.#reason.classList.toggle('asked', !one?.reason);
    setText(this.#reason, plain(one?.reason || (one?.who ? `asked for by ${one.who}` : '')));
    for (const { kind, button } of this.#verbs) {
      button.hidden = one === null || !kind.states.includes(one.state);
      button.disabled = !this.app.may(kind.verb);
    }
  }

  #remaining() {
    const { shot } = this.app;
    return shot ? remainingWords(shot) : '';
  }

  #drawCounts() {
    const { shot } = this.app;
    const counts = shot?.total();
    for (const [id, { button, count }] of this.#counts) {
      const number = id === 'total' ? Object.values(counts ?? {}).reduce((sum, one) => sum + one, 0) : (counts?.[/** @type {Category} */ (id)] ?? 0);
      setText(count, String(number));
      button.classList.toggle('none', number === 0);
    }
  }

  #drawPhases() {
    const { shot } = this.app;
    const phases = shot?.countsByPhase() ?? new Map();
    if (this.#named.changed(...phases.keys())) this.#makePhases([...phases.keys()]);
    for (const [phase, counts] of phases) {
      const drawn = this.#bars.get(phase);
      if (!drawn) continue;
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
      drawn.box.classList.toggle('current', phase === shot?.phase);
      for (const [category, part] of drawn.parts) part.style.flexGrow = String(counts[/** @type {Category} */ (category)]);
      const settled = total - counts.pending - counts.in_progress;
      setText(drawn.label, `${settled}/${total}`);
      drawn.box.title = CATEGORIES.filter(([id]) => counts[id]).map(([id, words]) => `${counts[id]} ${words}`).join(', ');
    }
  }

  /** @param {string[]} phases */
  #makePhases(phases) {
    this.#bars.clear();
    this.#phases.replaceChildren();
    for (const phase of phases) {
      /** @type {Map<string, HTMLElement>} */
      const parts = new Map();
      const bar = h('div', { class: 'phase-bar' });
      for (const category of ['success', 'failed', 'server_off', 'in_progress', 'not_dispatched', 'pending']) {
        const colour = CATEGORIES.find(([id]) => id === category)?.[2] ?? 'blue';
        const part = h('i', { class: `part ${colour}` });
        parts.set(category, part);
        bar.append(part);
      }
      const label = h('span', { class: 'phase-count' });
      const box = h('div', { class: 'phase' }, h('span', { class: 'phase-name' }, plain(phase) || '–'), bar, label);
      this.#bars.set(phase, { box, label, parts });
      this.#phases.append(box);
    }
  }

  /** @param {Button} kind */
  async #do({ verb, text, question, says, aborts }) {
    const { shot } = this.app;
    const one = shot?.run;
    if (!shot || !one) return;
    if (question) {
      const title = question.replace('{}', `${runWords(one)}, ${shot.name}`);
      const busy = aborts ? shot.rows.filter((row) => row.category === 'in_progress') : [];
      if (!(await ask({ title, text: busy.length ? 'These are running:' : says, items: busy.map((row) => plain(row.view.name || row.path)), yes: text }))) return;
    }
    await run(`${text} ${shot.name}`, verb, { tree: shot.tree, shot: shot.shot });
  }
}

/**
 * Return what is left of an open run, in words.
 * @param {import('../model/shot.js').Shot} shot
 */
export function remainingWords(shot) {
  const run = shot.run;
  const { estimate } = shot;
  if (!run || run.state === 'ended' || !estimate) return '';
  if (estimate.remaining_s === null || estimate.remaining_s === undefined) return 'time left unknown';
  const rough = (estimate.known ?? 1) < 0.999 ? 'at least ' : 'about ';
  return `${rough}${remaining(estimate.remaining_s)} left`;
}

customElements.define('run-strip', RunStrip);
