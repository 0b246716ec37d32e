/**
 * A long list of which only the rows that are seen exist.
 */

import { visible } from '../model/table.js';
import { h } from './dom.js';

/**
 * @template {HTMLElement} E
 */
export class Windowed {
  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} space whose height is that of all rows
   * @param {() => E} create
   * @param {(element: E, index: number) => void} update
   * @param {(index: number) => unknown} [keyOf] what a row shows: its element follows it when the
   *   order changes, so that nothing but its place is drawn anew
   */
  constructor(scroller, space, create, update, keyOf = (index) => index) {
    this.scroller = scroller;
    this.space = space;
    this.create = create;
    this.update = update;
    this.keyOf = keyOf;
    /** @type {Map<unknown, {element: E, index: number}>} */
    this.shown = new Map();
    /** @type {E[]} */
    this.spare = [];
    this.rowHeight = 0;
    this.count = 0;
    this.head = 0;
    // As they were seen last: asked for while something is being drawn, they cost a layout.
    this.top = 0;
    this.height = 0;
    scroller.addEventListener('scroll', () => this.look(), { passive: true });
    new ResizeObserver(() => this.look()).observe(scroller);
  }

  /** See how far it is scrolled, and how much room there is. */
  look() {
    this.top = this.scroller.scrollTop;
    this.height = this.scroller.clientHeight;
  }

  /**
   * Draw what is seen.
   * @param {number} count
   */
  draw(count) {
    if (this.rowHeight === 0 && !this.#take()) return;
    if (count !== this.count) {
      this.count = count;
      this.space.style.height = `${count * this.rowHeight}px`;
    }
    const { first, end } = visible(count, this.rowHeight, this.top, this.height);
    const before = this.shown;
    this.shown = new Map();
    /** @type {[unknown, number][]} */
    const fresh = [];
    for (let index = first; index < end; index += 1) {
      const key = this.keyOf(index);
      const old = before.get(key);
      if (!old) {
        fresh.push([key, index]);
        continue;
      }
      before.delete(key);
      this.#place(key, old.element, index, old.index);
    }
    for (const { element } of before.values()) this.spare.push(element);
    for (const [key, index] of fresh) {
      const element = this.spare.pop() ?? this.#make();
      element.hidden = false;
      this.#place(key, element, index, -1);
    }
    for (const element of this.spare) element.hidden = true;
  }

  /** Measure a row's height anew when the rows are next drawn: what is hidden has none. */
  measure() {
    this.rowHeight = 0;
  }

  /** Take a row's height as the style sheets give it; return whether it has one. */
  #take() {
    const probe = h('div', { class: 'row-height' });
    this.scroller.append(probe);
    this.rowHeight = probe.offsetHeight;
    probe.remove();
    this.count = -1;
    this.look();
    for (const { element } of this.shown.values()) this.spare.push(element);
    this.shown.clear();
    return this.rowHeight > 0;
  }

  /**
   * Scroll so that a row is seen.
   * @param {number} index
   */
  reveal(index) {
    const top = index * this.rowHeight;
    const room = this.scroller.clientHeight - this.head;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + this.rowHeight > this.scroller.scrollTop + room) {
      this.scroller.scrollTop = top + this.rowHeight - room;
    }
    this.look();
  }

  /**
   * @param {unknown} key
   * @param {E} element
   * @param {number} index
   * @param {number} old
   */
  #place(key, element, index, old) {
    this.shown.set(key, { element, index });
    if (index !== old) element.style.transform = `translateY(${index * this.rowHeight}px)`;
    this.update(element, index);
  }

  #make() {
    const element = this.create();
    this.space.append(element);
    return element;
  }
}
