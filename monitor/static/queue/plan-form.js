/**
 * The form for a plan, drawn from its kind's schema: to add it, to propose it, to run it at once, or
 * to change an entry. What somebody has typed stays until it is taken, whatever others do meanwhile.
 */

/** @import {Entry, KindView, PulsePlan, QueueChange} from '../model/types.js' */
/** @import {Editor} from './editor.js' */
/** @import {Kinds} from './kinds.js' */
/** @import {Drawn} from './fields.js' */
/** @import {Field} from './schema.js' */
import { plain } from '../model/words.js';
import { tell } from '../view/commands.js';
import '../view/dialog.js'; // its style
import { h, setAttribute, setText } from '../view/dom.js';
import { useStyle } from '../view/style.js';
import { changeWords, isGood, refusalOf, who } from './editor.js';
import { drawn } from './fields.js';
import { byField, field, fieldsOf } from './schema.js';
import { phasesOf, phasesText, planDetails, planName } from './words.js';

useStyle(import.meta.url);

const NO_KIND = '';
const STOP = ' stop';

/** Fields that every plan has, or those of no kind. @type {Record<string, Field>} */
const COMMON = {
  experiment: field('experiment', 'string', 'Experiment', '', { required: true }),
  phases: field('phases', 'string', 'Phases in their order', 'STORE? only when all went well before, DUMP! only when not, PARK+ also after a stop or an abort.', { required: true }),
  parameters: field('parameters', 'object', 'Parameters', 'variables of the tasks'),
  repeat: field('repeat', 'integer', 'How often it is run', '', { minimum: 1, maximum: 10_000 }),
  shot: field('shot', 'integer', 'Shot number', 'empty: the next', { minimum: 1 }),
  existing: field('existing', 'string', 'Where that pulse is there already', '', { choices: ['refuse', 'use', 'replace'], none: 'as its kind says' }),
  fails_on: field('fails_on', 'string', 'It counts as failed by', '', { choices: ['any', 'essential', 'none'], none: 'as its kind says' }),
  note: field('note', 'string', 'Note'),
};

/**
 * @typedef {object} Wanted
 * @property {Editor} editor
 * @property {Kinds} kinds
 * @property {Entry|null} entry that is changed, or that a new one is like
 * @property {'add'|'change'} how
 * @property {Entry} [behind] where it may be put
 */

export class PlanForm {
  /** @type {Drawn[]} */ #fields = [];
  /** What the list was when the form was opened. */
  #opened = 0;
  /** The number that the change rests on by what somebody has been told since. @type {number|null} */ #told = null;
  #kind = h('select', { 'aria-label': 'kind of plan' });
  #describes = h('p', { class: 'plan-form-describes' });
  #own = h('div', { class: 'plan-form-fields' });
  #more = h('details', { class: 'plan-form-more' }, h('summary', {}, 'More'));
  #place = h('select', { 'aria-label': 'where' }, h('option', { value: 'back' }, 'at the back'), h('option', { value: 'front' }, 'at the front'));
  #meanwhile = h('div', { class: 'plan-form-meanwhile', role: 'alert', hidden: true });
  #wrong = h('p', { class: 'plan-form-wrong bad', role: 'alert', hidden: true });
  #yes = h('button', { class: 'primary', value: 'yes' });
  #buttons = h('div', { class: 'ask-buttons' });
  #dialog = h('dialog', { class: 'ask plan-form' });
  #look = () => this.#others();

  /** @param {Wanted} wanted */
  constructor({ editor, kinds, entry, how, behind }) {
    this.editor = editor;
    if (behind) this.#place.append(h('option', { value: behind.uid }, `behind ${editor.board.place(behind.uid)}: ${planName(behind.plan)} ${planDetails(behind.plan, kinds.of(behind.plan.kind))}`.slice(0, 80)));
    this.kinds = kinds;
    this.entry = entry;
    this.how = how;
    this.#opened = editor.board.number;
  }

