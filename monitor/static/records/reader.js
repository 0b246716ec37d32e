/**
 * Reads lists that are too long to be told of all the time: again when something has happened to
 * records, and the more seldom the longer it takes.
 */

import { failed, getText } from '../view/api.js';
import { plain } from '../model/words.js';
import { Inputs } from '../view/part.js';

const EVERY_MS = 1000;
const PAUSE = 10; // times as long as the last reading took
const PAGES_MAX = 200;

/** @template R */
export class Reader {
  /** @type {R[]} */ rows = [];
  problem = '';
  /** Whether there are more than were read. */
  more = false;
  /** Whether anything was read of what is wanted now. */
  known = false;
  version = 0;
  #made = new Inputs();
  #wanted = '';
  #reading = false;
  /** As it was read last. @type {string[]} */ #texts = [];
  #pause = EVERY_MS;
  #changed;
  #most;

  /** @param {() => void} changed called when something was read @param {number} [most] rows */
  constructor(changed, most = Infinity) {
    this.#changed = changed;
    this.#most = most;
  }

  /**
   * See to it that it is as it stands. Called at every frame in which it is looked at.
   * @param {string} route
   * @param {Record<string, string|undefined>} wanted
   * @param {(result: any) => R[]} rowsOf
   * @param {...unknown} made of which it is made: read again where one of these is another
   */
  look(route, wanted, rowsOf, ...made) {
    const what = JSON.stringify(wanted);
    if (what !== this.#wanted) {
      this.#wanted = what;
      this.rows = [];
      this.known = false;
      this.problem = '';
      this.version += 1;
      this.#made.forget();
      this.#pause = EVERY_MS;
    }
    if (this.#reading || !this.#made.due(this.#pause, what, ...made)) return;
    void this.#read(route, wanted, rowsOf, what);
  }

  /** Read again at once. */
  forget() {
    this.#made.forget();
  }

  /** @param {string} route @param {Record<string, string|undefined>} wanted @param {(result: any) => R[]} rowsOf @param {string} what */
  async #read(route, wanted, rowsOf, what) {
    this.#reading = true;
    const begun = performance.now();
    /** @type {R[]} */
    let rows = [];
    /** @type {number|undefined} */
    let since;
    let problem = '';
    /** @type {string[]} */
    const texts = [];
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const { status, text } = await getText(route, { ...wanted, since });
      if (status !== 200) {
        problem = plain(failed(status, text).message) || 'it cannot be read now';
        break;
      }
      texts.push(text);
      const result = JSON.parse(text).result ?? {};
      rows = rows.concat(rowsOf(result));
      since = result.next ?? undefined;
      if (since === undefined || rows.length >= this.#most) break;
    }
    this.#reading = false;
    this.#pause = Math.max(EVERY_MS, PAUSE * (performance.now() - begun));
    if (what === this.#wanted) { // else another one is wanted by now
      const isSame = this.known && problem === this.problem && texts.length === this.#texts.length && texts.every((text, index) => text === this.#texts[index]);
      this.#texts = texts;
      this.problem = problem;
      if (isSame) return;
      if (!problem) {
        this.rows = rows.slice(0, this.#most);
        this.more = since !== undefined || rows.length > this.#most;
      }
      this.known = true;
      this.version += 1;
    }
    this.#changed();
  }
}
