/**
 * The tab Actions: the row that drives the dispatcher, the summary, the two tables.
 */

import { readShot } from '../model/route.js';
import { plain } from '../model/words.js';
import { ActionTable, KEYS } from './table.js';
import { abortRows, canAbort, canDispatch, dispatchRows, openAllLogs, run, tell } from '../view/commands.js';
import { post } from '../view/api.js';
import { CommandOutput } from '../view/command-output.js';
import { ask } from '../view/dialog.js';
import { h, setAttribute, setOptions, setText } from '../view/dom.js';
import { isForm } from '../view/forms.js';
import { RunStrip } from '../view/run-strip.js';
import { Tab } from '../view/tab.js';
import { WallBoard } from './wall.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

const ROOM_FOR_BOTH = 850; // pixels
const HISTORY_MAX = 100;

export class TabActions extends Tab {
  static id = 'actions';
  static title = 'Actions';
  static keys = KEYS;
  #tree = h('input', { id: 'experiment', list: 'experiments', autocomplete: 'off', spellcheck: false, size: 10 });
  #trees = h('datalist', { id: 'experiments' });
  #shot = h('input', { id: 'shot', list: 'shots', autocomplete: 'off', inputMode: 'numeric', size: 9 });
  #shots = h('datalist', { id: 'shots' });
  #phase = h('input', { id: 'phase', list: 'phases', autocomplete: 'off', spellcheck: false, size: 9 });
  #phases = h('datalist', { id: 'phases' });
  #create = h('button', { onclick: () => void this.#createPulse() }, 'Create Pulse');
  #build = h('button', { onclick: () => void this.#buildTable() }, 'Build Table');
  #dispatch = h('button', { class: 'primary', onclick: () => void this.#doPhase() }, 'Dispatch');
  #line = h('input', { id: 'command', autocomplete: 'off', spellcheck: false, placeholder: 'status', size: 8 });
  #run = h('button', { type: 'submit' }, 'Run');
  #address = h('output', { class: 'address' });
  #reply = new CommandOutput();
  #find = h('input', { id: 'find', type: 'search', placeholder: 'Search all columns   /', spellcheck: false });
  #failedFirst = h('input', { type: 'checkbox', checked: true });
  #selected = h('span', { class: 'selected-rows', hidden: true });
  #selectedCount = h('b');
  #show = /** @type {Map<string, HTMLButtonElement>} */ (new Map());
  #tables = h('div', { class: 'tables' });
  #strip = /** @type {RunStrip} */ (document.createElement('run-strip'));
  #wall = /** @type {WallBoard} */ (document.createElement('wall-board'));
  #active = /** @type {ActionTable} */ (document.createElement('action-table'));
  #all = /** @type {ActionTable} */ (document.createElement('action-table'));
  /** @type {string[]} */ #history = [];

