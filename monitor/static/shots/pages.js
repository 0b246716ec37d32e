/**
 * Reads answers about shots that have been: the first page when something else is wanted, further ones
 * when one asks for more.
 */

import { plain } from '../model/words.js';
import { command } from '../view/api.js';

/** @template R */
export class Pages {
  /** @type {R[]} */ rows = [];
  /** The last answer's result, without its rows. @type {any} */ result = null;
  problem = '';
  reading = false;
  /** Where older ones begin; null: there are none. @type {string|number|null} */ next = null;
  lookedAt = 0;
  version = 0;
  #wanted = '';
  #verb;
  #list;
  #changed;

  /** @param {string} verb @param {string} list in the result @param {() => void} changed */
  constructor(verb, list, changed) {
    this.#verb = verb;
    this.#list = list;
    this.#changed = changed;
  }

  /**
   * See to it that what is wanted is read; null: nothing is. Called at every frame in which it is looked at.
   * @param {Record<string, unknown>|null} wanted @param {...unknown} made read again where one of these is another
   */
  look(wanted, ...made) {
    const what = JSON.stringify([wanted, made]);
    if (what === this.#wanted) return;
    this.#wanted = what;
    this.#begin();
    if (wanted !== null) void this.#read(wanted, what);
  }

  #begin() {
    this.rows = [];
    this.result = null;
    this.problem = '';
    this.next = null;
    this.lookedAt = 0;
    this.reading = false;
    this.version += 1;
  }

  /** Read again. */
  forget() {
    this.#wanted = '';
  }

  /** Read older ones. */
  more() {
    if (this.reading || this.next === null) return;
    const [wanted] = JSON.parse(this.#wanted);
    const where = typeof this.next === 'number' ? { since: this.next } : { before: this.next };
    void this.#read({ ...wanted, ...where }, this.#wanted);
  }

  /** @param {Record<string, unknown>} wanted @param {string} what */
  async #read(wanted, what) {
    this.reading = true;
    const answer = await command(this.#verb, wanted);
    if (what !== this.#wanted) return; // another one is wanted by now
    this.reading = false;
    this.version += 1;
    if (answer.status === 200 && answer.result) {
      const { [this.#list]: rows = [], ...result } = answer.result;
      this.rows = [...this.rows, ...rows];
      this.result = this.result === null || result.left ? result : this.result;
      this.next = answer.result.next ?? null;
      this.lookedAt += answer.result.looked_at ?? 0;
    } else {
      this.problem = plain(answer.message) || 'it cannot be read now';
      this.next = null;
    }
    this.#changed();
  }

  /** Return how far it looked, in words. @param {string} one what one of the rows is */
  words(one) {
    if (this.problem) return this.problem;
    if (this.reading && this.rows.length === 0) return 'reading …';
    const count = `${this.rows.length} ${this.rows.length === 1 ? one : `${one}s`}`;
    return this.lookedAt > 0 && one !== 'shot' ? `${count} in ${this.lookedAt} ${this.lookedAt === 1 ? 'shot' : 'shots'}${this.next === null ? '' : ' so far'}` : `${count}${this.next === null ? '' : ' so far'}`;
  }
}
