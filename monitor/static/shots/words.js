/** Words and addresses of shots that have been. Pure. */

/** @import {RunView, ShotView} from '../model/types.js' */

const NAME = /^\s*([A-Za-z][A-Za-z0-9_]*)\/(\d{1,10})\s*$/;
const SECONDS = /** @type {Record<string, number>} */ ({ h: 3600, d: 86_400 });

/** Since when one looks. @type {[string, string][]} */
export const SINCE = [['', 'ever'], ['1h', 'an hour'], ['yesterday', 'yesterday'], ['1d', 'a day'], ['7d', 'a week'], ['30d', 'a month']];

/** Return a shot's name as TEST/42, or null. @param {string} text */
export function shotName(text) {
  const found = NAME.exec(text);
  return found ? `${found[1].toUpperCase()}/${Number(found[2])}` : null;
}

/** @param {{tree: string, shot: number}} shot */
export function nameOf({ tree, shot }) {
  return `${tree}/${shot}`;
}

/** @param {{tree: string, shot: number}} shot */
export function shotAddress(shot) {
  return `#/shot/${encodeURIComponent(nameOf(shot))}`;
}

/** @param {string} left @param {string} right */
export function compareAddress(left, right) {
  return `#/compare/${encodeURIComponent(`${left} ${right}`)}`;
}

/** @param {string} tree @param {string} path */
export function trendAddress(tree, path) {
  return `#/trend/${encodeURIComponent(`${tree} ${path}`)}`;
}

/** Return since when, in seconds since 1970. @param {string} text @param {number} now */
export function sinceOf(text, now) {
  if (text === 'yesterday') {
    const day = new Date(now * 1000);
    return new Date(day.getFullYear(), day.getMonth(), day.getDate() - 1).getTime() / 1000;
  }
  const ago = /^(\d{1,4})([hd])$/.exec(text);
  // To the minute, so that it stays the same question.
  return ago ? Math.floor((now - Number(ago[1]) * SECONDS[ago[2]]) / 60) * 60 : undefined;
}

/** Return who has run a shot. @param {ShotView} shot */
export function people(shot) {
  return [...new Set((shot.runs ?? []).map((run) => run.who ?? '').filter(Boolean))].join(', ');
}

/** Return how many have failed. @param {{failed?: number, server_off?: number}|undefined} counts */
export function failedOf(counts) {
  return (counts?.failed ?? 0) + (counts?.server_off ?? 0);
}

/** Return how long the runs of a shot took. @param {RunView[]|undefined} runs */
export function tookS(runs) {
  const took = (runs ?? []).map((run) => run.duration_s).filter((one) => typeof one === 'number');
  return took.length > 0 ? took.reduce((sum, one) => sum + Number(one), 0) : null;
}
