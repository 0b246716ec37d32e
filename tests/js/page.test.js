// What the page keeps beside the shot: subscriptions, the system, servers, log, address, words, time.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readRoute, readSort, readTable, shotNumber, writeRoute, writeSort } from '../../monitor/static/model/route.js';
import { ServerTime } from '../../monitor/static/model/servertime.js';
import { Subscriptions, retryMs } from '../../monitor/static/model/subscriptions.js';
import { Log, Servers, System, filterLog, shownShot } from '../../monitor/static/model/system.js';
import { age, duration, clock, moment, sameDay, useUtc } from '../../monitor/static/model/format.js';
import { statusWords } from '../../monitor/static/model/words.js';

function subscribed() {
  const got = [];
  let again = 0;
  const all = new Subscriptions();
  const frame = all.add('T/1', {
    messages: (messages) => got.push(...messages.map((message) => message.seq)),
    again: () => { again += 1; },
    failed: (error, code) => got.push([error, code]),
    ended: () => got.push('ended'),
  }, { state: true });
  const take = (body) => all.take({ channel: 'T/1', ...body });
  return { all, frame, got, take, again: () => again };
}

const message = (seq, command = 'ACTION') => ({ command, seq });

test('a channel goes on after the last number, in the same life', () => {
  const { all, frame, got, take } = subscribed();
  assert.deepEqual(JSON.parse(frame), { subscribe: 'T/1', state: true });
  take({ subscribed: true, life: 'one', seq: 4 });
  take({ messages: [message(4, 'WHOLE'), message(5)] });
  assert.deepEqual(JSON.parse(all.resume()[0]), { subscribe: 'T/1', since: 5, life: 'one' });
  take({ subscribed: true, life: 'one', seq: 5 });
  take({ messages: [message(5), message(6)] });
  assert.deepEqual(got, [4, 5, 6], 'a repeat is passed over');
});

test('another life of the monitor begins anew with its numbers', () => {
  const { all, got, take, again } = subscribed();
  take({ subscribed: true, life: 'one', seq: 100 });
  take({ messages: [message(100, 'WHOLE')] });
  take({ subscribed: true, life: 'two', seq: 3 });
  take({ messages: [message(3, 'WHOLE'), message(4)] });
  assert.deepEqual(got, [100, 3, 4]);
  assert.equal(again(), 1);
  assert.equal(JSON.parse(all.resume()[0]).since, 4);
});

test('a whole state within the same life counts from its own number', () => {
  const { all, got, take } = subscribed();
  take({ subscribed: true, life: 'one', seq: 1 });
  take({ messages: [message(1, 'WHOLE')] });
  take({ messages: [message(9, 'WHOLE'), message(10)] });
  assert.deepEqual(got, [1, 9, 10]);
  assert.equal(JSON.parse(all.resume()[0]).since, 10);
});

test('errors and ends are told; what has ended is not taken up again', () => {
  const { all, got, take } = subscribed();
  take({ error: 'no such channel', code: 4404 });
  take({ ended: true });
  all.take({ channel: 'OTHER', messages: [message(1)] });
  assert.deepEqual(got, [['no such channel', 4404], 'ended']);
  assert.deepEqual(all.resume(), []);
});

test('what an earlier subscription of the same channel is sent is not taken for the new one', () => {
  const { all, got, take } = subscribed();
  all.remove('T/1');
  all.add('T/1', { messages: (messages) => got.push(...messages.map((one) => `new ${one.seq}`)) });
  take({ subscribed: true, life: 'one', seq: 0 });
  take({ messages: [message(1), message(2)] });
  take({ subscribed: false, was: true });
  take({ messages: [message(3)] });
  take({ subscribed: true, life: 'one', seq: 0 });
  take({ messages: [message(1)] });
  assert.deepEqual(got, ['new 1']);
});

test('the waits between attempts grow, up to a limit', () => {
  assert.ok(retryMs(0, 0) < retryMs(3, 0));
  assert.equal(retryMs(50, 1), 4000);
});

function system(current, ...shots) {
  const one = new System();
  one.apply({ command: 'WHOLE', seq: 1, system: { feed: 'live', current, experiments: ['B'] }, shots });
  return one;
}

