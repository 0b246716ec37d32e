/**
 * Where the bars of the timeline stand: lanes and times. What limits a phase and what is slow is the
 * monitor's to say. Pure.
 */

/** @import {Row} from './shot.js' */
import { offset } from './format.js';
import { hasFailed } from './shot.js';
import { byName, takenS } from './words.js';

/**
 * One action on its way, from its start (or dispatch) to its end (or now).
 * @typedef {object} Bar
 * @property {Row} row
 * @property {number} lane
 * @property {number} line within the lane
 * @property {number} start seconds since 1970
 * @property {number|null} end null: it goes on
 * @property {number|null} median seconds
 */

/**
 * @typedef {object} Lane
 * @property {string} name
 * @property {number} lines how many bars stand one below the other
 * @property {number} top its first line, counted over all lanes
 * @property {number} failed how many of its bars have failed
 */

/**
 * @typedef {object} Layout
 * @property {Lane[]} lanes
 * @property {Bar[]} bars by start
 * @property {Bar[]} failed of them, by start
 * @property {number} hidden lanes that are left out
 * @property {Map<string, Bar>} byPath
 * @property {number} lines of all lanes
 * @property {number} start of the first bar
 * @property {number} end of the last that has ended
 */

/**
 * Return the bars of a shot's actions, one lane for each server; actions that run side by side on a
 * server stand one below the other.
 * @param {Row[]} rows
 * @param {ReadonlyMap<string, number>} medians
 * @param {string[]} servers that have a lane even without a bar
 * @param {(name: string, bars: Bar[]) => boolean} [keep] tells which lanes are shown
 * @returns {Layout}
 */
export function layout(rows, medians, servers, keep = () => true) {
  /** @type {Map<string, Bar[]>} */
  const byServer = new Map(servers.map((name) => [name, []]));
  for (const row of rows) {
    const { last } = row;
    const start = last.started_at ?? last.dispatched_at ?? null;
    if (start === null || !last.server) continue;
    const settled = last.state !== 'DOING' && last.state !== 'DISPATCHED';
    const end = settled ? (last.ended_at ?? start + (last.duration_s ?? 0)) : null;
    const bars = byServer.get(last.server) ?? [];
    byServer.set(last.server, bars);
    bars.push({ row, lane: 0, line: 0, start, end, median: medians.get(row.path) ?? null });
  }
  const names = [...byServer].filter(([name, bars]) => keep(name, bars)).map(([name]) => name).sort(byName);
  /** @type {Lane[]} */
  const lanes = [];
  /** @type {Bar[]} */
  const all = [];
  let top = 0;
  for (const [index, name] of names.entries()) {
    const bars = /** @type {Bar[]} */ (byServer.get(name));
    const lines = stack(bars, index);
    lanes.push({ name, lines, top, failed: bars.filter((bar) => hasFailed(bar.row)).length });
    top += lines;
    for (const bar of bars) all.push(bar);
  }
  all.sort((a, b) => a.start - b.start);
  let end = all[0]?.start ?? 0;
  for (const bar of all) end = Math.max(end, bar.end ?? bar.start);
  return {
    lanes,
    bars: all,
    failed: all.filter((bar) => hasFailed(bar.row)),
    hidden: byServer.size - lanes.length,
    byPath: new Map(all.map((bar) => [bar.row.path, bar])),
    lines: top,
    start: all[0]?.start ?? 0,
    end,
  };
}

/**
 * Give each bar of a lane the first line that is free at its start; return how many there are.
 * @param {Bar[]} bars
 * @param {number} lane
 */
function stack(bars, lane) {
  bars.sort((a, b) => a.start - b.start);
  /** @type {number[]} */
  const ends = [];
  for (const bar of bars) {
    bar.lane = lane;
    let line = ends.findIndex((end) => end <= bar.start + 1e-6);
    if (line < 0) line = ends.push(0) - 1;
    bar.line = line;
    ends[line] = bar.end ?? Infinity;
  }
  return Math.max(1, ends.length);
}

/**
 * What is out of sight above or below: lanes, and how many have failed there.
 * @typedef {{lanes: number, failed: number}} Beyond
 */

/**
 * Return what is out of sight above and below.
 * @param {Layout} drawn
 * @param {(lane: Lane, index: number) => {top: number, end: number}} place where a lane stands on the screen
 * @param {{top: number, end: number}} seen
 * @returns {{above: Beyond, below: Beyond}}
 */
export function beyond(drawn, place, seen) {
  const above = { lanes: 0, failed: 0 };
  const below = { lanes: 0, failed: 0 };
  for (const [index, lane] of drawn.lanes.entries()) {
    const { top, end } = place(lane, index);
    const middle = (top + end) / 2;
    const where = middle < seen.top ? above : middle > seen.end ? below : null;
    if (!where) continue;
    where.lanes += 1;
    where.failed += lane.failed;
  }
  return { above, below };
}

/** Return how much is out of sight, in words. @param {Beyond} where */
export function beyondWords({ lanes, failed }) {
  return `${lanes} more ${lanes === 1 ? 'lane' : 'lanes'}${failed ? `, ${failed} failed` : ''}`;
}

/** Return the whole in words, for whoever does not see it. @param {Layout} drawn */
export function layoutWords({ lanes, bars, failed }) {
  return `Timeline of the shot: ${bars.length} actions on ${lanes.length} ${lanes.length === 1 ? 'server' : 'servers'}, ${failed.length} failed`;
}

/**
 * Return how many times its usual duration an action took, or has taken; null when that is unknown,
 * or it has not begun.
 * @param {Bar} bar
 * @param {number} now
 */
export function timesUsual(bar, now) {
  const taken = takenS(bar.row.last, now);
  return bar.median && taken !== null ? taken / bar.median : null;
}

/**
 * The stretch of time that is seen.
 * @typedef {object} Span
 * @property {number} start
 * @property {number} end
 */

/**
 * Return the span zoomed by a factor around a moment.
 * @param {Span} span
 * @param {number} factor below 1 shows less
 * @param {number} around
 * @returns {Span}
 */
export function zoomed(span, factor, around) {
  const length = Math.min(7 * 86_400, Math.max(0.005, (span.end - span.start) * factor));
  const share = (around - span.start) / (span.end - span.start);
  const start = around - share * length;
  return { start, end: start + length };
}

/**
 * Return where the ruler's marks stand: about one for each `apart` of the span, at round times.
 * @param {Span} span
 * @param {number} origin the time that counts as 0
 * @param {number} most
 * @returns {{at: number, text: string}[]}
 */
export function ticks(span, origin, most) {
  const raw = (span.end - span.start) / Math.max(1, most);
  const step = roundStep(raw);
  const digits = step >= 1 ? 0 : Math.min(3, Math.ceil(-Math.log10(step)));
  /** @type {{at: number, text: string}[]} */
  const marks = [];
  const first = Math.ceil((span.start - origin) / step);
  for (let index = first; origin + index * step <= span.end && marks.length < 200; index += 1) {
    const seconds = index * step;
    marks.push({ at: origin + seconds, text: offset(seconds, digits) });
  }
  return marks;
}

/** @param {number} raw */
function roundStep(raw) {
  const power = 10 ** Math.floor(Math.log10(raw));
  if (raw > 30) {
    return [60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400].find((step) => step >= raw) ?? 86_400;
  }
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= raw * 0.999) ?? raw;
}
