/**
 * Tasks: the functions that the configuration names, a form for each, and what came of those that
 * somebody had run.
 */

/** @import {FunctionView, QueueTask} from '../model/types.js' */
/** @import {Drawn} from './fields.js' */
import { clock, duration, moment } from '../model/format.js';
import { plain } from '../model/words.js';
import { get } from '../view/api.js';
import { tell } from '../view/commands.js';
import { h, setText } from '../view/dom.js';
import { Inputs as Made } from '../view/part.js';
import { useStyle } from '../view/style.js';
import { isGood, refusalOf } from './editor.js';
import { drawn } from './fields.js';
import { byField, field, fieldsOf } from './schema.js';
import { Pane } from './side.js';
import { TASK_STATES, givenWords } from './words.js';

useStyle(import.meta.url);

const ARGUMENTS = field('arguments', 'object', 'Arguments', 'by name');
const LINE = 60; // characters; a longer value has a line for each of its parts
const VALUE_SHOWN = 300; // characters; more is shown on demand

export class TasksPane extends Pane {
  #function = h('select', { 'data-field': 'function' });
  #describes = h('p', { class: 'task-describes' });
  #fields = h('div', { class: 'task-fields' });
  #background = h('input', { type: 'checkbox', 'data-field': 'background' });
  #beside = h('label', { class: 'tick', title: 'it may run beside a plan' }, this.#background, ' in the background');
  #run = h('button', { class: 'primary', type: 'submit' }, 'Run');
  #wrong = h('p', { class: 'field-problem bad', role: 'alert', hidden: true });
  #form = h('form', { class: 'task-form', noValidate: true, onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    void this.#submit();
  } },
  h('label', { class: 'field-row' }, h('span', { class: 'field-label' }, 'Function'), this.#function),
  this.#describes, this.#fields, this.#wrong, h('div', { class: 'task-buttons' }, this.#beside, this.#run));
  #list = h('ol', { class: 'tasks', tabIndex: 0, 'aria-label': 'tasks' });
  #empty = h('p', { class: 'empty' });
  /** @type {Drawn[]} */ #drawn = [];
  /** @type {QueueTask[]} */ #tasks = [];
  #asked = new Made();
  #offered = new Made();
  #listed = new Made();

  build() {
    this.#function.addEventListener('change', () => this.#draw({}));
    this.append(this.#form, this.#list, this.#empty);
  }

  /** Return whether there is anything to see here. */
  get isFor() {
    return this.kinds.functions.length > 0 || (this.board.view?.versions.tasks ?? 0) > 0;
  }

  draw() {
    const { app, kinds } = this;
    const { view } = this.board;
    if (app.live && view && this.#asked.changed(view.versions.tasks, app.system.view.term)) void this.#ask();
    if (this.#offered.changed(kinds.functions)) this.#offer();
    const may = app.may('queue_run_task');
    const alone = (view?.allowed ?? []).includes('task');
    this.#form.hidden = kinds.functions.length === 0 || !may;
    if (!alone) this.#background.checked = true;
    this.#background.disabled = !alone;
    this.#beside.title = alone ? 'it may run beside a plan' : 'while a plan runs, tasks run in the background only';
    this.#empty.hidden = this.#tasks.length > 0;
    setText(this.#empty, kinds.functions.length > 0 ? 'No task was run lately.' : 'No function is there that you may call.');
    this.#list.hidden = this.#tasks.length === 0;
    if (this.#listed.changed(this.#tasks, may, kinds.functions)) this.#list.replaceChildren(...[...this.#tasks].reverse().map((task) => this.#row(task, may)));
  }

  async #ask() {
    const { status, data } = await get('queue_tasks', {});
    if (status === 200) this.#tasks = data.result.tasks ?? [];
    else this.#asked.forget();
    this.app.changed();
  }

  #offer() {
    const chosen = this.#function.value;
    const { functions } = this.kinds;
    this.#function.replaceChildren(...functions.map(({ name }) => h('option', { value: name }, plain(name))));
    if (functions.some(({ name }) => name === chosen)) this.#function.value = chosen;
    this.#draw({});
  }

  /** @returns {FunctionView|undefined} */
  #chosen() {
    return this.kinds.functions.find(({ name }) => name === this.#function.value);
  }

  /** Draw the fields of the chosen function. @param {Record<string, unknown>} given */
  #draw(given) {
    const one = this.#chosen();
    const limit = one?.timeout_s ? `at most ${duration(one.timeout_s)}` : '';
    setText(this.#describes, plain([one?.description, one && `on a server of ${one.server_class}`, limit].filter(Boolean).join(' · ')));
    this.#drawn = !one ? [] : one.parameters_schema
      ? fieldsOf({ parameters_schema: one.parameters_schema }).map((each) => drawn(each, each.name in given ? given[each.name] : each.fallback))
      : [drawn(ARGUMENTS, Object.keys(given).length > 0 ? given : undefined)];
    this.#fields.replaceChildren(...this.#drawn.map(({ element }) => element));
    this.#say('');
  }

  async #submit() {
    const one = this.#chosen();
    if (!one) return;
    this.#say('');
    /** @type {Record<string, any>} */
    let found = {};
    let good = true;
    for (const each of this.#drawn) {
      const { value, problem } = each.read();
      each.wrong(problem ?? '');
      if (problem) good = false;
      if (value !== undefined) found[each.field.name] = value;
    }
    if (!good) return;
    if (!one.parameters_schema) found = found.arguments ?? {};
    this.#run.disabled = true;
    const answer = await this.editor.send('queue_run_task', { function: one.name, arguments: found, background: this.#background.checked });
    this.#run.disabled = false;
    if (isGood(answer) || refusalOf(answer)?.code !== 'bad_parameter') {
      tell(`Run ${plain(one.name)}`, answer);
      return;
    }
    for (const [name, text] of Object.entries(byField(plain(answer.message), this.#drawn.map((each) => each.field.name)))) {
      const at = this.#drawn.find((each) => each.field.name === name);
      if (at) at.wrong(text);
      else this.#say(text);
    }
  }

  /** @param {string} text */
  #say(text) {
    this.#wrong.hidden = text === '';
    setText(this.#wrong, text);
  }

  /** @param {QueueTask} task @param {boolean} may */
  #row(task, may) {
    const { symbol, look, word } = TASK_STATES[task.state ?? 'running'];
    const properties = this.kinds.functions.find(({ name }) => name === task.function)?.parameters_schema?.properties ?? {};
    const given = givenWords(task.arguments ?? {}, Object.keys(properties), (name) => properties[name]?.['x-unit'] ?? '').join(' · ');
    const who = [task.user && `by ${task.user}`, task.server && `on ${task.server}`, task.background && 'in the background'].filter(Boolean).join(', ');
    const when = task.ended_at ? `${clock(task.ended_at)}, ${duration(task.duration_s)}` : `since ${clock(task.began_at)}`;
    const again = this.kinds.functions.some(({ name }) => name === task.function) && may;
    return h('li', { 'data-uid': task.uid, class: `task ${look}-task`, title: `${moment(task.began_at)}  ${task.uid}` },
      h('div', { class: 'task-line' }, h('span', { class: `symbol ${look}`, 'aria-hidden': 'true' }, symbol), h('strong', { class: look }, word), h('strong', {}, plain(task.function)), h('span', { class: 'task-given' }, plain(given)),
        again && h('button', { class: 'small', title: 'the form, filled in as this one was', onclick: () => this.#again(task) }, 'Again …')),
      task.message && h('p', { class: 'task-said bad' }, plain(task.message)),
      task.state === 'completed' && valueOf(task.value),
      h('div', { class: 'task-who' }, `${when}${who && ` · ${plain(who)}`}`));
  }

  /** @param {QueueTask} task */
  #again(task) {
    this.#function.value = task.function;
    this.#background.checked = task.background ?? false;
    this.#draw(task.arguments ?? {});
    this.#form.scrollIntoView({ block: 'nearest' });
    this.#run.focus();
  }
}

/** Return what a task has returned. @param {unknown} value */
function valueOf(value) {
  if (value === null || value === undefined) return h('p', { class: 'task-said' }, 'it returned nothing');
  const line = JSON.stringify(value);
  const text = typeof value === 'string' ? value : line.length < LINE ? line : JSON.stringify(value, null, 1);
  const shown = text.split('\n').map(plain).join('\n');
  if (shown.length <= VALUE_SHOWN) return h('pre', { class: 'task-value' }, shown);
  return h('details', { class: 'task-value' }, h('summary', {}, `${plain(text.slice(0, 80))} …`), h('pre', { tabIndex: 0 }, shown));
}

customElements.define('queue-tasks', TasksPane);
