/**
 * What somebody has seen of the alarms when they looked last, kept by the browser for each person.
 */

/** @import {App} from '../view/app.js' */
import { ALARMS } from './board.js';

const KEY = 'shotline-alarms-seen';

export class Looked {
  /** What was raised after this number is new; null: nobody has looked here before. @type {number|null} */ since = null;
  /** When that was, by the machines' clock. */
  at = 0;
  #key = '';
  #looking = false;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
  }

  /** Take note of whether somebody looks now; what was new stays so until they look away. @param {boolean} looks */
  look(looks) {
    const { app } = this;
    const board = app.of(ALARMS);
    const key = `${KEY}:${app.who.user || ''}`;
    if (key !== this.#key || (looks && !this.#looking)) {
      this.#key = key;
      this.#read();
    }
    this.#looking = looks;
    if (!looks || !board.known) return;
    const text = JSON.stringify([board.newest, Math.floor(app.now())]);
    if (this.#kept()?.[0] !== board.newest) window.localStorage.setItem(key, text);
  }

  #read() {
    const kept = this.#kept();
    this.since = kept?.[0] ?? null;
    this.at = kept?.[1] ?? 0;
  }

  /** @returns {[number, number]|null} */
  #kept() {
    try {
      const found = JSON.parse(window.localStorage.getItem(this.#key) ?? 'null');
      return Array.isArray(found) && found.every(Number.isFinite) ? /** @type {[number, number]} */ (found) : null;
    } catch {
      return null;
    }
  }

  /** Let all that there is count as seen. */
  seen() {
    this.since = this.app.of(ALARMS).newest;
    this.at = this.app.now();
    this.app.changed();
  }

  /** Whether an alarm is new since somebody looked. @param {number} number */
  isNew(number) {
    return this.since !== null && number > this.since;
  }
}
