/**
 * What the page's buttons do: the questions before, the command, and its answer shown.
 */

/** @import {Danger, DangerCode} from '../model/types.js' */
/** @import {Answer} from './api.js' */
/** @import {Row} from '../model/shot.js' */
import { nodeOf } from '../model/table.js';
import { plain } from '../model/words.js';
import { answerWords, command, placed } from './api.js';
import { ask } from './dialog.js';

/** How somebody insists on a danger. @type {Record<DangerCode, string>} */
const INSIST = {
  pulse_exists: 'Replace it',
  outcome_unknown: 'Run it all the same',
  off: 'Dispatch it all the same',
  source_changed: 'Run the tables as they are',
  succeeded: 'Run it again',
  old_shot: 'Run it in this shot',
  ends: 'Run it',
};

/**
 * One command on its way, and which dangers somebody has insisted on.
 * @typedef {object} Job
 * @property {string} what as people say it
 * @property {Record<string, unknown>} body
 * @property {DangerCode[]} insist
 * @property {Danger[]} open what it was refused for
 */

/**
 * Show what came of a command.
 * @param {string} what
 * @param {Answer} answer
 */
export function tell(what, answer) {
  const good = isGood(answer);
  const detail = { what, text: plain(answerWords(answer)), good, at: Date.now() / 1000 };
  window.dispatchEvent(new CustomEvent('reply', { detail }));
}

/** @param {Answer} answer */
function isGood(answer) {
  return answer.outcome === 'ok' || answer.outcome === 'accepted';
}

/**
 * Carry out a command and show its answer. What is dangerous about it is asked first, each danger
 * by itself; a no ends it.
 * @param {string} what as people say it
 * @param {string} verb
 * @param {Record<string, unknown>} body
 */
export async function run(what, verb, body) {
  await runAll(verb, [{ what, body }], what);
}

/**
 * Carry out several commands and show their answers; see `run`. Those that nothing stands in the way
 * of are carried out at once; each danger is then asked once for all that it concerns.
 * @param {string} verb
 * @param {{what: string, body: Record<string, unknown>}[]} wanted
 * @param {string} together as people say all of them
 */
export async function runAll(verb, wanted, together) {
  /** @type {Job[]} */
  let jobs = wanted.map((one) => ({ ...one, insist: [], open: [] }));
  let good = 0;
  while (jobs.length > 0) {
    for (const job of jobs) {
      const { insist } = job;
      const answer = await command(verb, insist.length > 0 ? { ...job.body, insist } : job.body);
      job.open = answer.dangers.filter((one) => !insist.includes(one.danger));
      if (job.open.length > 0) continue;
      if (wanted.length > 1 && isGood(answer)) good += 1;
      else tell(job.what, answer);
    }
    jobs = await insisted(jobs.filter((job) => job.open.length > 0), together);
  }
  if (good > 0) tell(together, done(`${good} of ${wanted.length} done`));
}

/**
 * Ask about each danger by itself; return the commands whose dangers were all taken.
 * @param {Job[]} jobs
 * @param {string} together
 */
async function insisted(jobs, together) {
  let left = jobs;
  for (const danger of /** @type {DangerCode[]} */ (Object.keys(INSIST))) {
    const concerned = left.filter((job) => job.open.some((one) => one.danger === danger));
    if (concerned.length === 0) continue;
    const texts = concerned.flatMap((job) => job.open.filter((one) => one.danger === danger).map((one) => plain(one.text)));
    const one = concerned.length === 1;
    const yes = await ask({
      title: one ? `${concerned[0].what}?` : `${together}: ${concerned.length} of them?`,
      text: one ? texts[0] : '',
      items: one ? [] : texts,
      yes: INSIST[danger],
      cautious: true,
    });
    if (!yes) left = left.filter((job) => !concerned.includes(job));
    else for (const job of concerned) job.insist.push(danger);
  }
  return left;
}

/** @param {string} message @returns {Answer} */
function done(message) {
  return { status: 200, outcome: 'ok', message, notices: [], dangers: [], result: null, fields: [] };
}

/** @param {Row} row */
function target(row) {
  return `${plain(nodeOf(row))} of ${row.tree}/${row.shot}`;
}

/** Return these in words. @param {Row[]} rows */
function targets(rows) {
  return rows.length === 1 ? target(rows[0]) : `${rows.length} actions of ${rows[0].tree}/${rows[0].shot}`;
}

/**
 * Dispatch actions again. What was chosen before it was looked at (`ticked`) is named first.
 * @param {Row[]} rows of one shot
 * @param {{ticked?: boolean}} [how]
 */
export async function dispatchRows(rows, { ticked = false } = {}) {
  if (rows.length === 0) return;
  const what = `Dispatch ${targets(rows)}`;
  const items = rows.length > 1 ? rows.map((row) => plain(nodeOf(row))) : [];
  if ((ticked || rows.length > 1) && !(await ask({ title: `${what}?`, items, yes: 'Dispatch', danger: false }))) return;
  const wanted = rows.map((row) => ({
    what: `Dispatch ${target(row)}`,
    body: { tree: row.tree, shot: row.shot, path: row.path, careful: true },
  }));
  await runAll('dispatch', wanted, what);
}

/**
 * Abort actions.
 * @param {Row[]} rows of one shot
 */
export async function abortRows(rows) {
  const [first] = rows;
  if (!first) return;
  const what = `Abort ${targets(rows)}`;
  const text =
    rows.length === 1 && first.last.server ? `It is ${first.last.state} on ${first.last.server}.` : '';
  const items = rows.length === 1 ? [] : rows.map((row) => plain(nodeOf(row)));
  if (!(await ask({ title: `${what}?`, text, items, yes: 'Abort' }))) return;
  const wanted = rows.map((row) => ({
    what: `Abort ${target(row)}`,
    body: { tree: row.tree, shot: row.shot, path: row.path },
  }));
  await runAll('abort', wanted, what);
}

/**
 * Open the output of an action in a window of its own; return whether the browser lets it.
 * @param {{tree: string, shot: number, path: string}} action
 */
export function openLogs({ tree, shot, path }) {
  const query = new URLSearchParams({ tree, shot: String(shot), path });
  const name = `logs-${tree}-${shot}-${path}`.replace(/\W/g, '_');
  return window.open(placed(`static/logs.html?${query}`), name, 'popup,width=1000,height=680') !== null;
}

/** So many windows are opened at a time. */
const WINDOWS_MAX = 12;

/**
 * Open the output of several actions; say where not all of them were.
 * @param {Row[]} rows
 */
export function openAllLogs(rows) {
  const opened = rows.slice(0, WINDOWS_MAX).filter((row) => openLogs(row)).length;
  if (opened === rows.length) return;
  const why = opened < Math.min(rows.length, WINDOWS_MAX)
    ? 'the browser has blocked the rest: allow this page to open windows'
    : `at most ${WINDOWS_MAX} at a time`;
  tell('Logs', { ...done(`${opened} of ${rows.length} opened; ${why}`), outcome: 'refused' });
}

/**
 * Return whether an action can be aborted as it is.
 * @param {Row} row
 */
export function canAbort(row) {
  return (
    row.last.state === 'DISPATCHED' || row.last.state === 'DOING'
    || (row.last.state === 'NOT_DISPATCHED' && !row.last.cause)
  );
}

/**
 * Return whether an action can be dispatched as it is.
 * @param {Row} row
 */
export function canDispatch(row) {
  return row.last.state !== 'DISPATCHED' && row.last.state !== 'DOING';
}
