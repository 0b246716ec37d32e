/**
 * How the queue stands, seen from three metres, and what can be done about it; what is HELD and what
 * is locked.
 */

/** @import {QueueView} from '../model/types.js' */
/** @import {Editor} from './editor.js' */
/** @import {Kinds} from './kinds.js' */
import { clock } from '../model/format.js';
import { plain } from '../model/words.js';
import { command } from '../view/api.js';
import { tell } from '../view/commands.js';
import { ask, askFor } from '../view/dialog.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Inputs, Part } from '../view/part.js';
import { useStyle } from '../view/style.js';
import { STATES, groupWords, heldWords, lockedParts, planName, withNames } from './words.js';

useStyle(import.meta.url);

/**
 * @typedef {object} Act
 * @property {string} text
 * @property {string} verb
 * @property {string} title
 * @property {(view: QueueView) => boolean} fits
 * @property {(bar: StateBar) => unknown} act
 * @property {string} [look]
 * @property {(view: QueueView) => string} [named]
 */

/** @param {string} operation @returns {(view: QueueView) => boolean} */
const allowed = (operation) => (view) => (view.allowed ?? []).includes(operation);

/** @type {Act[]} */
const ACTS = [
  { text: 'Start', verb: 'queue_start', look: 'primary', title: 'arm the queue: its plans run one after the other', fits: allowed('start'), act: ({ editor }) => editor.run('Start the queue', 'queue_start') },
  { text: 'Resume', verb: 'queue_resume', look: 'primary', title: 'let the paused plan go on', fits: allowed('resume'), act: (bar) => bar.resume() },
  { text: 'Pause', verb: 'queue_pause', title: 'before its next phase or sequence number', fits: (view) => allowed('pause')(view) && view.state !== 'pausing', act: ({ editor }) => editor.run('Pause', 'queue_pause') },
  { text: 'Pause now …', verb: 'queue_pause', title: 'at once: what it runs is aborted', fits: allowed('pause'), act: (bar) => bar.pauseNow() },
  { text: 'Stop', verb: 'queue_stop', title: 'start no further plan', named: (view) => (view.running ? 'Stop after this plan' : 'Stop the queue'), fits: (view) => allowed('stop')(view) && !view.stop_pending, act: ({ editor }) => editor.run('Stop the queue', 'queue_stop') },
  { text: 'Do not stop', verb: 'queue_stop', title: 'go on after this plan', fits: allowed('cancel_stop'), act: ({ editor }) => editor.run('Do not stop the queue', 'queue_stop', { cancel: true }) },
  { text: 'End plan …', verb: 'queue_end', look: 'danger', title: 'stop, abort or halt the running plan', fits: allowed('end'), act: (bar) => bar.end() },
];

/** @type {{mode: 'loop'|'ignore_failures'|'autostart', text: string, title: string}[]} */
const MODES = [
  { mode: 'loop', text: 'Loop', title: 'what has completed goes to the back again' },
  { mode: 'ignore_failures', text: 'Ignore failures', title: 'what has failed does not come back, and does not stop the queue' },
  { mode: 'autostart', text: 'Autostart', title: 'the queue is armed by itself whenever something may run' },
];

export class StateBar extends Part {
  /** @type {Editor} */ editor = /** @type {any} */ (null);
  /** @type {Kinds} */ kinds = /** @type {any} */ (null);
  /** Called with the first HELD entry when somebody wants to see it. @type {(uid: string) => void} */ reveal = () => {};
  #symbol = h('span', { class: 'symbol', 'aria-hidden': 'true' });
  #word = h('span', { class: 'queue-word' });
  #pill = h('strong', { class: 'queue-state', role: 'status', 'aria-label': 'state of the queue' }, this.#symbol, this.#word);
  #text = h('span', { class: 'queue-text' });
  #acts = ACTS.map((act) => ({ act, button: h('button', { class: act.look ?? '', title: act.title, onclick: () => void act.act(this) }, act.text) }));
  #modes = MODES.map((one) => ({ ...one, button: h('button', { class: 'small', title: one.title, 'aria-pressed': 'false', onclick: () => void this.#switch(one.mode, one.text) }, one.text) }));
  #environment = h('button', { class: 'small', title: 'the workers of the servers that the queue needs', onclick: () => void this.#askEnvironment() });
  #group = h('button', { class: 'small', hidden: true, title: 'whose rights you have here, and what they allow', onclick: () => void this.#askGroup() });
  #lockIt = h('button', { class: 'small', title: 'let nobody without the key change it', onclick: () => void this.#lock() }, 'Lock …');
  #heldText = h('span', { class: 'note-text' });
  #release = h('button', { class: 'small', onclick: () => void this.editor.release(this.editor.board.held()) }, 'Release …');
  #show = h('button', { class: 'small', onclick: () => this.reveal(this.editor.board.held()[0]?.uid ?? '') }, 'Show');
  #held = h('div', { class: 'queue-note held', role: 'alert', hidden: true }, h('strong', {}, 'HELD'), this.#heldText, h('span', { class: 'note-buttons' }, this.#release, this.#show));
  #lockText = h('span', { class: 'note-text' });
  #haveKey = h('button', { class: 'small', onclick: () => void this.#tryKey() }, 'I have the key …');
  #unlock = h('button', { class: 'small', onclick: () => void this.#unlockIt() }, 'Unlock …');
  #locked = h('div', { class: 'queue-note locked', role: 'status', hidden: true }, h('strong', {}, 'LOCKED'), this.#lockText, h('span', { class: 'note-buttons' }, this.#haveKey, this.#unlock));
  #wasLocked = false;
  #made = new Inputs();

