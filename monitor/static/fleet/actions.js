/**
 * What can be done with servers: each act asks what it needs, is given for all that are meant, and
 * every server's own answer is shown.
 */

/** @import {App} from '../view/app.js' */
/** @import {Answer} from '../view/api.js' */
/** @import {FleetAnswer, ServerView} from '../model/types.js' */
/** @import {Asked} from '../view/dialog.js' */
import { plain } from '../model/words.js';
import { command } from '../view/api.js';
import { tell } from '../view/commands.js';
import { askFor } from '../view/dialog.js';
import { h, setText } from '../view/dom.js';
import { Inputs, Part } from '../view/part.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

/** @type {Asked} */
const REASON = { name: 'reason', label: 'Why (everybody sees it)' };

/**
 * @typedef {object} Act
 * @property {string} text
 * @property {string} verb
 * @property {string} title
 * @property {(server: ServerView) => boolean} [fits] whether it is for such a server
 * @property {(what: string, servers: ServerView[]) => Promise<Record<string, unknown>|null>} body asks for it; null: nothing is to be done
 */

/** @param {ServerView} server */
const isGone = ({ state }) => state === 'OFF';

/** @type {Act[]} */
export const ACTS = [
  { text: 'Slots …', verb: 'fleet_slots', title: 'how many of their slots are used; what runs is not touched', body: askSlots },
  { text: 'Hours …', verb: 'fleet_hours', title: 'when they work, every day', body: askHours },
  { text: 'Drain …', verb: 'fleet_drain', title: 'let them take nothing more', body: askDrain },
  { text: 'Resume …', verb: 'fleet_resume', title: 'let them take work again', body: (what, servers) => asked(what, servers, [], 'Resume', 'What was to come after the drain does not.') },
  { text: 'Quit after …', verb: 'fleet_quit_after', title: 'let them serve so much more, and end', body: askQuit },
  { text: 'Heartbeat …', verb: 'fleet_heartbeat', title: 'how often they tell of themselves; or now', body: askBeat },
  { text: 'Dismiss …', verb: 'fleet_dismiss', title: 'forget servers that are gone', fits: isGone, body: (what, servers) => asked(what, servers, [], 'Dismiss', 'Their rows, their last words and what they were set to are forgotten.') },
];

/**
 * Ask about servers.
 * @param {string} title
 * @param {ServerView[]} servers
 * @param {Asked[]} fields
 * @param {string} yes
 * @param {string} [text]
 * @param {boolean} [danger]
 */
async function asked(title, servers, fields, yes, text = '', danger = false) {
  return askFor({ title, text, items: servers.map(({ server, host }) => plain(`${server}${host ? ` on ${host}` : ''}`)), fields: [...fields, REASON], yes, danger });
}

/** @param {string} what @param {ServerView[]} servers */
async function askSlots(what, servers) {
  const said = await asked(what, servers, [
    { name: 'how', label: 'How many', type: 'choice', choices: [['all', 'All', 'that each has'], ['most', 'So many', 'and no more'], ['but', 'All but so many', '']] },
    { name: 'n', label: 'So many', type: 'number', value: '1' },
  ], 'Set');
  if (!said) return null;
  const n = Math.abs(Math.trunc(Number(said.n) || 0));
  return { slots: said.how === 'all' ? null : said.how === 'but' ? -n : n, reason: said.reason };
}

/** @param {string} what @param {ServerView[]} servers */
async function askHours(what, servers) {
  const time = 'HH:MM, now, or off';
  const said = await asked(what, servers, [
    { name: 'how', label: 'Hours', type: 'choice', choices: [['set', 'Set', 'those that are given here; the others stay'], ['clear', 'None', 'work at any time']] },
    { name: 'start', label: 'Start: takes work from then on', placeholder: time },
    { name: 'stop', label: 'Stop: nothing new from then on, what runs goes on', placeholder: time },
    { name: 'end', label: 'End: what runs is ended', placeholder: time },
    { name: 'zone', label: 'Time zone', placeholder: 'as before, else the configuration’s; as Europe/Berlin' },
  ], 'Set');
  if (!said) return null;
  if (said.how === 'clear') return { clear: true, reason: said.reason };
  const given = Object.fromEntries(['start', 'stop', 'end', 'zone'].map((name) => [name, said[name].trim()]).filter(([, value]) => value));
  return { ...given, reason: said.reason };
}

/** @param {string} what @param {ServerView[]} servers */
async function askDrain(what, servers) {
  const busy = servers.flatMap((server) => (server.busy ?? []).map(plain));
  const said = await asked(what, servers, [
    { name: 'mode', label: 'What runs', type: 'choice', choices: [['finish', 'Goes on', busy.length > 0 ? `${busy.length} actions run there` : ''], ['now', 'Is ended', 'at once']] },
    { name: 'minutes', label: 'It is ended after so many minutes (empty: never)', type: 'number' },
    { name: 'then', label: 'Once they are empty', type: 'choice', choices: [['stay', 'Stay', 'until somebody resumes them'], ['resume', 'Resume', ''], ['restart', 'Restart', 'new processes'], ['quit', 'Quit', '']] },
  ], 'Drain', '', true);
  if (!said) return null;
  const minutes = Number(said.minutes);
  return { mode: said.mode, then: said.then, ...(said.minutes && minutes >= 0 ? { within_s: 60 * minutes } : {}), reason: said.reason };
}

