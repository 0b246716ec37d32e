// The pure parts of the tab Queue: the fold, the words, the forms.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Board, beside, placed } from '../../monitor/static/queue/board.js';
import { allowedWords, byField, fieldsOf, read, textOf } from '../../monitor/static/queue/schema.js';
import {
  filterHistory, heldWords, isUrgent, linesAbout, noteOf, phasesOf, phasesText, planDetails, planName, progressWords, whoWords, withNames,
} from '../../monitor/static/queue/words.js';

const entry = (uid, more = {}) => ({ uid, plan: { kind: 'ohmic' }, added_at: 1, user: 'anna', ...more });
const view = (more = {}) => ({ state: 'idle', text: '', versions: { queue: 1 }, ...more });

function board(...uids) {
  const one = new Board();
  one.apply({ command: 'WHOLE', seq: 1, queue: view(), entries: uids.map((uid) => entry(uid)) });
  return one;
}

function told(one, ...records) {
  one.apply({ command: 'QUEUE', seq: 2, queue: view({ versions: { queue: 2 } }), records });
  return one;
}

const HISTORIES = JSON.parse(readFileSync(new URL('queue_histories.json', import.meta.url), 'utf8'));

/** What a page knows, in the words of the histories. */
function known({ order, proposals, entries, history }) {
  return {
    order,
    proposals,
    states: Object.fromEntries([...entries].map(([uid, { state }]) => [uid, state ?? 'queued'])),
    users: Object.fromEntries([...entries].map(([uid, { approved_by: by }]) => [uid, by ?? ''])),
    history: history.map((item) => item.entry.uid),
  };
}

for (const [index, { steps, whole }] of HISTORIES.entries()) {
  test(`history ${index + 1}: the page folds the records as the dispatcher does`, () => {
    const one = new Board();
    for (const { message, expected } of steps) {
      one.apply({ seq: 1, ...message });
      assert.deepEqual(known(one), expected, JSON.stringify(message.records));
    }
    const late = new Board();
    late.apply({ seq: 1, ...whole });
    assert.deepEqual(known(late), steps.at(-1).expected, 'who comes at its end');
  });
}

test('entries come in, move, change and go', () => {
  const one = board('a', 'b', 'c');
  told(one, { type: 'entries_added', entries: [entry('d'), entry('e')], at: 1 });
  assert.deepEqual(one.order, ['a', 'd', 'e', 'b', 'c']);
  told(one, { type: 'entries_moved', uids: ['c', 'a'], at: 1 });
  assert.deepEqual(one.order, ['d', 'c', 'a', 'e', 'b']);
  told(one, { type: 'entry_changed', entry: entry('x'), what: 'replaced', was: 'c' });
  assert.deepEqual(one.order, ['d', 'x', 'a', 'e', 'b']);
  assert.equal(one.entries.has('c'), false);
  told(one, { type: 'entries_removed', uids: ['a', 'd'] });
  assert.deepEqual(one.order, ['x', 'e', 'b']);
  assert.equal(one.number, 2);
});

test('proposals are a list apart until somebody approves them', () => {
  const one = board('a');
  told(one, { type: 'entries_added', entries: [entry('p', { state: 'proposed' })], at: 0 });
  assert.deepEqual([one.order, one.proposals], [['a'], ['p']]);
  told(one, { type: 'entries_approved', uids: ['p'], at: 0, by: 'ben' });
  assert.deepEqual([one.order, one.proposals], [['p', 'a'], []]);
  assert.equal(one.entries.get('p').approved_by, 'ben');
});

test('a plan that failed comes back HELD at the head, and stands in the history', () => {
  const one = board('a', 'b');
  told(one, { type: 'plan_started', entry: entry('a'), plan: {} });
  assert.deepEqual(one.order, ['b']);
  const result = { exit_status: 'failed', message: 'PULSE: 1 failed', tree: 'T', shot: 3, ended_at: 5 };
  const back = entry('c', { state: 'held', held: 'failed: it broke', copy_of: 'a', result });
  one.apply({ command: 'QUEUE', seq: 3, queue: view({ held: 1 }), records: [{ type: 'plan_ended', item: { entry: entry('a'), result }, back }] });
  assert.deepEqual(one.order, ['c', 'b']);
  assert.deepEqual(one.held().map(({ uid }) => uid), ['c']);
  assert.match(heldWords(back), /^failed: it broke \(T\/3 at .*\)$/);
  assert.equal(one.history.length, 1);
});

