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
   */
  constructor(scroller, space, create, update) {
    this.scroller = scroller;
    this.space = space;
    this.create = create;
    this.update = update;
    /** @type {Map<number, E>} */
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
    if (this.rowHeight === 0) this.measure();
    if (count !== this.count) {
      this.count = count;
      this.space.style.height = `${count * this.rowHeight}px`;
    }
    const { first, end } = visible(count, this.rowHeight, this.top, this.height);
    for (const [index, element] of this.shown) {
      if (index >= first && index < end) continue;
      this.shown.delete(index);
      this.spare.push(element);
    }
    for (let index = first; index < end; index += 1) {
      let element = this.shown.get(index);
      if (!element) {
        element = this.spare.pop() ?? this.#make();
        this.shown.set(index, element);
        element.style.transform = `translateY(${index * this.rowHeight}px)`;
        element.hidden = false;
      }
      this.update(element, index);
    }
    for (const element of this.spare) element.hidden = true;
  }

  /** Measure a row's height anew, as the style sheets give it. */
  measure() {
    const probe = h('div', { class: 'row-height' });
    this.scroller.append(probe);
    this.rowHeight = probe.offsetHeight || 24;
    probe.remove();
    this.count = -1;
    this.look();
    for (const element of this.shown.values()) this.spare.push(element);
    this.shown.clear();
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

  #make() {
    const element = this.create();
    this.space.append(element);
    return element;
  }
}
