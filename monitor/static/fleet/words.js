/**
 * The fleet in words and symbols, for people. Pure.
 */

/** @import {Alert, AlertKind, Flag, FlagKind, FleetTotals, FleetView, Hours, ServerSettings, ServerState, ServerView, Window} from '../model/types.js' */
import { duration, moment, percent, when } from '../model/format.js';
import { readRoute, writeRoute } from '../model/route.js';
import { share } from '../model/system.js';
import { byName, plain } from '../model/words.js';

/** A symbol and a word for each: nobody depends on colour. @type {Record<FlagKind, {symbol: string, word: string, look: string}>} */
export const FLAGS = {
  failing: { symbol: '✚', word: 'failing', look: 'ill' },
  stuck: { symbol: '⊘', word: 'stuck', look: 'ill' },
  leaving: { symbol: '⇥', word: 'leaving', look: 'limits' },
  draining: { symbol: '▽', word: 'draining', look: 'limits' },
  out_of_hours: { symbol: '☾', word: 'out of hours', look: 'limits' },
  limited: { symbol: '◔', word: 'limited', look: 'tells' },
  differs: { symbol: '≠', word: 'differs', look: 'tells' },
};

/** @type {Record<AlertKind, {symbol: string, word: string, look: string}>} */
export const ALERTS = {
  failing: { symbol: '✚', word: 'failing', look: 'ill' },
  stuck: { symbol: '⊘', word: 'stuck', look: 'ill' },
  lost: { symbol: '○', word: 'lost', look: 'ill' },
  late: { symbol: '▽', word: 'late', look: 'ill' },
  missing: { symbol: '?', word: 'missing', look: 'limits' },
  window: { symbol: '◷', word: 'window', look: 'limits' },
  differs: { symbol: '≠', word: 'differs', look: 'tells' },
};

/** Return who said so, when, and until when, in brackets; '' where nothing is known. @param {Flag} flag */
export function flagSource({ by, at, until }) {
  const parts = [by && plain(by), at && `since ${when(at)}`, until && `until ${when(until)}`].filter(Boolean);
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}

/** Return a flag with its reason, person and time. @param {Flag} flag */
export function flagWords(flag) {
  const { word } = FLAGS[flag.kind];
  const reason = plain(flag.reason ?? '');
  return `${reason.startsWith(word) ? '' : `${word}${reason ? ': ' : ''}`}${reason}${flagSource(flag)}`;
}

/** Return why a server is as it is: its flags, and what else keeps it. @param {ServerView} server */
export function whyWords(server) {
  const parts = [...(server.flags ?? [])].sort((one, other) => rank(one) - rank(other)).map(flagWords);
  if (server.state !== 'ON' && server.why) parts.unshift(plain(server.why));
  if (server.trouble) parts.push(plain(server.trouble));
  return [...new Set(parts)].join('; ');
}

/** Return the reasons of a server's flags, which are named beside it; or why it is not there. @param {ServerView} server */
export function reasonWords(server) {
  const parts = [...(server.flags ?? [])].sort((one, other) => rank(one) - rank(other)).map((flag) => `${plain(flag.reason ?? '')}${flagSource(flag)}`.trim());
  if (server.state !== 'ON' && server.why) parts.unshift(plain(server.why));
  if (server.trouble) parts.push(plain(server.trouble));
  return [...new Set(parts)].filter(Boolean).join('; ');
}

/** @param {Flag} flag */
function rank({ kind }) {
  return Object.keys(FLAGS).indexOf(kind);
}

/** Return how a server stands, in words. @param {{state: ServerState, liveness?: ServerView['liveness']}} server */
export function stateWord({ state, liveness }) {
  if (state !== 'OFF') return state;
  return liveness === 'absent' ? 'ABSENT' : 'LOST';
}

/** Return its slots: in use, usable, its own. @param {ServerView} server */
export function slotsWords({ slots = 0, usable = 0, busy = [], stuck = 0, broken = 0, flags = [] }) {
  if (!slots) return '';
  const of = usable !== slots ? `${usable} of ${slots}` : String(slots);
  const parts = [`${Math.min(busy.length, slots)} / ${of}`];
  if (flags.some(({ kind }) => kind === 'stuck')) return parts[0]; // it says which
  if (stuck) parts.push(`${stuck} STUCK`);
  if (broken) parts.push(`${broken} BROKEN`);
  return parts.join(', ');
}

/** Return what a server is set to, a line for each. @param {ServerSettings|null|undefined} settings */
export function settingsWords(settings) {
  if (!settings) return [];
  const { slots, hours, quit_after: quit, drain, heartbeat_s: beat } = settings;
  const found = [];
  if (slots !== null && slots !== undefined) found.push(slots < 0 ? `slots: all but ${-slots}` : `slots: ${slots}`);
  if (hours) found.push(`hours: ${hoursWords(hours)}`);
  if (quit) found.push(quit.n === 0 ? 'takes nothing more, and ends' : `ends after ${quit.n} more ${quit.unit ?? 'actions'}`);
  if (drain) {
    const until = drain.deadline ? `, what runs is ended at ${when(drain.deadline)}` : '';
    found.push(`drain (${drain.mode ?? 'finish'})${until}, then ${drain.then ?? 'stay'}`);
  }
  if (beat) found.push(`heartbeat: every ${duration(beat)}`);
  return found;
}