/** @param {string} what @param {ServerView[]} servers */
async function askQuit(what, servers) {
  const said = await asked(what, servers, [
    { name: 'unit', label: 'They end after so many more', type: 'choice', choices: [['actions', 'Actions', ''], ['runs', 'Runs', ''], ['shots', 'Shots', ''], ['ever', 'Never', 'they serve for ever']] },
    { name: 'n', label: 'So many (0: nothing more)', type: 'number', value: '1' },
  ], 'Set', '', true);
  if (!said) return null;
  const n = Math.max(0, Math.trunc(Number(said.n) || 0));
  return { after: said.unit === 'ever' ? null : { n, unit: said.unit }, reason: said.reason };
}

/** @param {string} what @param {ServerView[]} servers */
async function askBeat(what, servers) {
  const said = await asked(what, servers, [
    { name: 'how', label: 'Heartbeat', type: 'choice', choices: [['now', 'Now', 'ask them at once'], ['every', 'Every so many seconds', ''], ['own', 'As configured', '']] },
    { name: 'seconds', label: 'Seconds', type: 'number', value: '1', step: 'any' },
  ], 'Set');
  if (!said) return null;
  if (said.how === 'now') return { now: true, reason: said.reason };
  return { every_s: said.how === 'own' ? null : Number(said.seconds), reason: said.reason };
}

/** Return how servers are called together. @param {ServerView[]} servers */
export function calledTogether(servers) {
  return servers.length === 1 ? plain(servers[0].server) : `${servers.length} servers`;
}

/** Gives the commands, and has their answers shown. */
export class Giver {
  /** @param {App} app @param {AnswersPane} answers */
  constructor(app, answers) {
    this.app = app;
    this.answers = answers;
  }

  /**
   * Give a command, and show what each server answers; return whether it was carried out.
   * @param {string} what
   * @param {string} verb
   * @param {Record<string, unknown>} body
   */
  async give(what, verb, body) {
    const answer = await command(verb, body);
    const { answers } = answer.result ?? {};
    if (Array.isArray(answers) && answers.length > 0) this.answers.show(what, answers, answer);
    else tell(what, answer);
    return answer.outcome === 'ok' || answer.outcome === 'accepted';
  }

  /** @param {Act} act @param {ServerView[]} servers */
  async act(act, servers) {
    const meant = servers.filter((server) => act.fits?.(server) ?? true);
    if (meant.length === 0) return;
    const what = `${act.text.replace(' …', '')}: ${calledTogether(meant)}`;
    const body = await act.body(what, meant);
    if (body) await this.give(what, act.verb, { select: { servers: meant.map(({ server }) => server) }, ...body });
  }
}

/** The buttons for servers. */
export class ActionBar extends Part {
  /** @type {Giver} */ giver = /** @type {any} */ (null);
  /** @type {() => ServerView[]} */ servers = () => [];
  #buttons = ACTS.map((act) => ({ act, button: h('button', { class: 'small', title: act.title, onclick: () => void this.giver.act(act, this.servers()) }, act.text) }));
  #made = new Inputs();

  build() {
    this.setAttribute('role', 'group');
    this.setAttribute('aria-label', 'what can be done with the servers');
    this.append(...this.#buttons.map(({ button }) => button));
  }

  draw() {
    const servers = this.servers();
    if (!this.#made.changed(...servers, ...ACTS.map(({ verb }) => this.app.may(verb)))) return;
    for (const { act, button } of this.#buttons) {
      button.disabled = !this.app.may(act.verb) || servers.length === 0;
      button.hidden = act.fits !== undefined && !servers.some(act.fits);
    }
  }
}

/** What each server has answered; stays until it is closed. */
export class AnswersPane extends Part {
  #what = h('strong');
  #how = h('span');
  #list = h('ul', { class: 'answers', tabIndex: 0, 'aria-label': 'answers of the servers' });

  build() {
    this.hidden = true;
    this.setAttribute('role', 'status');
    this.append(h('header', {}, this.#what, this.#how, h('button', { class: 'small quiet', onclick: () => (this.hidden = true) }, 'Close')), this.#list);
  }

  /** @param {string} what @param {FleetAnswer[]} answers @param {Answer} answer */
  show(what, answers, answer) {
    const done = answers.filter((one) => one.done).length;
    setText(this.#what, what);
    setText(this.#how, [done > 0 && `${done} done`, done < answers.length && `${answers.length - done} not`, plain(answer.message), ...answer.notices.map(plain)].filter(Boolean).join(' · '));
    const sorted = [...answers].sort((one, other) => Number(one.done) - Number(other.done));
    this.#list.replaceChildren(...sorted.map((one) => h('li', { class: one.done ? 'good-answer' : 'bad-answer' },
      h('span', { class: `symbol ${one.done ? 'good' : 'bad'}` }, one.done ? '✓' : '✗'), h('strong', {}, plain(one.server)), h('span', { class: 'answer-text' }, one.text.split('\n').map(plain).join('\n')))));
    this.hidden = false;
  }
}

customElements.define('fleet-actions', ActionBar);
customElements.define('fleet-answers', AnswersPane);
