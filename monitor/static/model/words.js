/**
 * How states, times and texts are written for people: words, symbols, colours. Pure.
 *
 * A symbol and a word go with every colour, so that nobody depends on colour alone (D7). Text from
 * trees and tasks is only ever shown as text, with its control characters made visible.
 */

/** @import {ActionView, Colour, RunView, ServerState, Transition} from './types.js' */
/** @import {Row} from './shot.js' */

/** @type {Record<Colour, string>} */
export const SYMBOLS = {
  blue: '·',
  orange: '▶',
  green: '✓',
  red: '✗',
  grey: '■',
  'grey-outlined': '□',
};

/** Categories in the order in which people want to see them: what needs somebody first. */
export const CATEGORIES = /** @type {const} */ ([
  ['failed', 'failed', 'red'],
  ['server_off', 'server off', 'grey'],
  ['in_progress', 'in progress', 'orange'],
  ['pending', 'pending', 'blue'],
  ['success', 'success', 'green'],
  ['not_dispatched', 'not dispatched', 'grey-outlined'],
]);

/** @type {Record<string, string>} */
const CAUSES = {
  off: 'off',
  asynchronous: 'asynchronous',
  unreadable: 'unreadable',
  bad_number: 'number ≤ 0',
  condition_false: 'condition false',
  cannot_happen: 'cannot happen',
  aborted_before_sent: 'aborted before it was sent',
  timeout: 'timeout',
  worker_died: 'worker died',
  operator: 'by an operator',
  server_lost: 'server lost',
  forgotten: 'end not known',
  no_server: 'no server',
};

/** @type {Record<ServerState, string>} */
export const SERVER_SYMBOLS = { ON: '●', SUSPECT: '◐', DRAINING: '▽', OFF: '○' };

/** @type {Record<ServerState, number>} */
export const SERVER_ORDER = { ON: 0, SUSPECT: 1, DRAINING: 2, OFF: 3 };

/**
 * Return the words of the column State.
 * @param {Transition} last
 */
export function stateWords(last) {
  return last.aborting ? `${last.state}, aborting` : last.state;
}

/**
 * Return the words of the column Status: Success or Failure, and the cause where it says more.
 * @param {Transition} last
 */
export function statusWords(last) {
  /** @type {string[]} */
  const words = last.status ? [last.status] : [];
  const cause = last.cause ? CAUSES[last.cause] : undefined;
  if (cause) words.push(cause);
  if (last.outcome_unknown) words.push('outcome unknown');
  return words.join(', ');
}

/**
 * Return why an action is as it is: its progress, its reason, or what it waits for.
 * @param {Row} row
 */
export function details(row) {
  const { last } = row;
  if (last.state === 'DOING' && row.progress !== null) {
    return plain(row.progressText);
  }
  return plain(last.reason || row.waits || row.view.unreadable || '');
}

/**
 * Return how a run stands, in words, and what it is drawn as. A run that is over is only good where
 * nothing of it has failed.
 * @param {RunView} run
 * @returns {{text: string, look: string}}
 */
export function runState(run) {
  if (run.state === 'held') return { text: 'HELD', look: 'held' };
  if (run.state !== 'ended') return { text: run.state === 'open' ? 'running' : run.state, look: run.state === 'open' ? 'running' : run.state };
  const outcome = run.outcome ?? 'ended';
  const failed = (run.counts?.failed ?? 0) + (run.counts?.server_off ?? 0);
  if (failed === 0 || outcome !== 'completed') return { text: outcome, look: outcome };
  return { text: `${outcome}, ${failed} failed`, look: 'failed' };
}

/**
 * Return the sequence number or condition as written.
 * @param {ActionView} view
 */
export function whenWords(view) {
  return plain(view.when || (view.number === null || view.number === undefined ? '' : String(view.number)));
}

/**
 * Return how long an action took, or has taken so far, in seconds.
 * @param {Transition} last
 * @param {number} now
 * @returns {number|null}
 */
export function takenS(last, now) {
  if (last.duration_s !== null && last.duration_s !== undefined) return last.duration_s;
  if (last.state === 'DOING' && last.started_at) return Math.max(0, now - last.started_at);
  return null;
}

/**
 * Return a duration as people say it.
 * @param {number|null|undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '';
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)} min`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)} h`;
}

/**
 * Return an age in whole seconds, minutes, hours or days.
 * @param {number} seconds
 */
export function age(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 100) return `${whole} s`;
  if (whole < 6000) return `${Math.floor(whole / 60)} min`;
  if (whole < 172_800) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86_400)} d`;
}

/** @param {number} number */
function two(number) {
  return String(number).padStart(2, '0');
}

/**
 * Return the time of day, in the browser's own time zone; `digits` of a second.
 * @param {number|null|undefined} at seconds since 1970
 * @param {0|1|3} [digits]
 */
export function clock(at, digits = 0) {
  if (at === null || at === undefined) return '';
  const date = new Date(at * 1000);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (digits === 0) return text;
  return `${text}.${String(date.getMilliseconds()).padStart(3, '0').slice(0, digits)}`;
}

/**
 * Return date and time.
 * @param {number|null|undefined} at seconds since 1970
 */
export function moment(at) {
  if (at === null || at === undefined) return '';
  const date = new Date(at * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(at)}`;
}

// Control, zero-width and direction characters: what could disguise a text or fool its reader.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * Return text on one line, with what cannot be seen written out.
 * @param {string} text
 */
export function plain(text) {
  return text.replace(HIDDEN, (character) => {
    if (character === '\t') return '    ';
    const code = character.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/**
 * Return a run in words: `run 3 of PULSE`.
 * @param {RunView} run
 */
export function runWords(run) {
  let what = run.phase;
  if (run.kind === 'single') what = what ? `${what}, one action` : 'one action';
  if (run.first !== null && run.first !== undefined) what += ` ${run.first}–${run.last}`;
  return `run ${run.run} of ${plain(what)}`;
}
