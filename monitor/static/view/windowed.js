/**
 * A long list of which only the rows that are seen exist.
 */

import { Stack } from '../model/stack.js';
import { h } from './dom.js';
import { Inputs } from './part.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

/**
 * A row's element: where it stands, and what it was made of.
 * @template {HTMLElement} E
 * @typedef {{element: E, index: number, top: number, height: number, made: Inputs}} Shown
 */

/**
 * @template {HTMLElement} E
 */
export class Windowed {
  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} space whose height is that of all rows
   * @param {() => E} create
   * @param {(element: E, index: number, made: Inputs) => void} update `made`: what the element was
   *   made of last
   * @param {(index: number) => unknown} [keyOf] what a row shows: its element follows it when the
   *   order changes, so that nothing but its place is drawn anew
   */
  constructor(scroller, space, create, update, keyOf = (index) => index) {
    this.scroller = scroller;
    this.space = space;
    this.create = create;
    this.update = update;
    this.keyOf = keyOf;
    /** @type {Map<unknown, Shown<E>>} */
    this.shown = new Map();
    /** @type {Shown<E>[]} */
    this.spare = [];
    this.rowHeight = 0;
    /** How high each row is; null: all are alike. @type {((index: number) => number)|null} */
    this.heightOf = null;
    this.stack = new Stack();
    this.old = true;
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
    if (this.old || count !== this.stack.count) {
      this.old = false;
      this.stack.fill(count, this.rowHeight, this.heightOf);
      this.space.style.height = `${this.stack.height}px`;
    }
    const { first, end } = this.stack.visible(this.top, this.height);
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
      this.#place(key, old, index);
    }
    this.spare.push(...before.values());
    for (const [key, index] of fresh) {
      const one = this.spare.pop() ?? this.#make();
      one.element.hidden = false;
      one.top = -1;
      this.#place(key, one, index);
    }
    for (const { element } of this.spare) element.hidden = true;
  }

  /** Ask anew how high rows are: they, or their order, have changed. */
  stale() {
    this.old = true;
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
    this.old = true;
    this.look();
    this.spare.push(...this.shown.values());
    this.shown.clear();
    return this.rowHeight > 0;
  }

  /**
   * Scroll so that a row is seen.
   * @param {number} index
   */
  reveal(index) {
    const top = this.stack.top(index);
    const end = this.stack.top(index + 1);
    const room = this.scroller.clientHeight - this.head;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (end > this.scroller.scrollTop + room) this.scroller.scrollTop = end - room;
    this.look();
  }

  /**
   * @param {unknown} key
   * @param {Shown<E>} one
   * @param {number} index
   */
  #place(key, one, index) {
    const { element, made } = one;
    this.shown.set(key, one);
    const top = this.stack.top(index);
    const height = this.stack.heightAt(index);
    if (top !== one.top) element.style.transform = `translateY(${top}px)`;
    if (height !== one.height) element.style.height = this.heightOf ? `${height}px` : '';
    Object.assign(one, { index, top, height });
    this.update(element, index, made);
  }

  #make() {
    const element = this.create();
    this.space.append(element);
    return { element, index: -1, top: -1, height: -1, made: new Inputs() };
  }
}