  build() {
    this.#setUp();
    this.append(this.#topRow(), this.#reply, this.#strip, this.#toolbar(), this.#tables, this.#wall);
    this.#tables.append(this.#active, this.#all);
    this.fromRoute();
  }

  #setUp() {
    this.#wall.hidden = !this.app.wall;
    this.#tables.hidden = this.app.wall;
    for (const part of [this.#strip, this.#wall, this.#active, this.#all]) part.app = this.app;
    this.#active.title = 'Active';
    this.#active.id = 'active';
    this.#active.source = () => this.app.shot?.activeRows() ?? [];
    this.#all.title = 'All';
    this.#all.id = 'all';
    this.#all.source = () => this.app.shot?.rows ?? [];
    for (const table of [this.#active, this.#all]) {
      table.addEventListener('selection', () => this.app.changed());
    }
    this.#tree.addEventListener('change', () => this.app.go({ tree: this.#tree.value.trim().toUpperCase() }));
    this.#shot.addEventListener('change', () => this.app.go(readShot(this.#shot.value)));
    this.#find.addEventListener('input', () => this.app.go({ find: this.#find.value }));
    this.#failedFirst.addEventListener('change', () => this.app.filter({ failed: this.#failedFirst.checked ? '' : 'mixed' }));
    this.#line.addEventListener('keydown', (event) => this.#recall(event));
  }

  #topRow() {
    /** @param {string} text @param {HTMLElement} input @param {...Node} more */
    const field = (text, input, ...more) => h('label', { class: 'field' }, h('span', {}, text), input, ...more);
    const drive = h('div', { class: 'drive' },
      field('Experiment', this.#tree, this.#trees),
      field('Shot', this.#shot, this.#shots),
      this.#create,
      this.#build,
      field('Phase', this.#phase, this.#phases),
      this.#dispatch);
    const custom = h('form', {
      class: 'custom',
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        void this.#custom();
      },
    }, field('Command', this.#line), this.#run);
    const address = h('div', { class: 'field connected' }, h('span', {}, 'Connected to'), this.#address);
    return h('div', { class: 'top-row' }, drive, custom, address);
  }

  #toolbar() {
    const shows = h('div', { class: 'segments', role: 'group', 'aria-label': 'tables' });
    for (const [id, text] of /** @type {const} */ ([['both', 'Both'], ['active', 'Active'], ['all', 'All']])) {
      const button = h('button', { onclick: () => this.app.go({ show: id }) }, text);
      this.#show.set(id, button);
      shows.append(button);
    }
    this.#selected.append(
      this.#selectedCount,
      h('button', { class: 'small', onclick: () => void dispatchRows(this.#chosen().filter(canDispatch), { ticked: true }) }, 'Dispatch'),
      h('button', { class: 'small', onclick: () => void abortRows(this.#chosen().filter(canAbort)) }, 'Abort'),
      h('button', { class: 'small', onclick: () => openAllLogs(this.#chosen()) }, 'Logs'),
      h('button', { class: 'small quiet', onclick: () => [this.#active, this.#all].forEach((table) => table.clearTicks()) }, 'Clear'),
    );
    return h('div', { class: 'toolbar' }, this.#find, shows,
      h('label', { class: 'tick' }, this.#failedFirst, ' failed first'), this.#selected);
  }

  /** Return the ticked rows of both tables. */
  #chosen() {
    return [...new Set([...this.#active.tickedRows, ...this.#all.tickedRows])];
  }

  /** @param {Partial<import('../model/table.js').Wanted>} change */
  #want(change) {
    this.#active.want(change);
    this.#all.want(change);
  }

  /** Take over what the address says. */
  fromRoute() {
    const { tree, shot, wrong, find, only, filters } = this.app.route;
    const failedFirst = filters.failed !== 'mixed';
    if (document.activeElement !== this.#tree) this.#tree.value = tree;
    if (document.activeElement !== this.#shot) this.#shot.value = wrong || (shot === null ? '' : String(shot));
    setAttribute(this.#shot, 'aria-invalid', wrong ? 'true' : null);
    if (this.#find.value !== find) this.#find.value = find;
    this.#failedFirst.checked = failedFirst;
    const { wanted } = this.#all.view;
    if (wanted.search !== find || wanted.category !== only || wanted.failedFirst !== failedFirst) this.#want({ search: find, category: only, failedFirst });
    this.#active.fromRoute();
    this.#all.fromRoute();
  }

  focusSearch() {
    this.#find.focus();
    this.#find.select();
  }

  /** Take a key of the page's: it is for the table that has the focus, or else the cursor. @param {KeyboardEvent} event */
  key(event) {
    const shown = [this.#active, this.#all].filter((table) => !table.hidden);
    const table = shown.find((one) => one.contains(document.activeElement))
      ?? shown.find((one) => one.shows(this.app.selected)) ?? shown[0];
    table?.key(event);
  }

  restyle() {
    this.#active.restyle();
    this.#all.restyle();
  }

  draw() {
    const { app } = this;
    const { shot, system, route } = app;
    setOptions(this.#trees, system.experiments());
    setOptions(this.#shots, shot ? system.shotsOf(shot.tree).slice(0, 50).map((one) => String(one.shot)) : []);
    setOptions(this.#phases, [...(shot?.view?.phases ?? [])]);
    setAttribute(this.#tree, 'placeholder', shot?.tree ?? 'TREE');
    setAttribute(this.#shot, 'placeholder', shot ? `${shot.shot}, current` : 'current');
    setAttribute(this.#phase, 'placeholder', shot?.view?.phases?.[0] ?? 'INIT');
    setText(this.#address, system.view.broker ?? '');
    this.#create.disabled = !app.may('create_pulse');
    this.#build.disabled = !app.may('build_tables');
    this.#dispatch.disabled = this.#run.disabled = !app.may('do_phase');
    const room = window.innerHeight >= ROOM_FOR_BOTH && !isForm('phone');
    const show = route.show === 'auto' ? (room ? 'both' : 'active') : route.show;
    for (const [id, button] of this.#show) setAttribute(button, 'aria-pressed', String(id === show));
    if (this.#tables.dataset.show !== show) {
      this.#tables.dataset.show = show;
      this.#active.hidden = show === 'all';
      this.#all.hidden = show === 'active';
    }
    const chosen = this.#chosen().length;
    this.#selected.hidden = chosen === 0;
    setText(this.#selectedCount, `${chosen} selected`);
    this.#strip.draw();
    if (app.wall) this.#wall.draw();
    else {
      this.#active.draw();
      this.#all.draw();
    }
  }

  /**
   * Return experiment and shot for a command; the shown one where the fields are empty. Null, and
   * said so, where the shot cannot be read.
   * @param {string} what
   */
  #target(what) {
    const tree = this.#tree.value.trim().toUpperCase() || this.app.shot?.tree || '';
    const { shot: typed, wrong } = readShot(this.#shot.value);
    if (wrong) {
      this.#shot.focus();
      tell(what, problem(`${plain(wrong)} is no shot number: it has digits only.`));
      return null;
    }
    const shown = this.app.shot?.tree === tree ? this.app.shot.shot : null;
    return { tree, shot: typed ?? shown, typed };
  }

  async #createPulse() {
    const target = this.#target('Create Pulse');
    if (!target) return;
    const { tree, typed } = target;
    if (!tree || typed === null) {
      (tree ? this.#shot : this.#tree).focus();
      tell('Create Pulse', problem(`Give the ${tree ? 'shot number' : 'experiment'} first.`));
      return;
    }
    await run(`Create Pulse ${tree}/${typed}`, 'create_pulse', { tree, shot: typed });
  }

  async #buildTable() {
    const target = this.#target('Build Table');
    if (!target) return;
    const { tree, shot } = target;
    if (!tree || shot === null) {
      tell('Build Table', problem('Give experiment and shot first, or create a pulse.'));
      return;
    }
    await run(`Build Table ${tree}/${shot}`, 'build_tables', { tree, shot, list_actions: false });
  }

  async #doPhase() {
    const target = this.#target('Dispatch');
    if (!target) return;
    const { tree, shot } = target;
    const phase = this.#phase.value.trim();
    if (!phase || !tree || shot === null) {
      this.#phase.focus();
      tell('Dispatch', problem(phase ? 'Give experiment and shot first.' : 'Give the phase first.'));
      return;
    }
    await run(`Dispatch ${phase} of ${tree}/${shot}`, 'do_phase', { tree, shot, phase, wait: false, careful: true });
  }

  async #custom() {
    const line = this.#line.value.trim();
    if (!line) return;
    this.#history = [...this.#history.filter((one) => one !== line), line].slice(-HISTORY_MAX);
    this.#line.value = '';
    this.#run.disabled = true;
    this.#reply.show(`$ shotline ${line}`, 'runs …', '', true);
    let { status, data } = await post('command_line', { line, careful: true });
    const ends = status === 409 ? data?.dangers?.[0] : undefined;
    if (ends) {
      const yes = await ask({ title: `Run ${plain(line)}?`, text: plain(ends.text), yes: 'Run it', cautious: true });
      if (yes) ({ status, data } = await post('command_line', { line, careful: true, insist: [ends.danger] }));
      else data = { message: 'not run: somebody said no' };
    }
    this.#run.disabled = false;
    if (status === 200) {
      const code = data.timed_out ? 'ended at its time limit' : `exit code ${data.exit_code}`;
      this.#reply.show(`$ shotline ${line}`, code, String(data.output ?? ''), data.exit_code === 0);
    } else {
      const text = typeof data === 'string' ? data : String(data?.message ?? `status ${status}`);
      this.#reply.show(`$ shotline ${line}`, 'refused', text, false);
    }
  }

  /** @param {KeyboardEvent} event */
  #recall(event) {
    if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
    const at = this.#history.indexOf(this.#line.value);
    const from = at < 0 ? this.#history.length : at;
    this.#line.value = this.#history[from + (event.key === 'ArrowUp' ? -1 : 1)] ?? '';
    event.preventDefault();
  }
}

/** @param {string} message @returns {import('../view/api.js').Answer} */
function problem(message) {
  return { status: 0, outcome: 'usage', message, notices: [], dangers: [], result: null, fields: [] };
}
