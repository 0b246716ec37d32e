/**
 * What everything that is drawn again is made of: it is built once, when it first stands in the
 * page, and drawn at every frame in which it is seen. What costs something is made again only where
 * `Inputs` says so: nothing has a check of its own whether it is old.
 */

/** @import {App} from './app.js' */

export class Part extends HTMLElement {
  /** @type {App} */ app = /** @type {any} */ (null);
  #built = false;

  connectedCallback() {
    if (this.#built) return;
    this.#built = true;
    this.build();
  }

  /** Make what stays. */
  build() {}

  /** Show what is, and touch nothing that is so already. */
  draw() {}

  /** Measure anew: the style has changed. */
  restyle() {}
}

/**
 * All that something was made of: it is made again when one of these is another, and never else.
 * Values are compared by identity; what changes within itself brings its version along.
 */
export class Inputs {
  /** @type {unknown[]|null} */ #last = null;
  #at = -Infinity;

  /** Return whether these are others than those for which this was true last. @param {...unknown} values */
  changed(...values) {
    const last = this.#last;
    if (last !== null && last.length === values.length && last.every((one, index) => Object.is(one, values[index]))) {
      return false;
    }
    this.#last = values;
    return true;
  }

  /**
   * Like `changed`, for what takes long: at most once in so many milliseconds. What has changed
   * meanwhile is due then.
   * @param {number} ms
   * @param {...unknown} values
   */
  due(ms, ...values) {
    const now = performance.now();
    if (now - this.#at < ms || !this.changed(...values)) return false;
    this.#at = now;
    return true;
  }

  /** Let it be made again at once. */
  forget() {
    this.#last = null;
    this.#at = -Infinity;
  }
}
