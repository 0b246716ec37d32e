/**
 * Rows one below the other: where each begins, and which are seen; and how many lines a text takes.
 * Pure.
 */

/** Rows that are all of one height, or each of its own. */
export class Stack {
  count = 0;
  height = 0; // of all
  #each = 0;
  /** @type {Float64Array|null} where each begins, and where the last one ends; null: all are alike */ #tops = null;

  /**
   * @param {number} count
   * @param {number} each height, where all are alike
   * @param {((index: number) => number)|null} [heightOf]
   */
  fill(count, each, heightOf = null) {
    this.count = count;
    this.#each = each;
    this.#tops = null;
    if (heightOf) {
      const tops = new Float64Array(count + 1);
      for (let index = 0; index < count; index += 1) tops[index + 1] = tops[index] + heightOf(index);
      this.#tops = tops;
    }
    this.height = this.top(count);
  }

  /** @param {number} index */
  top(index) {
    return this.#tops ? this.#tops[Math.min(index, this.count)] : index * this.#each;
  }

  /** @param {number} index */
  heightAt(index) {
    return this.top(index + 1) - this.top(index);
  }

  /** Return which row stands at a height; the last one below all. @param {number} y */
  at(y) {
    if (!this.#tops) return Math.max(0, Math.min(this.count - 1, Math.floor(y / (this.#each || 1))));
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  /**
   * Return which rows to draw: from `first` up to but not with `end`.
   * @param {number} top how far it is scrolled
   * @param {number} height of what is seen
   * @param {number} [beyond] rows to draw above and below
   */
  visible(top, height, beyond = 4) {
    if (this.count === 0 || this.#each === 0) return { first: 0, end: 0 };
    const first = top >= this.height ? this.count : Math.max(0, this.at(top) - beyond);
    const end = Math.min(this.count, this.at(top + height) + 1 + beyond);
    return { first, end: Math.max(first, end) };
  }
}

/**
 * Return how many lines a text takes: it is broken between words, and within those that are longer
 * than a line.
 * @param {string} text
 * @param {number} room of a line
 * @param {(text: string) => number} measure
 */
export function linesOf(text, room, measure) {
  if (text === '') return 0;
  if (room <= 0 || measure(text) <= room) return 1;
  const blank = measure(' ');
  let lines = 1;
  let used = 0;
  for (const word of text.split(/\s+/)) {
    const width = measure(word);
    if (used > 0 && used + blank + width <= room) used += blank + width;
    else if (width <= room) {
      if (used > 0) lines += 1;
      used = width;
    } else {
      if (used > 0) lines += 1;
      let part = 0;
      for (const character of word) {
        const one = measure(character);
        if (part > 0 && part + one > room) {
          lines += 1;
          part = 0;
        }
        part += one;
      }
      used = part;
    }
  }
  return lines;
}

/**
 * Return a text in two parts: where there is no room for all of it, the end of the first is left out,
 * so that what names most alike differ in, their end, is seen.
 * @param {string} text
 * @param {number} [tail] the least length of the second
 * @returns {[string, string]}
 */
export function halves(text, tail = 10) {
  if (text.length < 2 * tail) return [text, ''];
  const cut = text.length - tail;
  const at = text.slice(cut).search(/[:._/\\-]/);
  return at > 0 && at < tail / 2 ? [text.slice(0, cut + at), text.slice(cut + at)] : [text.slice(0, cut), text.slice(cut)];
}
