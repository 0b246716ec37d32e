/**
 * What a screen on the wall shows: letters that are read from a distance, and the rows that must be
 * seen. Pure.
 */

/** @import {Row} from './shot.js' */
import { hasFailed } from './shot.js';

const MM_PER_INCH = 25.4;
/** Of a letter's em so much is the height of its capitals, in the fonts of the page; the least of them. */
export const CAPITALS = 0.69;

/** Where it hangs, and how small a letter may be there. */
export const WALL = { distanceM: 3, diagonalInch: 55, share: 1 / 200 };

/**
 * Return how high a letter must be at least, in CSS pixels of a page that fills the screen. At 1920
 * by 1080 on 55 inches a pixel is 0.634 mm; 3 m / 200 are 15 mm, or 23.7 pixels.
 * @param {{width: number, height: number}} screen in CSS pixels
 * @param {typeof WALL} [wall]
 */
export function leastLetter({ width, height }, { distanceM, diagonalInch, share } = WALL) {
  const mmPerPixel = (diagonalInch * MM_PER_INCH) / Math.hypot(width, height);
  return (distanceM * 1000 * share) / mmPerPixel;
}

/**
 * Return the least size of type whose capitals are as high as they must be, in whole pixels.
 * @param {{width: number, height: number}} screen
 */
export function leastSize(screen) {
  return Math.ceil(leastLetter(screen) / CAPITALS);
}

/**
 * Return the sizes of type to try, the largest first: few rows are larger than they must be.
 * @param {number} least
 */
export function sizes(least) {
  return [1.9, 1.6, 1.35, 1.15, 1].map((factor) => Math.round(least * factor));
}

/**
 * Return the rows to show, those that somebody should look at first: what has failed, what runs,
 * then what is next and what is done.
 * @param {Row[]} rows in the table's order
 * @returns {{must: Row[], rest: Row[]}}
 */
export function wallRows(rows) {
  const failed = rows.filter(hasFailed);
  const runs = rows.filter((row) => row.category === 'in_progress');
  const next = rows.filter((row) => row.category === 'pending');
  const done = rows.filter((row) => row.category === 'success' && !hasFailed(row));
  return { must: [...failed, ...runs], rest: [...next, ...done.reverse()] };
}

/**
 * Return what is not shown, in words.
 * @param {Row[]} rows
 */
export function leftOut(rows) {
  const count = /** @param {(row: Row) => boolean} is */ (is) => rows.filter(is).length;
  const failed = count(hasFailed);
  const parts = [
    failed && `${failed} failed`,
    ...[['in_progress', 'in progress'], ['pending', 'pending'], ['success', 'success']].map(([category, word]) => {
      const of = count((row) => row.category === category && !hasFailed(row));
      return of && `${of} ${word}`;
    }),
  ].filter(Boolean);
  return parts.length > 0 ? `and ${parts.join(', ')}` : '';
}
