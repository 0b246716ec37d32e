/** One action over the last shots: a curve with median and spread, and the same as a table. */

/** @import {TrendPoint, TrendResult} from '../model/types.js' */
import { duration, moment } from '../model/format.js';
import { plain } from '../model/words.js';
import { command } from '../view/api.js';
import { h, setText } from '../view/dom.js';
import { Inputs, Part } from '../view/part.js';
import { SPACE, line } from '../fleet/curve.js';
import { shotAddress } from './words.js';

const WIDTH_MIN = 320;
const HEIGHT = 220;
const LAST = ['20', '50', '100', '200', '500'];

export class TrendView extends Part {
  #tree = h('input', { id: 'trend-tree', placeholder: 'TREE', 'aria-label': 'experiment', size: 8, spellcheck: false, autocomplete: 'off' });
  #path = h('input', { id: 'trend-path', placeholder: 'action', 'aria-label': 'action', size: 22, spellcheck: false, autocomplete: 'off' });
  #last = h('select', { 'aria-label': 'how many shots' }, ...LAST.map((value) => h('option', { value }, value)));
  #words = h('p', { class: 'trend-words', role: 'status' });
  #picture = document.createElementNS(SPACE, 'svg');
  #rows = h('tbody');
  #body = h('div', { class: 'trend-body' });
  /** @type {TrendResult|null} */ #result = null;
  #problem = '';
  #asked = '';
  #made = new Inputs();

