/** The views of a tab that has several: links to them, and what holds for all of them in numbers. */

/** @import {App} from './app.js' */
import { h, setAttribute, setText } from './dom.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

export class SubViews {
  #links;
  #here = h('span', { class: 'sub-link', 'aria-current': 'page', hidden: true });
  #numbers;

  /**
   * @param {string} of what they are views of
   * @param {[string, string][]} views address and title of each
   */
  constructor(of, views) {
    this.#links = views.map(([view, text]) => ({ view, link: h('a', { class: 'sub-link', href: `#/${view}`, 'data-view': view }, text) }));
    this.#numbers = h('dl', { class: 'sub-numbers', 'aria-label': `${of} in numbers` });
    this.element = h('div', { class: 'sub-top' }, h('nav', { class: 'sub-views', 'aria-label': `views of ${of}` }, ...this.#links.map(({ link }) => link), this.#here), this.#numbers);
  }

  /** Each link leads to a view as it was left. @param {App} app @param {string} [here] what is looked at, where no link leads there */
  draw(app, here = '') {
    const current = app.route.tab;
    for (const { view, link } of this.#links) {
      setAttribute(link, 'aria-current', view === current ? 'page' : null);
      setAttribute(link, 'href', app.href({ tab: view, about: '' }));
    }
    this.#here.hidden = this.#links.some(({ view }) => view === current);
    setText(this.#here, here);
  }

  /** @param {[string, string][]} numbers the same names every time */
  tell(numbers) {
    if (this.#numbers.childElementCount === 0) this.#numbers.append(...numbers.map(([name]) => h('div', {}, h('dt', {}, name), h('dd'))));
    for (const [index, [, value]] of numbers.entries()) setText(/** @type {Element} */ (this.#numbers.children[index].lastElementChild), value);
  }
}
