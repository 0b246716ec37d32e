/**
 * Which rows of a table are seen, so that no others need to be kept up to date.
 */

const BEYOND = '200px';

export class Seen {
  /** @param {() => void} changed called when there are others */
  constructor(changed) {
    /** @type {WeakSet<Element>} */
    this.rows = new WeakSet();
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.rows.add(target);
        else this.rows.delete(target);
      }
      changed();
    }, { rootMargin: BEYOND });
  }

  /**
   * Look at a row from now on; it counts as seen until it is known not to be.
   * @param {Element} row
   */
  watch(row) {
    this.rows.add(row);
    this.observer.observe(row);
  }

  /** Look at a row no longer. @param {Element} row */
  leave(row) {
    this.rows.delete(row);
    this.observer.unobserve(row);
  }

  /** @param {Element} row */
  has(row) {
    return this.rows.has(row);
  }
}
