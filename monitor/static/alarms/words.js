/**
 * Alarms in words. Pure.
 */

/** @import {Alarm} from '../model/types.js' */
import { clock, moment } from '../model/format.js';
import { plain } from '../model/words.js';
import { isActive, isNew, isShelved } from './board.js';

/** @type {Record<string, string>} */
const WHAT = {
  action: 'Action failed',
  actions: 'Actions failed',
  held: 'Run HELD',
  server: 'Server lost',
  daemon: 'Away',
  command: 'Nobody was told',
  keeping: 'Shots not kept',
  overflow: 'Too many alarms',
};

/** @type {Record<string, string>} */
export const SYMBOL = { high: '▲', medium: '◆', low: '▽' };

/** @param {Alarm} alarm */
export function whatOf(alarm) {
  return WHAT[alarm.kind] ?? alarm.kind;
}

/** @param {Alarm} alarm */
export function stateOf(alarm) {
  const state = isActive(alarm) ? 'active' : 'cleared';
  if (isShelved(alarm)) return `shelved, ${state}`;
  return isNew(alarm) ? state : `${state}, acknowledged`;
}

/** Return what it says. @param {Alarm} alarm */
export function textOf(alarm) {
  if (alarm.kind !== 'actions') return plain(alarm.text);
  const { failing = 0, members = 0, names = [] } = alarm;
  const named = names.slice(-5).map(plain).join(', ');
  return `${failing} of ${members} further actions of the phase are failed, the last ones ${named}. The last: ${plain(alarm.text)}`;
}

/** Return since when, and how often. @param {Alarm} alarm */
export function timesOf(alarm) {
  const { times = 1 } = alarm;
  return times > 1 ? `${times} times, first ${moment(alarm.first_at)}, last ${clock(alarm.last_at)}` : moment(alarm.last_at);
}

/** Return what has become of it, a line each. @param {Alarm} alarm @returns {string[]} */
export function storyOf(alarm) {
  const lines = [];
  if (!isActive(alarm) && alarm.cleared_at) lines.push(`Cleared ${moment(alarm.cleared_at)}: ${plain(alarm.cleared ?? '')}`);
  if (alarm.acked_at) {
    const note = alarm.note ? `: ${plain(alarm.note)}` : '';
    lines.push(`Acknowledged ${moment(alarm.acked_at)} by ${plain(alarm.acked_by || 'somebody')}${note}`);
  }
  if (alarm.shelved_until) {
    lines.push(`Shelved until ${moment(alarm.shelved_until)} by ${plain(alarm.shelved_by || 'somebody')}: ${plain(alarm.shelved_why ?? '')}`);
  }
  if (alarm.told === 'told') lines.push('The alarm command was told.');
  if (alarm.told === 'perhaps') lines.push(`The alarm command was perhaps not told: ${plain(alarm.told_text ?? '')}`);
  if (alarm.told === 'failed') lines.push(`The alarm command was not told: ${plain(alarm.told_text ?? '')}`);
  return lines;
}

/** Return whether it is one that is searched for. @param {Alarm} alarm @param {string} find in lower case */
export function fits(alarm, find) {
  return [alarm.about, alarm.text, alarm.help, alarm.contact, alarm.note, alarm.acked_by, alarm.server, ...(alarm.names ?? [])]
    .some((one) => (one ?? '').toLowerCase().includes(find));
}
