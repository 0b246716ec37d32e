/**
 * One alarm in the list: what, since when, what helps, whom to call, and who has seen to it.
 */

/** @import {App} from '../view/app.js' */
/** @import {Alarm} from '../model/types.js' */
import { plain } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Inputs } from '../view/part.js';
import { calls, isNew, isShelved } from './board.js';
import { SYMBOL, stateOf, storyOf, textOf, timesOf, whatOf } from './words.js';

export class AlarmRow {
  #made = new Inputs();
  /** @type {Alarm} */ #alarm = /** @type {any} */ (null);
  tick = h('input', { type: 'checkbox', onchange: () => this.acts.choose(this.#alarm.number, this.tick.checked) });
  #symbol = h('span', { class: 'symbol', 'aria-hidden': 'true' });
  #severity = h('span', { class: 'alarm-severity' });
  #what = h('span', { class: 'alarm-what' });
  #about = h('a', { href: '#' });
  #fresh = h('span', { class: 'alarm-fresh' }, 'new');
  #state = h('span', { class: 'alarm-state' });
  #times = h('span', { class: 'alarm-times' });
  #text = h('p', { class: 'alarm-text' });
  #help = h('p', { class: 'alarm-help' });
  #contact = h('p', { class: 'alarm-contact' });
  #story = h('ul', { class: 'alarm-story' });
  #ack = h('button', { class: 'small', onclick: () => this.acts.acknowledge([this.#alarm.number]) }, 'Acknowledge');
  #shelve = h('button', { class: 'small quiet', onclick: () => this.acts.shelve(this.#alarm) });
  element = h('li', { class: 'alarm' },
    h('label', { class: 'alarm-tick' }, this.tick),
    h('div', { class: 'alarm-body' },
      h('div', { class: 'alarm-head' }, this.#symbol, this.#severity, this.#what, this.#about, this.#fresh, this.#state, this.#times),
      this.#text, this.#help, this.#contact, this.#story),
    h('div', { class: 'alarm-acts' }, this.#ack, this.#shelve));

  /**
   * @param {App} app
   * @param {{choose: (number: number, on: boolean) => void, acknowledge: (numbers: number[]) => void, shelve: (alarm: Alarm) => void}} acts
   */
  constructor(app, acts) {
    this.app = app;
    this.acts = acts;
  }

  /** @param {Alarm} alarm @param {{chosen: boolean, fresh: boolean, may: boolean}} how */
  draw(alarm, { chosen, fresh, may }) {
    if (this.tick.checked !== chosen) this.tick.checked = chosen;
    if (!this.#made.changed(alarm, fresh, may)) return;
    this.#alarm = alarm;
    const name = plain(alarm.about);
    this.element.className = `alarm ${alarm.severity} ${calls(alarm) ? 'calls' : 'seen'}`;
    setAttribute(this.element, 'data-number', String(alarm.number));
    setAttribute(this.tick, 'aria-label', `choose alarm ${alarm.number}, ${name}`);
    setText(this.#symbol, SYMBOL[alarm.severity] ?? '');
    setText(this.#severity, alarm.severity);
    setText(this.#what, whatOf(alarm));
    setText(this.#about, name);
    setAttribute(this.#about, 'href', this.#address(alarm));
    this.#fresh.hidden = !fresh;
    setText(this.#state, stateOf(alarm));
    setText(this.#times, timesOf(alarm));
    setText(this.#text, textOf(alarm));
    said(this.#help, 'Help', alarm.help);
    said(this.#contact, 'Contact', alarm.contact);
    this.#story.replaceChildren(...storyOf(alarm).map((line) => h('li', {}, line)));
    this.#story.hidden = this.#story.children.length === 0;
    this.#ack.hidden = !isNew(alarm);
    this.#ack.disabled = !may;
    this.#shelve.hidden = !isNew(alarm);
    this.#shelve.disabled = !may;
    setText(this.#shelve, isShelved(alarm) ? 'Unshelve' : 'Shelve …');
    setAttribute(this.#ack, 'aria-label', `acknowledge alarm ${alarm.number}, ${name}`);
    setAttribute(this.#shelve, 'aria-label', `${isShelved(alarm) ? 'unshelve' : 'shelve'} alarm ${alarm.number}, ${name}`);
  }

  /** Return where what it is about is shown. @param {Alarm} alarm */
  #address(alarm) {
    const { app } = this;
    if (alarm.kind === 'server' && alarm.server) return app.href({ tab: 'server', about: alarm.server });
    if (alarm.tree && alarm.shot !== undefined && alarm.shot !== null) {
      const find = alarm.kind === 'action' ? alarm.about.slice(alarm.about.indexOf(' ') + 1) : '';
      return app.href({ tab: 'actions', tree: alarm.tree, shot: alarm.shot, find });
    }
    return app.href({ tab: 'log' });
  }
}

/** @param {HTMLElement} element @param {string} title @param {string|undefined} text */
function said(element, title, text) {
  element.hidden = !text;
  if (text) element.replaceChildren(h('strong', {}, title), ' ', ...lines(text));
}

/** Return a text whose lines are kept. @param {string} text @returns {(Node|string)[]} */
function lines(text) {
  return text.trim().split('\n').flatMap((line, index) => (index ? [h('br'), plain(line)] : [plain(line)]));
}