/** @param {Hours} hours */
export function hoursWords({ start, stop, end, zone }) {
  const parts = [start && `from ${start}`, stop && `nothing new from ${stop}`, end && `ended at ${end}`];
  return `${parts.filter(Boolean).join(', ')} ${plain(zone ?? 'UTC')}`;
}

/** Return when and how often a maintenance window comes. @param {Window} window */
export function windowWords({ begins_at: begins, duration_s: length, repeat, zone, until, mode }) {
  const often = { once: '', daily: ', daily', weekdays: ', Monday to Friday', weekly: ', weekly' }[repeat ?? 'once'];
  const last = until ? `, until ${moment(until)}` : '';
  return `${moment(begins)} for ${duration(length)}${often}${last}${often ? ` (${plain(zone ?? 'UTC')})` : ''}${mode === 'now' ? ', what runs is ended' : ''}`;
}

/** Return which servers are meant. @param {Window['select']} select */
export function selectWords({ classes = [], hosts = [], labels = [], servers = [] }) {
  const parts = [['class', classes], ['host', hosts], ['label', labels], ['', servers]]
    .map(([word, list]) => (list.length > 0 ? `${word} ${/** @type {string[]} */ (list).join(', ')}`.trim() : ''));
  return plain(parts.filter(Boolean).join('; ')) || 'all servers';
}

/**
 * Return what to look at, what is worst first.
 * @param {FleetView|null} fleet
 * @returns {Alert[]}
 */
export function alertsOf(fleet) {
  const order = Object.keys(ALERTS);
  return [...(fleet?.alerts ?? [])].sort((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind) || byName(one.about, other.about));
}

/** Count servers. @param {ServerView[]} servers @returns {Required<FleetTotals>} */
export function totals(servers) {
  const found = { hosts: 0, servers: servers.length, alive: 0, suspect: 0, lost: 0, absent: 0, slots: 0, usable: 0, busy: 0, done: 0, failed: 0, cpu_time_s: 0 };
  const hosts = new Set();
  for (const server of servers) {
    found[server.liveness] += 1;
    if (server.host) hosts.add(server.host);
    if (server.state === 'OFF') continue;
    found.slots += server.slots ?? 0;
    found.usable += server.usable ?? 0;
    found.busy += Math.min((server.busy ?? []).length, server.slots ?? 0);
    found.done += server.facts?.done ?? 0;
    found.failed += server.facts?.failed ?? 0;
    found.cpu_time_s += server.facts?.cpu_time_s ?? 0;
  }
  found.hosts = hosts.size;
  return found;
}

/** Return how a host is, by the last word of one of its servers. @param {ServerView[]} servers all on it */
export function hostWords(servers) {
  const [last] = servers.filter(({ state, facts }) => state !== 'OFF' && facts?.host).sort((one, other) => (other.last_seen_at ?? 0) - (one.last_seen_at ?? 0));
  const host = last?.facts?.host;
  if (!host) return '';
  const parts = [`CPU ${percent(host.cpu_percent)} of ${host.cpus}`, `memory ${percent(share(host.memory_used_b, host.memory_total_b))}`, `load ${host.load_1.toFixed(2)}`];
  if (typeof host.temperature_c === 'number') parts.push(`${Math.round(host.temperature_c)} °C`);
  return parts.join(', ');
}

/** @typedef {'none'|'host'|'class'|'label'} Grouping */

/** Return the groups of a server. @param {ServerView} server @param {Grouping} by @returns {string[]} */
export function groupsOf(server, by) {
  if (by === 'host') return [server.host || 'no host known'];
  if (by === 'class') return [server.server_class];
  if (by === 'label') return server.labels && server.labels.length > 0 ? server.labels : ['no label'];
  return [''];
}

/**
 * Return servers by group, the groups by their names; within each in the order given.
 * @param {ServerView[]} servers
 * @param {Grouping} by
 * @returns {[string, ServerView[]][]}
 */
export function grouped(servers, by) {
  /** @type {Map<string, ServerView[]>} */
  const found = new Map();
  for (const server of servers) {
    for (const group of groupsOf(server, by)) found.set(group, [...(found.get(group) ?? []), server]);
  }
  return [...found].sort(([one], [other]) => byName(one, other));
}

/** Return the address of a server's page. @param {string} name */
export function serverAddress(name) {
  return writeRoute({ ...readRoute('', ['server']), about: name });
}

/** Return the parts of what a server runs, `TREE/SHOT PATH`. @param {string} text */
export function busyParts(text) {
  const found = /^([^/\s]+)\/(-?\d+) (.+)$/s.exec(text);
  return found ? { tree: found[1], shot: Number(found[2]), path: found[3] } : null;
}
