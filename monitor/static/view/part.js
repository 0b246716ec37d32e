/**
 * What everything that is drawn again is made of: it is built once, when it first stands in the
 * page, and drawn at every frame in which it is seen.
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