test('with only the experiment given the page follows its current shot', () => {
  const shots = [{ tree: 'A', shot: 3 }, { tree: 'A', shot: 12 }, { tree: 'B', shot: 1 }];
  const one = system(['A', 3], ...shots);
  assert.deepEqual(shownShot(one, 'A', null), ['A', 3]);
  assert.deepEqual(shownShot(one, '', null), ['A', 3]);
  assert.deepEqual(shownShot(one, 'B', null), ['B', 1]);
  assert.deepEqual(shownShot(one, 'A', 5), ['A', 5]);
  assert.equal(shownShot(one, 'C', null), null);
  one.apply({ command: 'CURRENT', seq: 2, tree: 'A', shot: 13 });
  assert.deepEqual(shownShot(one, 'A', null), ['A', 13]);
  assert.deepEqual(one.experiments(), ['A', 'B']);
  assert.deepEqual(shownShot(system(null, ...shots), 'A', null), ['A', 12], 'the newest');
});

test('servers: ON first, expected but absent ones too, heartbeats kept', () => {
  const servers = new Servers();
  const server = (name, liveness, more = {}) => ({ server: name, server_class: 'S', server_id: '1', liveness, state: liveness === 'alive' ? 'ON' : 'OFF', ...more });
  servers.apply({ command: 'WHOLE', seq: 1, servers: [server('S:1', 'absent'), server('S:10', 'alive'), server('S:2', 'alive')], heartbeats: { 'S:2': [[1, 0.1]] } });
  assert.deepEqual(servers.sorted().map((one) => one.server), ['S:2', 'S:10', 'S:1']);
  servers.apply({ command: 'SERVER', seq: 2, server: server('S:2', 'alive', { last_seen_at: 2, round_trip_s: 0.2, draining: true }) });
  servers.apply({ command: 'SERVER', seq: 3, server: server('S:2', 'alive', { last_seen_at: 2, round_trip_s: 0.2 }) });
  assert.deepEqual(servers.heartbeats.get('S:2'), [[1, 0.1], [2, 0.2]]);
  for (let at = 3; at < 400; at += 1) servers.apply({ command: 'SERVER', seq: at, server: server('S:2', 'alive', { last_seen_at: at }) });
  assert.equal(servers.heartbeats.get('S:2').length, 120);
  assert.deepEqual(servers.counts(), { ON: 2, SUSPECT: 0, DRAINING: 0, OFF: 1 });
});

test('the log keeps its last lines, and filters by level, source and text', () => {
  const log = new Log(100);
  for (let seq = 1; seq <= 500; seq += 1) {
    log.apply({ command: 'LOG', seq, time: seq, level: seq % 2 ? 'info' : 'error', source: seq % 3 ? 'broker' : 'dispatcher', text: `line ${seq}` });
  }
  assert.ok(log.lines.length <= 110);
  assert.equal(log.lines.at(-1).text, 'line 500');
  assert.deepEqual(log.sources(), ['broker', 'dispatcher']);
  const texts = (filter) => filterLog(log.lines, { level: 'debug', source: '', text: '', ...filter }).map((line) => line.number);
  assert.ok(texts({ level: 'warning' }).every((seq) => seq % 2 === 0));
  assert.ok(texts({ source: 'dispatcher' }).every((seq) => seq % 3 === 0));
  assert.deepEqual(texts({ text: 'LINE 499' }), [499]);
});

