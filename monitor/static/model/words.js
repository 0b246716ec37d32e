/**
 * How states and texts are written for people: words, symbols, colours. Pure.
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

/** Names in the order of people: `A:2` before `A:10`. */
export const byName = new Intl.Collator('en', { numeric: true }).compare;

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
 * Return state and status in one: what has become of an action, else how it stands.
 * @param {Transition} last
 */
export function outcomeWords(last) {
  const status = statusWords(last);
  if (last.status) return status;
  return [stateWords(last).replace('NOT_DISPATCHED', 'not dispatched').replace('SERVER_OFF', 'server off'), status].filter(Boolean).join(', ');
}

/**
 * Return why an action is as it is: its progress, its reason, or what it waits for. That its
 * completion event was not raised stands before them, since nothing else shows it.
 * @param {Row} row
 */
export function details(row) {
  return [plain(row.trouble), stateDetails(row)].filter(Boolean).join('; ');
}

/** @param {Row} row */
function stateDetails(row) {
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

/** Return an action's path without what all of its tree begin with. @param {string} path */
export function shortOf(path) {
  return path.replace(/^\\\w+::TOP[.:]/, '');
}