test('earlier plans are put before those that are known, once', () => {
  const one = board();
  const item = (uid) => ({ entry: entry(uid), result: { exit_status: 'completed' } });
  one.history = [item('c')];
  one.view = view({ history: 3 });
  one.before([item('a'), item('b'), item('c')]);
  assert.deepEqual(one.shownHistory().map(({ entry: { uid } }) => uid), ['a', 'b', 'c']);
  one.view = view({ history: 1 });
  assert.deepEqual(one.shownHistory().map(({ entry: { uid } }) => uid), ['c'], 'the view was begun anew');
});

test('progress alone changes nothing else', () => {
  const one = board('a');
  one.apply({ command: 'PLAN_PROGRESS', seq: 2, time: 9, running: { phase: 'INIT', done: 1, total: 4, left_s: 10 } });
  assert.equal(one.view.progress.done, 1);
  const words = progressWords({ step: 'phase' }, { ...one.view.progress, phase_number: 1, phases: 2 }, 4);
  assert.deepEqual([words.phase, words.done, words.share, words.left], ['phase INIT, 1 of 2', '1 of 4 actions', 0.25, '6.0 s to go']);
  assert.equal(progressWords({ step: 'build' }, null, 0).phase, 'builds the tables');
});

test('a place is said by its neighbour', () => {
  const order = ['a', 'b', 'c', 'd'];
  assert.deepEqual(placed(order, ['d', 'a'], 1), ['b', 'd', 'a', 'c']);
  assert.deepEqual(beside(order, ['d'], 0), { before: 'a' });
  assert.deepEqual(beside(order, ['a'], 3), { after: 'd' });
  assert.deepEqual(beside(['a'], ['a'], 0), { position: 'front' });
});

const kind = {
  name: 'ohmic',
  kind: { experiment: 'T', parameters: { current: { unit: 'MA' } } },
  parameters_schema: {
    required: ['current'],
    properties: {
      current: { type: 'number', minimum: 0.1, maximum: 2, 'x-unit': 'MA', 'x-step': 0.1 },
      shots: { type: 'integer', minimum: 1, default: 3 },
      gas: { type: 'string', enum: ['D2', 'H2'], default: 'D2' },
      camera: { type: 'boolean', default: true },
      times: { type: 'array', items: { type: 'number', maximum: 10 } },
      names: { type: 'array', items: { type: 'string' } },
      extra: { type: 'object' },
      thing: {},
    },
  },
};
const fields = Object.fromEntries(fieldsOf(kind).map((one) => [one.name, one]));

test('fields are read as their schema says', () => {
  assert.deepEqual(read(fields.current, ' 1,5 '), { value: 1.5 });
  assert.match(read(fields.current, '3').problem, /not within 0.1 to 2 MA/);
  assert.match(read(fields.current, 'much').problem, /a number/);
  assert.match(read(fields.current, '').problem, /needed/);
  assert.deepEqual(read(fields.shots, ''), {}, 'the default counts');
  assert.match(read(fields.shots, '1.5').problem, /whole/);
  assert.deepEqual(read(fields.gas, '"H2"'), { value: 'H2' });
  assert.deepEqual(read(fields.camera, 'false'), { value: false });
  assert.deepEqual(read(fields.times, '1, 2.5\n3'), { value: [1, 2.5, 3] });
  assert.match(read(fields.times, '1, 20').problem, /^20: /);
  assert.deepEqual(read(fields.names, 'a, b'), { value: ['a', 'b'] });
  assert.deepEqual(read(fields.extra, '{"a": 1}'), { value: { a: 1 } });
  assert.match(read(fields.extra, '[1]').problem, /object/);
  assert.deepEqual(read(fields.thing, 'word'), { value: 'word' });
  assert.deepEqual(read(fields.thing, '5'), { value: 5 });
});

