/**
 * What the page asks of a tab. All that is known of one outside of its own file is in the list of
 * tabs: its place there is its key; its address, its link and what it reads follow from what it says
 * of itself.
 */

/** @import {App} from './app.js' */
/** @import {Channel} from '../model/channel.js' */
import { Part } from './part.js';

export class Tab extends Part {
  /** In the address, and of the element: `tab-…`. */
  static id = '';
  static title = '';
  /** Views of it that have addresses of their own. @type {string[]} */
  static views = [];
  /** Its own keys, and what they do. @type {[string, string][]} */
  static keys = [];
  /** What it shows is folded from these, from the page's beginning on. @type {Channel<any>[]} */
  static channels = [];

  /** Return whether it is for who looks at the page. @param {App} _app */
  static isFor(_app) {
    return true;
  }

  /** Return what stands beside its title; null: nothing. @param {App} _app @returns {string|null} */
  static note(_app) {
    return null;
  }

  /** Whether what stands there wants somebody to look. @param {App} _app @returns {boolean} */
  static isUrgent(_app) {
    return false;
  }

  /** Return how much there waits for somebody: the page's title says so. @param {App} _app */
  static count(_app) {
    return 0;
  }

  /** Take a key of the page's; it says itself (`preventDefault`) whether it is one of its own. @param {KeyboardEvent} _event */
  key(_event) {}

  focusSearch() {}

  /** Take over what the address says. */
  fromRoute() {}
}
