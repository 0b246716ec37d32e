/**
 * The pulse queue in words and symbols, for people. Pure.
 */

/** @import {Entry, ExitStatus, HistoryItem, KindView, PlanProgress, PulsePlan, QueueGroup, QueueState, QueueView, TaskState} from '../model/types.js' */
import { clock, remaining } from '../model/format.js';
import { readRoute, writeRoute } from '../model/route.js';
import { plain } from '../model/words.js';

/** @type {Record<QueueState, {symbol: string, word: string}>} */
export const STATES = {
  idle: { symbol: '■', word: 'IDLE' },
  armed: { symbol: '◎', word: 'ARMED' },
  running: { symbol: '▶', word: 'RUNNING' },
  pausing: { symbol: '❚❚', word: 'PAUSING' },
  paused: { symbol: '❚❚', word: 'PAUSED' },
  stopping: { symbol: '◼', word: 'STOPPING' },
};

/** @type {Record<ExitStatus, {symbol: string, look: string}>} */
export const RESULTS = {
  completed: { symbol: '✓', look: 'good' },
  stopped: { symbol: '◼', look: 'good' },
  failed: { symbol: '✗', look: 'bad' },
  aborted: { symbol: '✗', look: 'bad' },
  halted: { symbol: '✗', look: 'bad' },
  unknown: { symbol: '?', look: 'bad' },
};

/** @type {Record<TaskState, {symbol: string, word: string, look: string}>} */
export const TASK_STATES = {
  running: { symbol: '▶', word: 'running', look: 'busy' },
  completed: { symbol: '✓', word: 'completed', look: 'good' },
  failed: { symbol: '✗', word: 'failed', look: 'bad' },
};

/** What to do with a queue in which nothing is. */
export const EMPTY = 'The queue is empty: add a plan, then Start runs one after the other.';

/** Return what a plan is called. @param {PulsePlan} plan */
export function planName(plan) {
  if (plan.type === 'stop') return 'Stop here';
  const name = plain(plan.kind || plan.experiment || 'a plan');
  return plan.shot && plan.shot !== 'next' ? `${name} ${plan.shot}` : name;
}

/**
 * Return what a plan is run with, in one line.
 * @param {PulsePlan} plan
 * @param {KindView} [kind]
 */
export function planDetails(plan, kind) {
  if (plan.type === 'stop') return plain(plan.note ?? '') || 'the queue stops when it comes here';
  const parts = [];
  if (plan.kind && plan.experiment && plan.experiment !== kind?.kind.experiment) parts.push(plan.experiment);
  const known = kind?.kind.parameters ?? {};
  parts.push(...givenWords(plan.parameters ?? {}, Object.keys(known), (name) => known[name]?.unit ?? ''));
  if (plan.phases) parts.push(phasesText(plan.phases));
  if (plan.repeat && plan.repeat > 1) parts.push(`×${plan.repeat}`);
  if (plan.note) parts.push(`“${plan.note}”`);
  return plain(parts.join(' · '));
}

/**
 * Return what is given, each with its unit: those that are known in their order, then the others.
 * @param {Record<string, unknown>} given
 * @param {string[]} known
 * @param {(name: string) => string} unitOf
 */
export function givenWords(given, known, unitOf) {
  const names = [...known.filter((name) => name in given), ...Object.keys(given).filter((name) => !known.includes(name))];
  return names.map((name) => [name, valueWords(given[name]), unitOf(name)].filter(Boolean).join(' '));
}

/** Return a parameter's value as people read it. @param {unknown} value @returns {string} */
export function valueWords(value) {
  if (value === true) return 'on';
  if (value === false) return 'off';
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object')) return value.map(valueWords).join(', ');
  return JSON.stringify(value) ?? '';
}

/**
 * Return phases as one types them: `STORE?` on success only, `DUMP!` on failure only, `PARK+` closing.
 * @param {NonNullable<PulsePlan['phases']>} phases
 */
