/** A small curve over time, without axes: the number beside it says what it is now. */

/** @import {HostSample} from '../model/types.js' */
import { setAttribute } from '../view/dom.js';
import { Inputs } from '../view/part.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

export const SPACE = 'http://www.w3.org/2000/svg';

export class Curve {
  element = document.createElementNS(SPACE, 'svg');
  #line = document.createElementNS(SPACE, 'path');
  #made = new Inputs();

  /** @param {{width: number, height: number, most?: number, span?: number}} how `most`: at its top; `span` in seconds */
  constructor({ width, height, most = 0, span = 3600 }) {
    this.how = { width, height, most, span };
    this.element.setAttribute('class', 'curve');
    this.element.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.element.setAttribute('width', String(width));
    this.element.setAttribute('height', String(height));
    this.element.setAttribute('preserveAspectRatio', 'none');
    this.element.setAttribute('aria-hidden', 'true');
    this.element.append(this.#line);
  }

  /** @param {HostSample[]} samples the latest last @param {number} place of what is drawn in each */
  draw(samples, place) {
    if (!this.#made.changed(samples, place)) return;
    setAttribute(this.element, 'hidden', samples.length < 2 ? '' : null);
    setAttribute(this.#line, 'd', pathOf(samples, place, this.how));
  }
}

/**
 * Return the path of a curve. Pure.
 * @param {HostSample[]} samples
 * @param {number} place
 * @param {{width: number, height: number, most: number, span: number}} how
 */
export function pathOf(samples, place, { width, height, most, span }) {
  const last = samples.at(-1)?.[0] ?? 0;
  const seen = samples.filter(([at]) => at >= last - span).map((one) => [one[0], one[place]]).filter((one) => one[1] !== null);
  if (seen.length < 2) return '';
  const begin = Math.min(Number(seen[0][0]), last - 60);
  const top = most || Math.max(...seen.map((one) => Number(one[1])), 1e-9) * 1.1;
  return line(seen.map(([at, value]) => [
    (width * (Number(at) - begin)) / (last - begin),
    height - 1 - (Math.min(Number(value), top) / top) * (height - 2),
  ]));
}

/** Return the path of a line through points. Pure. @param {number[][]} points x and y of each */
export function line(points) {
  return points.length > 0 ? `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}` : '';
}
