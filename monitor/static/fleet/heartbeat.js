/**
 * The view Heartbeat of the fleet: each server's last sign of life, its age ticking, and the last round trips.
 */

/** @import {ServerView} from '../model/types.js' */
/** @import {ServerColumn} from '../view/server-table.js' */
import { milliseconds, moment, tickingAge } from '../model/format.js';
import { SERVER_SYMBOLS } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Inputs } from '../view/part.js';
import { useStyle } from '../view/style.js';
import { ServerTable } from '../view/server-table.js';

useStyle(import.meta.url);

const WIDTH = 240;
const HEIGHT = 26;
const SHOWN_S = 60;
const LATE_S = 3;

export class HeartbeatView extends ServerTable {
  /** @type {ServerColumn[]} */ columns = [
    { id: 'server', title: 'Server', cell: (cell, name) => {
      setText(cell, name);
      return () => {};
    } },
    { id: 'state', title: 'State', cell: (cell) => ({ state }) => setText(cell, `${SERVER_SYMBOLS[state]} ${state}`) },
    { id: 'last', title: 'Last heartbeat', cell: (cell) => ({ last_seen_at: at }) => setText(cell, moment(at) || 'never') },
    { id: 'age', title: 'Age', cell: (cell) => ({ last_seen_at: at }) => {
      const age = typeof at === 'number' ? Math.max(0, this.app.now() - at) : null;
      setText(cell, age === null ? '' : tickingAge(age));
      cell.classList.toggle('late', age !== null && age > LATE_S);
    } },
    { id: 'trip', title: 'Round trip', cell: (cell) => ({ round_trip_s: trip }) => setText(cell, typeof trip === 'number' ? milliseconds(trip) : '') },
    { id: 'history', title: 'Last minutes: time between beats and round trip', cell: (cell) => this.#history(cell) },
  ];

  /** @param {ServerView} server */
  inputs(server) {
    return [server, this.app.now()];
  }

  /** @param {HTMLElement} cell @returns {(server: ServerView) => void} */
  #history(cell) {
    const path = svg('path', 'spark-line');
    const marks = svg('path', 'spark-marks');
    const most = h('span', { class: 'spark-most' });
    const picture = svg('svg', 'spark');
    picture.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    picture.setAttribute('aria-hidden', 'true');
    picture.append(path, marks);
    cell.append(picture, most);
    const made = new Inputs();
    return ({ server }) => {
      const beats = this.app.servers.heartbeats.get(server) ?? [];
      const now = Math.round(this.app.now() * 2) / 2;
      if (!made.changed(beats.length, beats.at(-1), now)) return;
      const seen = beats.filter(([at]) => at > now - SHOWN_S);
      const longest = Math.max(0.001, ...seen.map(([, trip]) => trip ?? 0));
      /** @param {number} at */
      const x = (at) => (WIDTH * (1 - (now - at) / SHOWN_S)).toFixed(1);
      const points = seen.filter(([, trip]) => trip !== null)
        .map(([at, trip]) => `${x(at)} ${(HEIGHT - 2 - ((trip ?? 0) / longest) * (HEIGHT - 6)).toFixed(1)}`);
      setAttribute(path, 'd', points.length > 1 ? `M${points.join('L')}` : '');
      setAttribute(marks, 'd', seen.map(([at]) => `M${x(at)} ${HEIGHT}v-3`).join(''));
      setText(most, seen.length > 0 ? `most ${milliseconds(longest)}` : 'no heartbeat in the last minute');
    };
  }
}

customElements.define('tab-heartbeat', HeartbeatView);

/** @param {string} name @param {string} look */
function svg(name, look) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  element.setAttribute('class', look);
  return element;
}
