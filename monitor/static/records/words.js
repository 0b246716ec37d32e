/**
 * Data records in words and symbols, for people. Pure.
 */

/** @import {ConsumerView, DiskSpace, RecordState, RecordView, VolumeView} from '../model/types.js' */
/** @import {VolumeAlertKind} from '../model/ledger.js' */
/** @import {Mark} from '../view/flag.js' */
import { age, bytes, percent } from '../model/format.js';
import { readRoute, writeRoute } from '../model/route.js';
import { share } from '../model/system.js';

/** How a record stands: nobody depends on colour. @type {Record<string, {symbol: string, word: string, look: string}>} */
export const STATES = {
  ready: { symbol: '○', word: 'ready', look: 'is-ready' },
  leased: { symbol: '▶', word: 'leased', look: 'is-leased' },
  dead: { symbol: '✗', word: 'dead', look: 'is-dead' },
  orphaned: { symbol: '⊘', word: 'orphaned', look: 'is-orphaned' },
};

/** @type {Record<VolumeAlertKind, Mark>} */
export const ALERTS = {
  trouble: { symbol: '✚', word: 'trouble', look: 'ill' },
  low: { symbol: '▽', word: 'disk', look: 'ill' },
  unwatched: { symbol: '?', word: 'no watcher', look: 'limits' },
  late: { symbol: '◷', word: 'late', look: 'limits' },
  dead: { symbol: '✗', word: 'dead', look: 'limits' },
  kept_out: { symbol: '⊘', word: 'kept out', look: 'tells' },
};

/** @param {RecordState|string} state */
export function stateOf(state) {
  return STATES[state] ?? { symbol: '', word: state, look: '' };
}

/** Return how full a disk is. @param {DiskSpace|null|undefined} disk */
export function diskWords(disk) {
  return disk && disk.total_b ? `${percent(share(disk.total_b - disk.free_b, disk.total_b))}, ${bytes(disk.free_b)} free` : '';
}

/** Return how long something waits. @param {number|null|undefined} at @param {number} now */
export function waits(at, now) {
  return typeof at === 'number' ? age(Math.max(0, now - at)) : '';
}

/** Return how a volume is watched. @param {VolumeView} volume @param {number} now */
export function watchWords({ watched, seen_at: seen, known = 0, waiting = 0, unsent = 0, scanned_at: scanned, trouble }, now) {
  if (trouble) return trouble;
  if (!seen) return 'no watcher';
  if (!watched) return `silent for ${waits(seen, now)}`;
  const parts = [`${known} files known`, waiting && `${waiting} not complete`, unsent && `${unsent} to announce`, scanned && `scanned ${waits(scanned, now)} ago`];
  return parts.filter(Boolean).join(', ');
}

/** Return what a consumer does. @param {ConsumerView} consumer @param {number} now */
export function doesWords({ leased = 0, credits = 0, waiting, seen_at: seen }, now) {
  const parts = [leased ? 'works' : waiting ? 'waits' : '', credits && `has asked for ${credits}`];
  if (!waiting && seen) parts.push(`last heard of ${waits(seen, now)} ago`);
  return parts.filter(Boolean).join(', ');
}

/** Return what stands beside a record's state: whose it is and how long, or why it is as it is. @param {RecordView} record */
export function aboutWords({ state, reason = '', consumer = '' }) {
  if (state === 'leased' || state === 'orphaned') return [consumer, reason].filter(Boolean).join(': ');
  return reason;
}

/** Return the address of a file's story. @param {string} volume @param {string} path */
export function fileAddress(volume, path) {
  return writeRoute({ ...readRoute('', ['file']), about: `${volume}/${path}` });
}

/** Return the address of a list of records. @param {Record<string, string>} filters */
export function recordsAddress(filters) {
  return writeRoute({ ...readRoute('', ['records']), filters });
}

/** Return the file that an address is of. @param {string} about */
export function fileOf(about) {
  const at = about.indexOf('/');
  return at < 0 ? { volume: about, path: '' } : { volume: about.slice(0, at), path: about.slice(at + 1) };
}

/** Return how many of something there are. @param {number} count @param {string} one */
export function many(count, one) {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}

/** Return a pattern that fits this very path. @param {string} path */
export function exactly(path) {
  return path.replace(/[[*?]/g, '[$&]');
}
