/**
 * Gives the queue's commands: with the key of a lock, and with the number of the list that they rest
 * on. Where somebody else was faster it says what they changed, and nobody's change is lost.
 */

/** @import {App} from '../view/app.js' */
/** @import {Answer} from '../view/api.js' */
/** @import {Board} from './board.js' */
/** @import {Entry, QueueChange, QueueRefused} from '../model/types.js' */
import { clock } from '../model/format.js';
import { plain } from '../model/words.js';
import { command } from '../view/api.js';
import { tell } from '../view/commands.js';
import { ask, askFor } from '../view/dialog.js';
import { QUEUE } from './board.js';
import { heldWords, planName, withNames } from './words.js';

const GROUP = 'shotline-queue-group';

export class Editor {
  /** Of the lock, as somebody has typed it here. */
  key = '';
  /** Who sits here, where nobody logs in. */
  #name = '';
  /** Whose rights they have, as somebody has chosen here; '': those of the configuration's. */
  group = window.localStorage.getItem(GROUP) ?? '';

  /** @param {App} app */
  constructor(app) {
    this.app = app;
  }

  get board() {
    return this.app.of(QUEUE);
  }

  /** Ask and act for another group from now on, in this browser. @param {string} group */
  choose(group) {
    this.group = group;
    window.localStorage.setItem(GROUP, group);
    this.app.changed();
  }

  /**
   * Give a command; where it is locked ask for the key, and give it again.
   * @param {string} verb
   * @param {Record<string, unknown>} body
   * @returns {Promise<Answer>}
   */
  async send(verb, body) {
    for (;;) {
      const given = this.group ? { ...body, group: this.group } : body;
      const answer = await command(verb, this.key ? { ...given, lock_key: this.key } : given);
      const code = refusalOf(answer)?.code;
      const wants = code === 'locked' || code === 'wrong_key';
      if (!wants || 'key' in body) return answer;
      if (!(await this.askKey(plain(answer.message)))) return answer;
    }
  }

  /** Ask for the key of the lock; return whether one was given. @param {string} text */
  async askKey(text) {
    const said = await askFor({
      title: 'The key of the lock?',
      text,
      fields: [{ name: 'key', label: 'Key', type: 'password', required: true }],
      yes: 'Use the key',
    });
    if (said) this.key = said.key;
    this.app.changed();
    return said !== null;
  }

  /**
   * Give a command and show its answer; return whether it was carried out.
   * @param {string} what as people say it
   * @param {string} verb
   * @param {Record<string, unknown>} [body]
   * @param {{version?: number}} [rests] the number of the list that it rests on
   */
  async run(what, verb, body = {}, { version } = {}) {
    let rests = version;
    for (;;) {
      const answer = await this.send(verb, rests === undefined ? body : { ...body, version: rests });
      const refused = refusalOf(answer);
      if (refused?.code !== 'changed') {
        tell(what, answer);
        return isGood(answer);
      }
      const { changes = [] } = refused;
      if (!(await ask({ title: `${who(changes)} changed the queue meanwhile.`, items: changes.map((one) => changeWords(one, this.board)), yes: `${what} all the same`, danger: false, cautious: true }))) return false;
      rests = refused.version ?? 0;
    }
  }

  /** Let HELD entries run again: a person is named with them. @param {Entry[]} entries */
  async release(entries) {
    if (entries.length === 0) return;
    const { user } = this.app.who;
    const what = `Release ${entries.length === 1 ? planName(entries[0].plan) : `${entries.length} plans`}`;
    const said = await askFor({
      title: `${what}?`,
      text: `It runs again when its turn comes. ${user ? `You are named with it: ${plain(user)}.` : ''}`,
      items: entries.map((one) => `${planName(one.plan)}: ${heldWords(one)}`),
      fields: user ? [] : [{ name: 'name', label: 'Your name', value: this.#name, required: true }],
      yes: 'Release',
    });
    if (!said) return;
    this.#name = said.name ?? '';
    const named = user ? {} : { user: this.#name };
    await this.run(what, 'queue_release', { uids: entries.map((one) => one.uid), ...named }, { version: this.board.number });
  }

  /** Take entries or proposals out. @param {Entry[]} entries */
  async remove(entries) {
    if (entries.length === 0) return;
    const verb = entries[0].state === 'proposed' ? 'Reject' : 'Remove';
    const what = `${verb} ${entries.length === 1 ? planName(entries[0].plan) : `${entries.length} plans`}`;
    const items = entries.length > 1 ? entries.map((one) => planName(one.plan)) : [];
    if (!(await ask({ title: `${what}?`, items, yes: verb }))) return;
    await this.run(what, 'queue_remove', { uids: entries.map((one) => one.uid) }, { version: this.board.number });
  }
}

/** @param {Answer} answer @returns {QueueRefused|null} */
export function refusalOf(answer) {
  return answer.result?.kind === 'queue_refused' ? answer.result : null;
}

/** @param {Answer} answer */
export function isGood(answer) {
  return answer.outcome === 'ok' || answer.outcome === 'accepted';
}

/** Return a change in words. @param {QueueChange} change @param {Board} board */
export function changeWords({ time, by, text }, board) {
  return `${clock(time)}  ${plain(by || 'the queue')}: ${withNames(text, (uid) => board.plan(uid))}`;
}

/** Return who has made changes. @param {QueueChange[]} changes */
export function who(changes) {
  const names = [...new Set(changes.map(({ by }) => plain(by)))].filter(Boolean);
  return names.length > 0 ? names.join(', ') : 'Somebody';
}