export function phasesText(phases) {
  const marks = { always: '', on_success: '?', on_failure: '!' };
  return phases.map(({ phase, when, closing }) => phase + marks[when ?? 'always'] + (closing ? '+' : '')).join(', ');
}

/** Return the phases of such a text. @param {string} text @returns {NonNullable<PulsePlan['phases']>} */
export function phasesOf(text) {
  return text.split(/[\s,]+/).filter(Boolean).map((word) => {
    const closing = word.endsWith('+');
    const bare = closing ? word.slice(0, -1) : word;
    const when = bare.endsWith('?') ? 'on_success' : bare.endsWith('!') ? 'on_failure' : 'always';
    return { phase: bare.replace(/[?!]$/, ''), when, closing };
  });
}

/**
 * Return a text of the dispatcher's in which entries are called by their plans, where they are known.
 * @param {string} text
 * @param {(uid: string) => PulsePlan|undefined} planOf
 */
export function withNames(text, planOf) {
  return plain(text).replace(/\bentry ([0-9a-f]{12})\b/g, (all, uid) => {
    const plan = planOf(uid);
    return plan ? `“${planName(plan)}”` : all;
  });
}

/** Return who had to do with an entry. @param {Entry} entry */
export function whoWords(entry) {
  const parts = [];
  if (entry.user) parts.push(`${entry.state === 'proposed' ? 'proposed by' : 'by'} ${entry.user}`);
  if (entry.approved_by) parts.push(`approved by ${entry.approved_by}`);
  if (entry.changed_by && entry.changed_by !== entry.user) parts.push(`changed by ${entry.changed_by}`);
  if (entry.released_by) parts.push(`released by ${entry.released_by}`);
  if (entry.rounds) parts.push(`round ${entry.rounds + 1}`);
  return plain(parts.join(', '));
}

/** Return why an entry is HELD, and where that was. @param {Entry} entry */
export function heldWords({ held, result }) {
  const why = held || result?.message || '';
  if (!result) return plain(why);
  const said = why.startsWith(result.exit_status) ? why : [result.exit_status, why].filter(Boolean).join(': ');
  const where = result.shot ? `${result.tree}/${result.shot} at ` : '';
  return plain(`${said} (${where}${clock(result.ended_at)})`);
}

/**
 * Return what stands beside the tab's title: what nobody may miss from wherever they look.
 * @param {QueueView|null} view
 */
export function noteOf(view) {
  if (!view) return null;
  const parts = [];
  if (view.state === 'paused' || view.state === 'pausing') parts.push(STATES[view.state].word);
  else if (view.state !== 'idle') parts.push(STATES[view.state].symbol);
  if (view.held) parts.push(`${view.held} HELD`);
  if (view.lock) parts.push('locked');
  if (parts.length === 0 && view.entries) parts.push(String(view.entries));
  return parts.join(' · ') || null;
}

/** Return whether somebody has to do something. @param {QueueView|null} view */
export function isUrgent(view) {
  return view !== null && (view.state === 'paused' || (view.held ?? 0) > 0);
}

/** Return what of the environment is locked, in words. @param {NonNullable<QueueView['lock']>} lock */
export function lockedParts(lock) {
  const parts = [];
  if (lock.queue) parts.push('the queue (entries and modes)');
  if (lock.environment) parts.push('what runs (start, pause, resume, environment)');
  return parts.join(' and ');
}

/** @type {Record<string, string>} */
const STEPS = {
  number: 'asks for its shot number',
  create: 'makes the pulse',
  write: 'writes its parameters into the pulse',
  build: 'builds the tables',
  phase: 'runs',
};

/**
 * Return how far a plan is, for its bar: the phase, how much of it, and how long it has to go.
 * @param {PlanProgress} running
 * @param {QueueView['progress']} progress
 * @param {number} since seconds since the progress was told
 */
