/**
 * The alarms as the page knows them: the fold of the channel `alarms`. Pure.
 */

/** @import {Channel} from '../model/channel.js' */
/** @import {Alarm, Message} from '../model/types.js' */

/** @type {Record<string, number>} */
const RANK = { high: 0, medium: 1, low: 2 };

export class AlarmBoard {
  /** By number. @type {Map<number, Alarm>} */ alarms = new Map();
  /** The highest number that an alarm was given. */
  newest = 0;
  known = false;
  /** Rises with every change. */
  version = 0;

  /** @param {Message} message */
  apply(message) {
    this.version += 1;
    this.newest = Math.max(this.newest, message.newest ?? 0);
    if (message.command === 'WHOLE') {
      this.alarms = new Map((message.alarms ?? []).map((one) => [one.number, one]));
      this.newest = message.newest ?? 0;
      this.known = true;
    }
    if (message.command === 'GONE') this.alarms.delete(message.number ?? 0);
    if (message.command === 'ALARM' && message.alarm) {
      const { alarm } = message;
      // One that is raised again after its acknowledgement has a new number, and takes its place.
      for (const other of this.alarms.values()) if (other.key === alarm.key) this.alarms.delete(other.number);
      this.alarms.set(alarm.number, alarm);
    }
  }

  /** Return all that there are: those that call for somebody first, the most severe, the latest. */
  sorted() {
    return [...this.alarms.values()].sort((a, b) => order(a, b));
  }

  /** Return how many call for somebody. */
  get calling() {
    let count = 0;
    for (const one of this.alarms.values()) if (calls(one)) count += 1;
    return count;
  }

  /** Whether one of those is of the highest severity. */
  get grave() {
    return [...this.alarms.values()].some((one) => calls(one) && one.severity === 'high');
  }
}

/** @type {Channel<AlarmBoard>} */
export const ALARMS = { id: 'alarms', state: true, fold: () => new AlarmBoard() };

/** Whether nobody has acknowledged it. @param {Alarm} alarm */
export function isNew(alarm) {
  return (alarm.acked_at ?? null) === null;
}

/** Whether it is quiet for a time. @param {Alarm} alarm */
export function isShelved(alarm) {
  return (alarm.shelved_until ?? null) !== null;
}

/** Whether what it tells of lasts. @param {Alarm} alarm */
export function isActive(alarm) {
  return alarm.active ?? true;
}

/** Whether somebody is to look at it. @param {Alarm} alarm */
export function calls(alarm) {
  return isNew(alarm) && !isShelved(alarm);
}

/** @param {Alarm} a @param {Alarm} b */
function order(a, b) {
  return Number(calls(b)) - Number(calls(a)) || Number(isNew(b)) - Number(isNew(a))
    || RANK[a.severity] - RANK[b.severity] || Number(isActive(b)) - Number(isActive(a)) || b.last_at - a.last_at;
}