  build() {
    this.#picture.setAttribute('class', 'trend-curve');
    this.#picture.setAttribute('role', 'img');
    const form = h('form', {
      class: 'toolbar',
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        this.app.go({ about: `${this.#tree.value.trim().toUpperCase()} ${this.#path.value.trim()}` });
      },
    }, h('label', { class: 'field' }, h('span', {}, 'Experiment'), this.#tree), h('label', { class: 'field' }, h('span', {}, 'Action'), this.#path),
    h('label', { class: 'field' }, h('span', {}, 'Last'), this.#last), h('button', { type: 'submit' }, 'Show'));
    this.#last.addEventListener('change', () => this.app.go({ filters: { ...this.app.route.filters, last: this.#last.value } }));
    const heads = ['Shot', 'Ended', 'Outcome', 'Took', 'Server', 'Reason'].map((text) => h('th', { scope: 'col' }, text));
    this.#body.append(this.#picture, h('div', { class: 'plain-scroll', tabIndex: 0, role: 'region', 'aria-label': 'the same as a table' },
      h('table', { class: 'plain-table' }, h('thead', {}, h('tr', {}, ...heads)), this.#rows)));
    this.append(form, this.#words, this.#body);
  }

  draw() {
    const { app } = this;
    const [tree, ...rest] = app.route.about.split(' ');
    const path = rest.join(' ');
    const last = LAST.find((one) => one === app.route.filters.last) ?? '50';
    const asked = JSON.stringify([tree, path, last, app.feed.connected]);
    if (asked !== this.#asked) {
      this.#asked = asked;
      this.#result = null;
      this.#problem = '';
      [this.#tree.value, this.#path.value, this.#last.value] = [tree, path, last];
      if (tree && path) void this.#read(tree, path, Number(last), asked);
    }
    if (this.#made.changed(this.#result, this.#problem, asked)) this.#drawResult(Boolean(tree && path));
  }

  /** @param {string} tree @param {string} path @param {number} last @param {string} asked */
  async #read(tree, path, last, asked) {
    const answer = await command('trend', { tree, path, last });
    if (asked !== this.#asked) return;
    if (answer.status === 200) this.#result = answer.result;
    else this.#problem = plain(answer.message) || 'it cannot be read now';
    this.app.changed();
  }

  /** @param {boolean} named */
  #drawResult(named) {
    const result = this.#result;
    this.#body.hidden = !result;
    if (!result) {
      setText(this.#words, this.#problem || (named ? 'reading …' : 'Name an experiment and one of its actions.'));
      return;
    }
    const points = result.points ?? [];
    const spread = typeof result.median_s === 'number' ? `median ${duration(result.median_s)}, the middle half between ${duration(Number(result.low_s))} and ${duration(Number(result.high_s))}; ` : '';
    setText(this.#words, plain(`${result.name} in ${points.length} shots: ${spread}${result.words ?? ''}`));
    this.#drawPicture(result, points);
    this.#rows.replaceChildren(...[...points].reverse().map((point) => h('tr', { class: point.failed ? 'bad' : '' },
      h('td', {}, h('a', { href: shotAddress({ tree: result.tree, shot: point.shot }) }, `${plain(result.tree)}/${point.shot}`)),
      ...[moment(point.at), point.status ?? point.state, typeof point.duration_s === 'number' ? duration(point.duration_s) : '', point.server ?? '', point.reason ?? ''].map((text) => h('td', {}, plain(text))))));
  }

  /** @param {TrendResult} result @param {TrendPoint[]} points */
  #drawPicture(result, points) {
    const width = Math.max(this.#picture.clientWidth, WIDTH_MIN); // letters stay as large as they are
    this.#picture.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    const timed = points.map((point, place) => ({ point, place })).filter(({ point }) => typeof point.duration_s === 'number');
    const top = Math.max(...timed.map(({ point }) => Number(point.duration_s)), 1e-9) * 1.1;
    const x = (/** @type {number} */ place) => 56 + ((width - 72) * (place + 0.5)) / Math.max(points.length, 1);
    const y = (/** @type {number} */ seconds) => HEIGHT - 24 - ((HEIGHT - 40) * seconds) / top;
    /** @type {SVGElement[]} */
    const parts = [];
    if (typeof result.median_s === 'number') {
      const [low, high] = [Number(result.low_s), Number(result.high_s)];
      parts.push(shape('rect', { class: 'spread', x: 56, width: width - 72, y: y(high), height: Math.max(y(low) - y(high), 1) }));
      parts.push(shape('line', { class: 'median', x1: 56, x2: width - 16, y1: y(result.median_s), y2: y(result.median_s) }));
      parts.push(text(4, y(result.median_s) + 4, duration(result.median_s)));
    }
    parts.push(shape('path', { class: 'course', d: line(timed.filter(({ point }) => !point.failed).map(({ point, place }) => [x(place), y(Number(point.duration_s))])) }));
    for (const { point, place } of timed) {
      const mark = point.failed
        ? shape('path', { class: 'bad', d: `M${x(place) - 4} ${y(Number(point.duration_s)) - 4}l8 8m0-8l-8 8` })
        : shape('circle', { class: 'good', cx: x(place), cy: y(Number(point.duration_s)), r: 3 });
      const title = document.createElementNS(SPACE, 'title');
      title.textContent = plain(`${result.tree}/${point.shot}: ${point.status ?? point.state}, ${duration(Number(point.duration_s))}`);
      mark.append(title);
      parts.push(mark);
    }
    if (points.length > 0) parts.push(text(56, HEIGHT - 4, String(points[0].shot)), text(width - 60, HEIGHT - 4, String(points[points.length - 1].shot)));
    parts.push(text(4, 14, duration(top)));
    this.#picture.replaceChildren(...parts);
    this.#picture.setAttribute('aria-label', this.#words.textContent ?? '');
  }

  focusSearch() {
    this.#path.focus();
  }
}

/** @param {string} kind @param {Record<string, string|number>} attributes */
function shape(kind, attributes) {
  const made = document.createElementNS(SPACE, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return /** @type {SVGElement} */ (made);
}

/** @param {number} x @param {number} y @param {string} said */
function text(x, y, said) {
  const made = shape('text', { x, y });
  made.textContent = said;
  return made;
}

customElements.define('trend-view', TrendView);
