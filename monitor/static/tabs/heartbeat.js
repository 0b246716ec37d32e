/**
 * The tab Heartbeat: each server's last sign of life, its age ticking, and the last round trips.
 */

/** @import {ServerView} from '../model/types.js' */
import { SERVERS } from '../model/system.js';
import { milliseconds, moment, tickingAge } from '../model/format.js';
import { SERVER_SYMBOLS } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Seen } from '../view/seen.js';
import { Tab } from '../view/tab.js';

const HEADS = ['Server', 'State', 'Last heartbeat', 'Age', 'Round trip', 'Last minutes: time between beats and round trip'];
const WIDTH = 240;
const HEIGHT = 26;
const SHOWN_S = 60;

/**
 * @typedef {object} Drawn
 * @property {HTMLTableRowElement} row
 * @property {HTMLElement[]} cells
 * @property {SVGPathElement} path
 * @property {SVGPathElement} marks
 * @property {HTMLElement} most
 * @property {string} key
 */

export class TabHeartbeat extends Tab {
  static id = 'heartbeat';
  static title = 'Heartbeat';
  static channels = [SERVERS];
  #find = h('input', { type: 'search', placeholder: 'Search servers   /', 'aria-label': 'search servers' });
  #body = h('tbody');
  #empty = h('p', { class: 'empty' }, 'No action server is known.');
  /** @type {Map<string, Drawn>} */ #drawn = new Map();
  #order = '';
  #seen = new Seen(() => this.app.changed());

  build() {
    this.#find.addEventListener('input', () => this.app.changed());
    this.append(
      h('div', { class: 'toolbar' }, this.#find),
      h('div', { class: 'plain-scroll' },
        h('table', { class: 'plain-table heartbeats' },
          h('thead', {}, h('tr', {}, ...HEADS.map((head) => h('th', {}, head)))), this.#body),
        this.#empty),
    );
  }

  focusSearch() {
    this.#find.focus();
  }

  draw() {
    const text = this.#find.value.trim().toLowerCase();
    const shown = this.app.servers.sorted().filter((one) => one.server.toLowerCase().includes(text));
    for (const server of shown) {
      if (this.#drawn.has(server.server)) continue;
      const made = create(server);
      this.#drawn.set(server.server, made);
      this.#seen.watch(made.row);
    }
    const order = shown.map((server) => server.server).join('\n');
    if (order !== this.#order) {
      this.#order = order;
      this.#body.replaceChildren(...shown.map((server) => /** @type {Drawn} */ (this.#drawn.get(server.server)).row));
      for (const [name, { row }] of this.#drawn) {
        if (this.app.servers.byName.has(name)) continue;
        this.#drawn.delete(name);
        this.#seen.leave(row);
      }
    }
    this.#empty.hidden = shown.length > 0;
    for (const server of shown) {
      const drawn = /** @type {Drawn} */ (this.#drawn.get(server.server));
      if (this.#seen.has(drawn.row)) this.#update(drawn, server);
    }
  }

  /** @param {Drawn} drawn @param {ServerView} server */
  #update(drawn, server) {
    const state = server.state;
    const [, word, at, since, trip] = drawn.cells;
    setAttribute(drawn.row, 'class', `server-${state}`);
    setText(word, `${SERVER_SYMBOLS[state]} ${state}`);
    const seen = server.last_seen_at ?? null;
    const ageS = seen === null ? null : Math.max(0, this.app.now() - seen);
    setText(at, seen === null ? 'never' : moment(seen));
    setText(since, ageS === null ? '' : tickingAge(ageS));
    since.classList.toggle('late', ageS !== null && ageS > 3);
    const rtt = server.round_trip_s;
    setText(trip, rtt === null || rtt === undefined ? '' : milliseconds(rtt));
    this.#history(drawn, server);
  }

  /** @param {Drawn} drawn @param {ServerView} server */
  #history(drawn, server) {
    const beats = this.app.servers.heartbeats.get(server.server) ?? [];
    const now = Math.round(this.app.now() * 2) / 2;
    const key = `${beats.length} ${beats.at(-1)?.[0]} ${now}`;
    if (key === drawn.key) return;
    drawn.key = key;
    const seen = beats.filter(([at]) => at > now - SHOWN_S);
    const most = Math.max(0.001, ...seen.map(([, trip]) => trip ?? 0));
    /** @param {number} at */
    const x = (at) => (WIDTH * (1 - (now - at) / SHOWN_S)).toFixed(1);
    const points = seen.filter(([, trip]) => trip !== null)
      .map(([at, trip]) => `${x(at)} ${(HEIGHT - 2 - ((trip ?? 0) / most) * (HEIGHT - 6)).toFixed(1)}`);
    setAttribute(drawn.path, 'd', points.length > 1 ? `M${points.join('L')}` : '');
    setAttribute(drawn.marks, 'd', seen.map(([at]) => `M${x(at)} ${HEIGHT}v-3`).join(''));
    setText(drawn.most, seen.length > 0 ? `most ${milliseconds(most)}` : 'no heartbeat in the last minute');
  }
}

/** @param {ServerView} server @returns {Drawn} */
function create(server) {
  const name = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(name, 'svg');
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('class', 'spark');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(name, 'path');
  path.setAttribute('class', 'spark-line');
  const marks = document.createElementNS(name, 'path');
  marks.setAttribute('class', 'spark-marks');
  svg.append(path, marks);
  const most = h('span', { class: 'spark-most' });
  const cells = HEADS.map((head) => h('td', { 'data-head': head }));
  cells[5].append(svg, most);
  cells[0].textContent = server.server;
  const row = h('tr', { 'data-server': server.server }, ...cells);
  return { row, cells, path, marks, most, key: '' };
}