export function progressWords(running, progress, since) {
  const { done = 0, total = 0, phase = '', phases = 0, phase_number: number = 0 } = progress ?? {};
  const step = running.step ? STEPS[running.step] : 'begins';
  const left = progress?.left_s;
  return {
    phase: phase ? `phase ${plain(phase)}, ${number} of ${phases}` : step,
    done: total > 0 ? `${done} of ${total} actions` : '',
    share: total > 0 ? done / total : 0,
    left: left === null || left === undefined ? '' : `${remaining(Math.max(0, left - since))} to go`,
    elapsedS: (progress?.elapsed_s ?? 0) + since,
  };
}

/**
 * @typedef {object} HistoryFilter
 * @property {string} kind '': all
 * @property {string} user
 * @property {string} result
 * @property {string} text
 */

/**
 * Return the ended plans that fit, the latest first.
 * @param {HistoryItem[]} items the latest last
 * @param {HistoryFilter} filter
 */
export function filterHistory(items, { kind, user, result, text }) {
  const wanted = text.trim().toLowerCase();
  return items.filter((item) =>
    (!kind || kindOf(item) === kind)
    && (!user || usersOf(item).includes(user))
    && (!result || item.result.exit_status === result)
    && (!wanted || searched(item).includes(wanted))).reverse();
}

/**
 * Return the lines of an exported history that are about these plans, with the heading of a CSV.
 * @param {string} text @param {string} form csv or jsonl @param {Set<string>} uids
 */
export function linesAbout(text, form, uids) {
  // A cell in quotes may hold the ends of lines.
  const lines = text.match(form === 'csv' ? /(?:"[^"]*"|[^"\n])*\n/g : /.*\n/g) ?? [];
  return lines.filter((line, at) => (form === 'csv' ? at === 0 || uids.has(line.slice(0, line.indexOf(','))) : uids.has(JSON.parse(line).uid))).join('');
}

/** @param {HistoryItem} item */
export function kindOf(item) {
  return item.entry.plan.kind || item.entry.plan.experiment || item.result.tree || '';
}

/** Return everybody who had to do with a plan. @param {HistoryItem} item */
export function usersOf({ entry, result }) {
  return [entry.user, entry.approved_by, entry.changed_by, entry.released_by, result.ended_by].filter((one) => !!one).map(String);
}

/** @param {HistoryItem} item */
function searched(item) {
  const { entry, result } = item;
  const shot = result.shot ? `${result.tree}/${result.shot}` : '';
  const parts = [planName(entry.plan), planDetails(entry.plan), shot, result.exit_status, result.message ?? '', entry.uid, ...usersOf(item)];
  for (const run of result.runs ?? []) parts.push(run.phase, run.reason ?? '', ...(run.failed ?? []).map((one) => one.path));
  return parts.join(' ').toLowerCase();
}

/** Return the address of a shot's actions. @param {string|undefined} tree @param {number} shot */
export function shotAddress(tree, shot) {
  return writeRoute({ ...readRoute('', ['actions']), tree: tree ?? '', shot });
}

/** What of a group's patterns is about what. @type {[keyof QueueGroup, string][]} */
const PARTS = [
  ['kinds', 'plans of the kinds'],
  ['experiments', 'the experiments'],
  ['classes', 'actions of the server classes'],
  ['functions', 'the functions of tasks'],
];

/** Return what a group may use, a line for each sort of things. @param {QueueGroup} group */
export function groupWords(group) {
  return PARTS.map(([part, words]) => {
    const { allowed = ['*'], forbidden = [] } = /** @type {{allowed?: string[], forbidden?: string[]}} */ (group[part] ?? {});
    const all = allowed.includes('*');
    const may = allowed.length === 0 ? 'none' : all ? 'all' : allowed.join(', ');
    const not = forbidden.length > 0 && allowed.length > 0 ? `, but not ${forbidden.join(', ')}` : '';
    return plain(`${words}: ${may}${not}`);
  });
}