test('what was read is written as it was', () => {
  for (const [name, value] of Object.entries({
    current: 1.5, shots: 2, gas: 'H2', camera: false, times: [1, 2.5], names: ['a', 'b, c'], extra: { a: [1] }, thing: '5',
  })) assert.deepEqual(read(fields[name], textOf(fields[name], value)), { value }, name);
  assert.equal(allowedWords(fields.current), '0.1 to 2 MA');
});

test('a refusal stands beside the field that it is about', () => {
  assert.deepEqual(byField('ohmic: parameter current must be a number from 0.1 to 2 MA, not 5', ['current']), { current: 'must be a number from 0.1 to 2 MA, not 5' });
  assert.deepEqual(byField('T has no phase X; known: INIT', ['phases']), { phases: 'T has no phase X; known: INIT' });
  assert.deepEqual(byField('there are 10 of at most 10 already', ['current']), { '': 'there are 10 of at most 10 already' });
});

test('phases are typed as on the command line', () => {
  const phases = phasesOf('INIT, PULSE STORE?,DUMP!,PARK?+');
  assert.deepEqual(phases.at(-1), { phase: 'PARK', when: 'on_success', closing: true });
  assert.equal(phasesText(phases), 'INIT, PULSE, STORE?, DUMP!, PARK?+');
});

test('a plan is said with its units, its text as text', () => {
  const plan = { kind: 'ohmic', parameters: { gas: 'D2\u202e', current: 1.5 }, repeat: 3, note: 'slow' };
  assert.equal(planName({ ...plan, shot: 12 }), 'ohmic 12');
  assert.equal(planDetails(plan, kind), 'current 1.5 MA · gas D2\\u202e · ×3 · “slow”');
  assert.equal(whoWords(entry('a', { approved_by: 'ben', changed_by: 'anna' })), 'by anna, approved by ben');
});

test('entries are called by their plans where these are known', () => {
  const one = board('0123456789ab');
  const named = (text) => withNames(text, (uid) => one.plan(uid));
  assert.equal(named('changed entry 0123456789ab'), 'changed “ohmic”');
  assert.equal(named('entry ffffffffffff was aborted'), 'entry ffffffffffff was aborted');
  told(one, { type: 'plan_ended', item: { entry: entry('ffffffffffff'), result: {} } });
  assert.equal(named('entry ffffffffffff was aborted'), '“ohmic” was aborted');
});

test('what nobody may miss stands beside the tab’s title', () => {
  assert.equal(noteOf(null), null);
  assert.equal(noteOf(view({ entries: 3 })), '3');
  assert.equal(noteOf(view({ state: 'paused', held: 2, lock: { user: 'anna' } })), 'PAUSED · 2 HELD · locked');
  assert.equal(isUrgent(view({ held: 1 })), true);
  assert.equal(isUrgent(view({ state: 'running' })), false);
});

test('the history is filtered by kind, person, result and text, the latest first', () => {
  const item = (uid, kind_, user, exit_status, message) => ({ entry: entry(uid, { user, plan: { kind: kind_ } }), result: { exit_status, message, tree: 'T', shot: 1 } });
  const items = [item('a', 'ohmic', 'anna', 'completed', ''), item('b', 'gas', 'ben', 'failed', 'CAMERA'), item('c', 'ohmic', 'ben', 'failed', '')];
  const uids = (filter) => filterHistory(items, { kind: '', user: '', result: '', text: '', ...filter }).map((one) => one.entry.uid);
  assert.deepEqual(uids({}), ['c', 'b', 'a']);
  assert.deepEqual(uids({ kind: 'ohmic', user: 'ben' }), ['c']);
  assert.deepEqual(uids({ result: 'failed', text: 'camera' }), ['b']);
});

test('of an exported history only what the filter shows is kept, cells with ends of lines whole', () => {
  const csv = 'uid,kind,note\na,ohmic,"two\nlines, ""b,"""\nb,gas,\nc,ohmic,x\n';
  assert.equal(linesAbout(csv, 'csv', new Set(['a', 'c'])), 'uid,kind,note\na,ohmic,"two\nlines, ""b,"""\nc,ohmic,x\n');
  assert.equal(linesAbout('{"uid":"a"}\n{"uid":"b"}\n', 'jsonl', new Set(['b'])), '{"uid":"b"}\n');
});
