/**
 * The tab Shots: every shot that has been, what has failed, a search over all of them, two of them side
 * by side, one action over many, and the page of each.
 */

import { plain } from '../model/words.js';
import { SYSTEM } from '../model/system.js';
import { useStyle } from '../view/style.js';
import { SubViews } from '../view/subviews.js';
import { Tab } from '../view/tab.js';
import { CompareView } from './compare.js';
import { FailuresView, SearchView, ShotsView } from './lists.js';
import { ShotStory } from './story.js';
import { KEYS } from './tables.js';
import { TrendView } from './trend.js';

useStyle(import.meta.url);

export class TabShots extends Tab {
  static id = 'shots';
  static title = 'Shots';
  static views = ['failures', 'search', 'compare', 'trend', 'shot'];
  static keys = KEYS;
  static channels = [SYSTEM];

  #views = new SubViews('the shots', [['shots', 'All'], ['failures', 'Failures'], ['search', 'Search'], ['compare', 'Compare'], ['trend', 'Trend']]);
  #shots = /** @type {ShotsView} */ (document.createElement('shots-view'));
  #failures = /** @type {FailuresView} */ (document.createElement('failures-view'));
  #search = /** @type {SearchView} */ (document.createElement('search-view'));
  #compare = /** @type {CompareView} */ (document.createElement('compare-view'));
  #trend = /** @type {TrendView} */ (document.createElement('trend-view'));
  #story = /** @type {ShotStory} */ (document.createElement('shot-story'));
  /** By its address. @type {Record<string, ShotsView|FailuresView|SearchView|CompareView|TrendView|ShotStory>} */
  #parts = { shots: this.#shots, failures: this.#failures, search: this.#search, compare: this.#compare, trend: this.#trend, shot: this.#story };

  build() {
    for (const part of Object.values(this.#parts)) {
      part.app = this.app;
      part.classList.add('sub-view');
    }
    this.append(this.#views.element, ...Object.values(this.#parts));
  }

  draw() {
    const { tab: view, about } = this.app.route;
    this.#views.draw(this.app, plain(about) || 'no shot');
    for (const [name, part] of Object.entries(this.#parts)) part.hidden = name !== view;
    this.#parts[view]?.draw();
  }

  restyle() {
    for (const part of [this.#shots, this.#failures, this.#search, this.#compare]) part.restyle();
  }

  focusSearch() {
    const part = this.#parts[this.app.route.tab];
    if (part && 'focusSearch' in part) part.focusSearch();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const part = this.#parts[this.app.route.tab];
    if (part && 'key' in part) part.key(event);
  }
}