  build() {
    this.append(
      h('div', { class: 'queue-bar' }, this.#pill, this.#text,
        h('div', { class: 'queue-acts', role: 'group', 'aria-label': 'the queue' }, ...this.#acts.map(({ button }) => button)),
        h('div', { class: 'queue-modes', role: 'group', 'aria-label': 'how the queue goes on' }, ...this.#modes.map(({ button }) => button), this.#environment, this.#group, this.#lockIt)),
      this.#held, this.#locked);
  }

  draw() {
    const { app, editor } = this;
    const { view } = editor.board;
    const may = [...ACTS.map(({ verb }) => verb), 'queue_mode', 'queue_autostart', 'queue_environment', 'queue_lock', 'queue_unlock', 'queue_release'].map((verb) => app.may(verb));
    if (!this.#made.changed(view, editor.board.version, editor.key, this.kinds.version, ...may)) return;
    this.hidden = view === null;
    if (!view) return;
    const { symbol, word } = STATES[view.state];
    setAttribute(this, 'data-state', view.state);
    setText(this.#symbol, symbol);
    setText(this.#word, word);
    setText(this.#text, withNames(view.text, (uid) => editor.board.plan(uid)));
    for (const { act, button } of this.#acts) {
      button.hidden = !act.fits(view);
      button.disabled = !app.may(act.verb);
      setText(button, act.named?.(view) ?? act.text);
    }
    for (const { mode, button } of this.#modes) {
      setAttribute(button, 'aria-pressed', String(view.modes?.[mode] ?? false));
      button.disabled = !app.may(mode === 'autostart' ? 'queue_autostart' : 'queue_mode');
    }
    const environment = view.environment?.state ?? 'closed';
    setText(this.#environment, `Environment: ${environment}`);
    this.#environment.classList.toggle('bad', environment === 'failed');
    const { groups, group, problem } = this.kinds;
    this.#group.hidden = Object.keys(groups).length === 0 && !problem;
    setText(this.#group, `Group: ${problem ? 'none' : plain(group)}`);
    this.#group.classList.toggle('bad', problem !== '');
    this.#drawHeld();
    this.#drawLock(view);
  }

  #drawHeld() {
    const { app, editor } = this;
    const held = editor.board.held();
    const [first] = held;
    this.#held.hidden = !first;
    if (!first) return;
    const which = held.length === 1 ? planName(first.plan) : `${held.length} plans; first ${planName(first.plan)}`;
    setText(this.#heldText, `${which}. ${heldWords(first)}. It waits until somebody releases it by name.`);
    this.#release.disabled = !app.may('queue_release');
  }

  /** @param {QueueView} view */
  #drawLock(view) {
    const { app, editor } = this;
    const lock = view.lock ?? null;
    this.#locked.hidden = lock === null;
    this.#lockIt.hidden = lock !== null;
    this.#lockIt.disabled = !app.may('queue_lock');
    // The key of a lock that is gone is no longer asked for.
    if (!lock && this.#wasLocked) editor.key = '';
    this.#wasLocked = lock !== null;
    if (!lock) return;
    const note = lock.note ? `: “${plain(lock.note)}”` : '';
    const mine = editor.key ? ' You have the key here.' : '';
    setText(this.#lockText, `${plain(lock.user) || 'Somebody'} has locked ${lockedParts(lock)} since ${clock(lock.time)}${note}.${mine}`);
    this.#haveKey.hidden = editor.key !== '' || !app.may('queue_unlock');
    this.#unlock.disabled = !app.may('queue_unlock');
  }

  // What the buttons do

  async resume() {
    const aborted = this.editor.board.view?.running?.aborted ?? [];
    if (aborted.length === 0) {
      await this.editor.run('Resume', 'queue_resume');
      return;
    }
    const said = await askFor({
      title: 'Resume: what of the aborted actions?',
      items: aborted.map(plain),
      fields: [{ name: 'aborted', label: 'They were ended for the pause', type: 'choice', choices: [['again', 'Run them again', 'as new attempts'], ['leave', 'Leave them', 'as they are: aborted']] }],
      yes: 'Resume',
    });
    if (said) await this.editor.run('Resume', 'queue_resume', { aborted: said.aborted });
  }

  async pauseNow() {
    if (!(await ask({ title: 'Pause at once?', text: 'What the plan runs just now is aborted; Resume asks what becomes of it.', yes: 'Pause now' }))) return;
    await this.editor.run('Pause now', 'queue_pause', { immediate: true });
  }

  async end() {
    const { view } = this.editor.board;
    if (!view?.running) return;
    const said = await askFor({
      title: `End ${planName(view.running.plan)}?`,
      fields: [
        { name: 'how', label: 'How', type: 'choice', choices: [
          ['stop', 'Stop', 'what runs ends in order, then the closing phases; it counts as a success'],
          ['abort', 'Abort', 'what runs is aborted, then the closing phases'],
          ['halt', 'Halt', 'what runs is aborted, and nothing more runs'],
        ] },
        { name: 'reason', label: 'Why (it is kept with the plan)' },
      ],
      yes: 'End the plan',
      danger: true,
    });
    if (said) await this.editor.run('End the plan', 'queue_end', { how: said.how, reason: said.reason });
  }

  /** @param {typeof MODES[number]['mode']} mode @param {string} text */
  async #switch(mode, text) {
    const on = !(this.editor.board.view?.modes?.[mode] ?? false);
    const what = `${text} ${on ? 'on' : 'off'}`;
    if (mode === 'autostart') await this.editor.run(what, 'queue_autostart', { enable: on });
    else await this.editor.run(what, 'queue_mode', { [mode]: on });
  }

  async #askEnvironment() {
    const { view } = this.editor.board;
    const servers = (view?.environment?.servers ?? []).map(({ server, state, text }) => plain(`${server}: ${state}${text ? `, ${text}` : ''}`));
    const may = this.app.may('queue_environment');
    /** @type {[string, string, string][]} */
    const acts = [
      ['open', 'Open', 'start the workers of the servers that the queue needs'],
      ['reload', 'Reload', 'end them in order, and start them anew'],
      ['close', 'Close', 'end them in order'],
      ['destroy', 'Destroy', 'end them at once'],
    ];
    const choices = acts.filter(([act]) => (view?.allowed ?? []).includes(act));
    const said = await askFor({
      title: `Environment: ${view?.environment?.state ?? 'closed'}`,
      text: may ? '' : 'You may only look.',
      items: servers,
      fields: may && choices.length > 0 ? [{ name: 'act', label: 'What to do', type: 'choice', choices }] : [],
      yes: may ? 'Do it' : 'Close',
    });
    if (said?.act) await this.editor.run(`Environment: ${said.act}`, 'queue_environment', { act: said.act });
  }

  /** Say what one's group allows, and let another be chosen. */
  async #askGroup() {
    const { groups, group, problem } = this.kinds;
    const names = Object.keys(groups);
    const own = groups[group];
    /** @type {[string, string, string][]} */
    const choices = names.map((name) => [name, plain(name), plain(groups[name].description ?? '')]);
    const said = await askFor({
      title: problem ? 'Which group?' : `Group: ${plain(group)}`,
      text: problem ? plain(problem) : plain(own?.description ?? ''),
      items: own && !problem ? ['You may use:', ...groupWords(own)] : [],
      fields: [choices.length > 0
        ? { name: 'group', label: 'Act for', type: 'choice', choices, value: group }
        : { name: 'group', label: 'Your group', required: true }],
      yes: 'Act for it',
    });
    if (said) this.editor.choose(said.group);
  }

  async #lock() {
    const said = await askFor({
      title: 'Lock the queue?',
      text: 'Who has not the key can change nothing of what is locked. Ending a plan is never locked.',
      fields: [
        { name: 'queue', label: 'the queue: entries and modes', type: 'tick', value: '1' },
        { name: 'environment', label: 'what runs: start, pause, resume, environment', type: 'tick' },
        { name: 'note', label: 'Why (everybody sees it)' },
        { name: 'key', label: 'Key', type: 'password', required: true },
      ],
      yes: 'Lock',
    });
    if (!said) return;
    const body = { key: said.key, note: said.note, queue: said.queue === '1', environment: said.environment === '1' };
    if (await this.editor.run('Lock', 'queue_lock', body)) this.editor.key = said.key;
    this.app.changed();
  }

  async #tryKey() {
    const { editor } = this;
    if (!(await editor.askKey(''))) return;
    const answer = await command('queue_lock_info', { key: editor.key });
    if (answer.result?.key_fits === true) return;
    editor.key = '';
    tell('Key', { status: 409, outcome: 'refused', message: 'It is not the key of this lock.', notices: [], dangers: [], result: null, fields: [] });
    this.app.changed();
  }

  async #unlockIt() {
    const { editor } = this;
    const { view } = editor.board;
    if (!editor.key) {
      const emergency = view?.emergency_key_set ? 'The emergency key does, too.' : '';
      if (!(await editor.askKey(emergency))) return;
    }
    const key = editor.key;
    editor.key = '';
    const done = await editor.run('Unlock', 'queue_unlock', { key });
    editor.key = done ? '' : editor.key;
    this.app.changed();
  }
}

customElements.define('queue-state', StateBar);
