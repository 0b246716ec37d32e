/** The plan that runs: what it is, how far, and how long it has to go. */

/** @import {Editor} from './editor.js' */
/** @import {Kinds} from './kinds.js' */
import { clock, duration } from '../model/format.js';
import { plain } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Part } from '../view/part.js';
import { useStyle } from '../view/style.js';
import { planDetails, planName, progressWords, shotAddress, whoWords } from './words.js';

useStyle(import.meta.url);

export class RunningPlan extends Part {
  /** @type {Editor} */ editor = /** @type {any} */ (null);
  /** @type {Kinds} */ kinds = /** @type {any} */ (null);
  #name = h('strong', { class: 'running-name' });
  #shot = h('a', { class: 'running-shot' });
  #details = h('span', { class: 'running-details' });
  #who = h('span', { class: 'running-who' });
  #phases = h('ol', { class: 'running-phases', 'aria-label': 'phases' });
  #bar = h('progress', { class: 'running-bar', max: 1, value: 0, 'aria-label': 'how far the phase is' });
  #phase = h('span');
  #done = h('span');
  #left = h('strong');
  #elapsed = h('span');
  #trouble = h('p', { class: 'running-trouble bad', hidden: true });

  build() {
    this.setAttribute('role', 'region');
    this.setAttribute('aria-label', 'the running plan');
    this.append(
      h('div', { class: 'running-head' }, h('span', { class: 'symbol', 'aria-hidden': 'true' }, '▶'), this.#name, this.#shot, this.#details, this.#who),
      this.#phases, this.#bar,
      h('div', { class: 'running-far' }, this.#phase, this.#done, this.#left, this.#elapsed), this.#trouble);
  }

  draw() {
    const { board } = this.editor;
    const { view } = board;
    const running = view?.running ?? null;
    this.hidden = running === null;
    if (!view || !running) return;
    const still = running.paused ? 0 : Math.max(0, this.app.now() - board.progressAt);
    const far = progressWords(running, view.progress, still);
    const plan = { ...running.entry.plan, parameters: running.plan.parameters };
    setText(this.#name, planName(running.plan));
    setText(this.#shot, running.shot ? `${running.tree}/${running.shot}` : plain(running.tree ?? ''));
    setAttribute(this.#shot, 'href', running.shot ? shotAddress(running.tree, running.shot) : null);
    setText(this.#details, planDetails(plan, this.kinds.of(plan.kind)));
    setText(this.#who, `${whoWords(running.entry)}${running.executed ? ', run past the queue' : ''}`);
    this.#drawPhases();
    this.#bar.value = far.share;
    setText(this.#phase, far.phase);
    setText(this.#done, far.done);
    setText(this.#left, far.left);
    setText(this.#elapsed, `since ${clock(running.began_at)}, ${duration(far.elapsedS)}`);
    const troubles = [running.failure, ...(running.notices ?? [])].filter(Boolean).map((one) => plain(String(one)));
    this.#trouble.hidden = troubles.length === 0;
    setText(this.#trouble, troubles.join(' · '));
  }

  #drawPhases() {
    const running = this.editor.board.view?.running;
    const phases = running?.plan.phases ?? [];
    const at = running?.run ? running.phase ?? 0 : -1;
    const ended = new Map((running?.runs ?? []).map((run) => [run.phase, run]));
    const words = phases.map(({ phase }, index) => {
      const run = ended.get(phase);
      const bad = run && (run.outcome !== 'completed' || (run.counts?.failed ?? 0) + (run.counts?.server_off ?? 0) > 0);
      const look = index === at ? 'now' : bad ? 'bad' : run ? 'good' : '';
      return { look, text: `${index === at ? '▶ ' : bad ? '✗ ' : run ? '✓ ' : ''}${plain(phase)}` };
    });
    const key = JSON.stringify(words);
    if (this.#phases.dataset.shown === key) return;
    this.#phases.dataset.shown = key;
    this.#phases.replaceChildren(...words.map(({ look, text }) => h('li', { class: look, 'aria-current': look === 'now' ? 'step' : null }, text)));
  }
}

customElements.define('queue-running', RunningPlan);