test('an address says which tab and shot, and survives nonsense', () => {
  const TABS = ['actions', 'timeline'];
  const route = { tab: 'timeline', about: '', tree: 'DEMO', shot: 12, wrong: '', at: 'X:1', only: 'failed', find: 'a&b=c', show: 'all', filters: { who: 'alice', outcome: 'refused' } };
  assert.deepEqual(readRoute(writeRoute(route), TABS), route);
  assert.equal(writeRoute(readRoute('', TABS)), '#/actions');
  assert.deepEqual(readRoute('#/nothing?shot=x&show=evil&tree=demo', TABS), { tab: 'actions', about: '', tree: 'DEMO', shot: null, wrong: 'x', at: null, only: null, find: '', show: 'auto', filters: {} });
  const unreadable = readRoute('#/actions?tree=DEMO&shot=1e3', TABS);
  assert.equal(unreadable.wrong, '1e3', 'which is not the current shot');
  assert.deepEqual(readRoute(writeRoute(unreadable), TABS), unreadable);
  const about = readRoute('#/server/CAMERA:1%20a?find=x', ['actions', 'server']);
  assert.deepEqual([about.tab, about.about, about.find], ['server', 'CAMERA:1 a', 'x']);
  assert.equal(writeRoute(about), '#/server/CAMERA:1%20a?find=x');
  const evil = readRoute(`#/actions?__proto__=x&A=1&in.node=cam&${'long=' + 'x'.repeat(9000)}`, TABS);
  assert.deepEqual(Object.keys(evil.filters), ['in.node', 'long']);
  assert.equal(evil.filters.long.length, 2000);
  assert.deepEqual(readTable({ 'all.node': 'cam', 'all.sort': '-duration', 'active.sort': 'when' }, 'all'), { filters: { node: 'cam' }, sort: 'duration', descending: true });
  const chosen = readRoute('#/actions?at=CAMERA:ARM&only=failed&all.sort=-duration', TABS);
  assert.deepEqual([chosen.at, chosen.only, readRoute('#/actions?only=evil', TABS).only], ['CAMERA:ARM', 'failed', null]);
  assert.deepEqual(readRoute(writeRoute(chosen), TABS), chosen);
  assert.deepEqual([readSort('-duration'), readSort('node'), readSort()], [{ sort: 'duration', descending: true }, { sort: 'node', descending: false }, { sort: null, descending: false }]);
  assert.deepEqual([writeSort('duration', true), writeSort(null, true)], ['-duration', '']);
  assert.equal(shotNumber('2147483648'), null);
  assert.equal(shotNumber('-1'), -1);
  assert.equal(shotNumber('1e3'), null);
});

test('the log is looked at by server and shot, as words of their own', () => {
  const log = new Log();
  for (const [source, text, more] of [['A:1', 'it began'], ['dispatcher', 'A:10 is lost'], ['dispatcher', 'worker of A:1 died'], ['dispatcher', 'T/1: X failed', { tree: 'T', shot: 1, task_id: 'X' }], ['dispatcher', 'T/12 built']]) {
    log.apply({ command: 'LOG', level: 'info', source, text, ...more });
  }
  const found = (filter) => filterLog(log.lines, { level: 'debug', source: '', text: '', ...filter }).map((line) => line.text);
  assert.deepEqual(found({ server: 'a:1' }), ['it began', 'worker of A:1 died']);
  assert.deepEqual(found({ server: 'A' }), ['it began', 'A:10 is lost', 'worker of A:1 died']);
  assert.deepEqual(found({ shot: 'T/1' }), ['T/1: X failed']);
  assert.deepEqual(found({ shot: 't' }), ['T/1: X failed', 'T/12 built']);
});

test('times are written in the zone that is chosen, and name it', () => {
  useUtc(true);
  assert.equal(moment(1_700_000_000), '2023-11-14 22:13:20 UTC');
  assert.equal(clock(1_700_000_000.25, 3), '22:13:20.250');
  assert.deepEqual([clock(null), moment(undefined)], ['', '']);
  useUtc(false);
  assert.match(moment(1_700_000_000), /^2023-11-1[345] \d\d:\d\d:20 UTC([+−]\d+(:\d\d)?)?$/);
  assert.ok(sameDay(1_700_000_000, 1_700_000_001));
});

test('a status is said with its cause', () => {
  assert.equal(statusWords({ state: 'DONE', status: 'Failure', cause: 'timeout' }), 'Failure, timeout');
  assert.equal(statusWords({ state: 'ABORTED', cause: 'server_lost', outcome_unknown: true }), 'server lost, outcome unknown');
});

test('durations and ages are said as people say them', () => {
  assert.deepEqual([0.004, 9.994, 9.996, 59.96, 61, 3661].map(duration), ['0.00 s', '9.99 s', '10.0 s', '1:00 min', '1:01 min', '1:01 h']);
  assert.equal(duration(null), '');
  assert.deepEqual([-1, 5, 99, 100, 7300].map(age), ['0 s', '5 s', '99 s', '1 min', '2 h']);
});

test('the machines’ clock is told by the freshest answer', () => {
  const time = new ServerTime();
  time.take(100, 160);
  time.take(100, 150);
  time.take(120, 190);
  assert.equal(time.at(200), 150);
  const near = new ServerTime();
  near.take(100, 100.2);
  assert.equal(near.at(200), 200, 'what is within the way’s time is no difference');
});
