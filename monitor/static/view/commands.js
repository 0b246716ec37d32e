/**
 * What the page's buttons do: the questions before, the command, and its answer shown.
 */

/** @import {Answer} from '../model/types.js' */
/** @import {Row} from '../model/shot.js' */
import { asksFirst } from '../model/shot.js';
import { nodeOf } from '../model/table.js';
import { plain } from '../model/words.js';
import { answerWords, command } from './api.js';
import { ask } from './dialog.js';

/** What a refusal names, the argument that insists, and how to ask for it. */
const INSIST = [
  { word: '--replace', argument: 'replace', yes: 'Replace it' },
  { word: '--even-if-running', argument: 'even_if_running', yes: 'Run it all the same' },
  { word: '--even-if-off', argument: 'even_if_off', yes: 'Dispatch it all the same' },
];

/**
 * Show what came of a command.
 * @param {string} what
 * @param {Answer} answer
 */
export function tell(what, answer) {
  const good = answer.outcome === 'ok' || answer.outcome === 'accepted';
  const detail = { what, text: plain(answerWords(answer)), good, at: Date.now() / 1000 };
  window.dispatchEvent(new CustomEvent('reply', { detail }));
}

/**
 * Carry out a command and show its answer. Where it is refused for want of a word, ask for that.
 * @param {string} what as people say it
 * @param {string} verb
 * @param {Record<string, unknown>} body
 * @returns {Promise<Answer>}
 */
export async function run(what, verb, body) {
  let answer = await command(verb, body);
  for (const { word, argument, yes } of INSIST) {
    if (answer.status !== 409 || !answer.message.includes(word) || body[argument]) continue;
    if (!(await ask({ title: `${what}?`, text: plain(answer.message), yes }))) break;
    body = { ...body, [argument]: true };
    answer = await command(verb, body);
  }
  tell(what, answer);
  return answer;
}

/**
 * Dispatch actions again; asks first where one is not to be run without a word.
 * @param {Row[]} rows
 */
export async function dispatchRows(rows) {
  const doubtful = rows.filter((row) => asksFirst(row) !== '');
  if (doubtful.length > 0) {
    const one = doubtful.length === 1 ? doubtful[0] : null;
    const yes = await ask({
      title: one ? `Dispatch ${plain(nodeOf(one))} all the same?` : `Dispatch ${doubtful.length} of these all the same?`,
      text: one ? `${asksFirst(one)} ${plain(one.last.reason ?? '')}` : '',
      items: one ? [] : doubtful.map((row) => `${plain(nodeOf(row))}: ${asksFirst(row)}`),
      yes: 'Dispatch',
    });
    if (!yes) return;
  } else if (rows.length > 1) {
    const yes = await ask({
      title: `Dispatch ${rows.length} actions again?`,
      items: rows.map((row) => plain(nodeOf(row))),
      yes: 'Dispatch',
      danger: false,
    });
    if (!yes) return;
  }
  for (const row of rows) {
    await run(`Dispatch ${plain(nodeOf(row))}`, 'dispatch', {
      tree: row.tree,
      shot: row.shot,
      path: row.path,
      even_if_running: Boolean(row.last.outcome_unknown),
      even_if_off: row.view.on === false || row.last.cause === 'off',
    });
  }
}

/**
 * Abort actions.
 * @param {Row[]} rows
 */
export async function abortRows(rows) {
  const [first] = rows;
  if (!first) return;
  const title =
    rows.length === 1
      ? `Abort ${plain(nodeOf(first))} of ${first.tree}/${first.shot}?`
      : `Abort ${rows.length} actions of ${first.tree}/${first.shot}?`;
  const text =
    rows.length === 1 && first.last.server ? `It is ${first.last.state} on ${first.last.server}.` : '';
  const items = rows.length === 1 ? [] : rows.map((row) => plain(nodeOf(row)));
  if (!(await ask({ title, text, items, yes: 'Abort' }))) return;
  for (const row of rows) {
    await run(`Abort ${plain(nodeOf(row))}`, 'abort', { tree: row.tree, shot: row.shot, path: row.path });
  }
}

/**
 * Open the output of an action in a window of its own.
 * @param {Row} row
 */
export function openLogs(row) {
  const query = new URLSearchParams({ tree: row.tree, shot: String(row.shot), path: row.path });
  const name = `logs-${row.tree}-${row.shot}-${row.path}`.replace(/\W/g, '_');
  window.open(`/static/logs.html?${query}`, name, 'popup,width=1000,height=680');
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