  open() {
    const { app } = this.editor;
    const adds = app.may('queue_add');
    const title = this.how === 'change' ? `Change ${planName(this.entry?.plan ?? {})}` : adds ? 'Add a plan' : 'Propose a plan';
    setText(this.#yes, this.how === 'change' ? 'Change' : 'Add');
    const propose = h('button', { type: 'button', class: adds ? '' : 'primary', onclick: () => void this.#submit('queue_propose') }, 'Propose');
    const execute = h('button', { type: 'button', title: 'now, past the queue', onclick: () => void this.#submit('queue_execute') }, 'Run now');
    const cancel = h('button', { type: 'button', class: 'quiet', onclick: () => this.#dialog.close() }, 'Cancel');
    if (this.how === 'change') this.#buttons.append(cancel, this.#yes);
    else if (adds) this.#buttons.append(cancel, propose, ...((this.editor.board.view?.allowed ?? []).includes('execute') ? [execute] : []), this.#yes);
    else this.#buttons.append(cancel, propose);
    const form = h('form', { noValidate: true, onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.#submit(this.how === 'change' ? 'queue_update' : adds ? 'queue_add' : 'queue_propose');
    } },
    h('label', { class: 'field-row' }, h('span', { class: 'field-label' }, 'Kind'), this.#kind),
    this.#describes, this.#own, this.#more,
    this.how === 'add' && adds && h('label', { class: 'field-row' }, h('span', { class: 'field-label' }, 'Where'), this.#place),
    this.#meanwhile, this.#wrong, this.#buttons);
    setAttribute(this.#dialog, 'aria-label', title);
    this.#dialog.append(h('h2', {}, title), form);
    this.#offer();
    this.#kind.addEventListener('change', () => this.#draw(this.#typed()));
    this.#draw(this.entry?.plan ?? {});
    app.addEventListener('change', this.#look);
    this.#dialog.addEventListener('close', () => {
      app.removeEventListener('change', this.#look);
      this.#dialog.remove();
    });
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    const first = /** @type {HTMLElement|null} */ (this.#own.querySelector('input, select, textarea'));
    (first ?? this.#kind).focus();
  }

  #offer() {
    const { all, only } = this.kinds;
    const plan = this.entry?.plan;
    const names = all.map(({ name }) => name);
    if (plan?.kind && !names.includes(plan.kind)) names.push(plan.kind);
    const options = names.map((name) => h('option', { value: name }, plain(name)));
    if (!only) options.push(h('option', { value: NO_KIND }, 'no kind: experiment and phases'));
    options.push(h('option', { value: STOP }, 'stop: the queue stops there'));
    this.#kind.append(...options);
    this.#kind.value = plan ? (plan.type === 'stop' ? STOP : plan.kind ?? NO_KIND) : (names[0] ?? NO_KIND);
  }

  // Drawing

  /** Draw the fields of the chosen kind, with what of a plan belongs into them. @param {PulsePlan} plan */
  #draw(plan) {
    const chosen = this.#kind.value;
    const kind = this.kinds.of(chosen);
    const stop = chosen === STOP;
    setText(this.#describes, stop ? 'When the queue comes to it, it stops, and waits for somebody to start it.' : plain(kind?.kind.description ?? ''));
    this.#describes.hidden = this.#describes.textContent === '';
    /** @type {Drawn[]} */
    const own = [];
    /** @type {Drawn[]} */
    const more = [];
    if (stop) own.push(drawn(COMMON.note, plan.note));
    else {
      if (!kind?.kind.experiment) own.push(drawn({ ...COMMON.experiment, choices: this.kinds.experiments }, plan.experiment ?? this.kinds.experiments[0]));
      if (!kind?.kind.phases) own.push(drawn(COMMON.phases, plan.phases ? phasesText(plan.phases) : (kind?.phases_known ?? []).join(', ')));
      own.push(...this.#parameters(kind, plan));
      more.push(drawn({ ...COMMON.repeat, maximum: kind?.kind.repeat_max ?? 10_000 }, plan.repeat ?? 1), drawn(COMMON.shot, plan.shot === 'next' ? undefined : plan.shot),
        drawn(COMMON.existing, plan.existing ?? undefined), drawn(COMMON.fails_on, plan.fails_on ?? undefined), drawn(COMMON.note, plan.note));
    }
    this.#fields = [...own, ...more];
    this.#own.replaceChildren(...own.map(({ element }) => element));
    this.#more.replaceChildren(h('summary', {}, 'More: repeat, shot, note …'), ...more.map(({ element }) => element));
    this.#more.hidden = more.length === 0;
    if ((plan.repeat ?? 1) > 1 || (plan.shot ?? 'next') !== 'next' || plan.note || plan.existing || plan.fails_on) this.#more.open = true;
  }

  /** @param {KindView|undefined} kind @param {PulsePlan} plan @returns {Drawn[]} */
  #parameters(kind, plan) {
    const given = plan.parameters ?? {};
    if (!kind) return [drawn(COMMON.parameters, Object.keys(given).length > 0 ? given : undefined)];
    return fieldsOf(kind).map((one) => drawn(one, one.name in given ? given[one.name] : one.fallback));
  }

  /** Return the plan as far as it is typed, for the fields of another kind. @returns {PulsePlan} */
  #typed() {
    const { plan } = this.#read();
    return { ...plan, parameters: { ...this.entry?.plan.parameters, ...plan.parameters } };
  }

  // Reading

  /** Return the plan, and whether all of it can be taken; what cannot is said beside it. */
  #read() {
    const chosen = this.#kind.value;
    const kind = this.kinds.of(chosen);
    const names = new Set(kind ? fieldsOf(kind).map(({ name }) => name) : []);
    /** @type {Record<string, any>} */
    const found = {};
    /** @type {Record<string, any>} */
    const parameters = {};
    let good = true;
    for (const one of this.#fields) {
      const { value, problem } = one.read();
      one.wrong(problem ?? '');
      if (problem) good = false;
      if (value === undefined) continue;
      if (names.has(one.field.name) && COMMON[one.field.name] !== one.field) parameters[one.field.name] = value;
      else found[one.field.name] = value;
    }
    const { meta } = this.entry?.plan ?? {};
    /** @type {PulsePlan} */
    const plan = chosen === STOP ? { type: 'stop', note: found.note ?? '' } : {
      kind: chosen,
      parameters: kind ? parameters : found.parameters ?? {},
      repeat: found.repeat ?? 1,
      shot: found.shot ?? 'next',
      note: found.note ?? '',
      ...(found.experiment ? { experiment: found.experiment } : {}),
      ...(found.phases ? { phases: phasesOf(found.phases) } : {}),
      ...(found.existing ? { existing: found.existing } : {}),
      ...(found.fails_on ? { fails_on: found.fails_on } : {}),
    };
    if (meta) plan.meta = meta;
    return { plan, good };
  }

  // Sending

  /** @param {'queue_add'|'queue_propose'|'queue_execute'|'queue_update'} verb */
  async #submit(verb) {
    this.#say('');
    const { plan, good } = this.#read();
    if (!good) {
      /** @type {HTMLElement|null} */ (this.#dialog.querySelector('[aria-invalid="true"]'))?.focus();
      return;
    }
    const places = new Set(['front', 'back']);
    /** @type {Record<typeof verb, Record<string, unknown>>} */
    const bodies = {
      queue_add: { plans: [plan], ...(places.has(this.#place.value) ? { position: this.#place.value } : { after: this.#place.value }) },
      queue_propose: { plans: [plan] },
      queue_execute: { plan },
      queue_update: { uid: this.entry?.uid, plan, version: this.#rests() },
    };
    for (const button of this.#buttons.querySelectorAll('button')) button.disabled = true;
    const answer = await this.editor.send(verb, bodies[verb]);
    for (const button of this.#buttons.querySelectorAll('button')) button.disabled = false;
    const what = { queue_add: 'Add', queue_propose: 'Propose', queue_execute: 'Run', queue_update: 'Change' }[verb];
    if (isGood(answer)) {
      tell(`${what} ${planName(plan)}`, answer);
      this.#dialog.close();
      return;
    }
    const refused = refusalOf(answer);
    if (refused?.code === 'changed') {
      this.#told = refused.version ?? 0;
      this.#showChanges(refused.changes ?? []);
      return;
    }
    const message = refused?.answers?.find((one) => !one.ok)?.message || [answer.message, ...answer.fields.map((one) => `${one.field}: ${one.message}`)].filter(Boolean).join(' · ');
    for (const [name, text] of Object.entries(byField(plain(message), this.#fields.map((one) => one.field.name)))) {
      const at = this.#fields.find((one) => one.field.name === name);
      if (at) {
        if (this.#more.contains(at.element)) this.#more.open = true;
        at.wrong(text);
        at.element.querySelector('input, select, textarea')?.scrollIntoView({ block: 'nearest' });
      } else this.#say(text);
    }
  }

  /**
   * Return the number of the list that a change rests on: what is seen now, as long as nobody has
   * changed this very entry since the form was opened.
   */
  #rests() {
    if (this.#told !== null) return this.#told;
    const { board } = this.editor;
    return board.entries.get(this.entry?.uid ?? '') === this.entry ? board.number : this.#opened;
  }

  /** @param {string} text */
  #say(text) {
    this.#wrong.hidden = text === '';
    setText(this.#wrong, text);
  }

  /** See whether others have changed the entry, or taken it out, while it is being changed here. */
  #others() {
    if (this.how !== 'change' || !this.entry || this.#told !== null) return;
    const now = this.editor.board.entries.get(this.entry.uid);
    if (now === this.entry) return;
    const by = plain(now?.changed_by || now?.released_by || now?.approved_by || '') || 'Somebody';
    if (!now) {
      this.#meanwhileIs([h('strong', {}, 'It is no longer in the queue: it runs, or somebody has taken it out.'), h('p', {}, 'What you have typed can still be added as a new plan: '),
        h('button', { type: 'button', class: 'small', onclick: () => void this.#submit('queue_add') }, 'Add it as a new plan')]);
    } else this.#meanwhileIs([h('strong', {}, `${by} has changed this plan meanwhile.`), h('p', {}, `It is now: ${planName(now.plan)}  ${planDetails(now.plan, this.kinds.of(now.plan.kind))}`)]);
  }

  /** Say what others have done; what was typed can be applied again, on top of it. @param {QueueChange[]} changes */
  #showChanges(changes) {
    const now = this.editor.board.entries.get(this.entry?.uid ?? '');
    const state = now ? `This plan is now: ${planName(now.plan)}  ${planDetails(now.plan, this.kinds.of(now.plan.kind))}` : '';
    this.#meanwhileIs([
      h('strong', {}, `Not changed yet: ${who(changes)} changed the queue meanwhile.`),
      h('ul', {}, ...changes.slice(-8).map((one) => h('li', {}, changeWords(one, this.editor.board)))),
      state && h('p', {}, state),
      h('p', {}, 'What you have typed is still here: look at it again, then apply it, or cancel.'),
    ]);
    setText(this.#yes, 'Apply again');
  }

  /** @param {(Node|string|false)[]} parts */
  #meanwhileIs(parts) {
    const text = parts.map((one) => (one instanceof Node ? one.textContent : one)).join();
    if (this.#meanwhile.dataset.text === text) return;
    this.#meanwhile.dataset.text = text;
    this.#meanwhile.replaceChildren(...parts.filter((one) => one instanceof Node));
    this.#meanwhile.hidden = false;
    this.#meanwhile.scrollIntoView({ block: 'nearest' });
  }
}

/** Open the form. @param {Wanted} wanted */
export function openForm(wanted) {
  new PlanForm(wanted).open();
}
