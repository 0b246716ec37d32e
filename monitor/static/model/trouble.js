/**
 * Who is away, what goes on all the same, and what helps: in words. Pure.
 */

/** @import {System} from './system.js' */
import { clock } from './format.js';

/** Of what still runs so many are named. */
const NAMED = 3;

/**
 * @typedef {object} Trouble
 * @property {string} what is wrong, and since when
 * @property {string} effect what goes on, and what does not
 * @property {string} command that helps; empty where none does
 * @property {boolean} grave
 */

/**
 * Return what is wrong, null where all is well.
 * @param {System} system
 * @param {{connected: boolean, lostAt: number|null, running: string[]}} page
 * @returns {Trouble|null}
 */
export function troubleOf(system, { connected, lostAt, running }) {
  const { view } = system;
  if (!connected) {
    if (lostAt === null) return null; // it has only just been opened
    return {
      what: `The monitor is away since ${clock(lostAt)}.`,
      effect: `The shot goes on without it; what is shown is old. ${stillRuns(running)}`,
      command: restart('shotline-monitor'),
      grave: true,
    };
  }
  if (view.feed === 'stopped') {
    const since = view.feed_stopped_at ? ` since ${clock(view.feed_stopped_at)}` : '';
    const who = view.away ?? 'dispatcher';
    return {
      what: `The ${who} is away${since}.`,
      effect: `Nothing new starts until it is back; what is shown is old. ${stillRuns(running)}`,
      command: restart(`shotline-${who}`),
      grave: true,
    };
  }
  if (view.journal === 'degraded' || view.journal === 'stopped') {
    const full = view.journal === 'stopped';
    return {
      what: full ? 'Redis is away, and the spill file takes no more.' : 'Redis is away.',
      effect: full
        ? `Nothing new starts. ${stillRuns(running)}`
        : 'The shot goes on; what happens is kept in the spill file until Redis is back.',
      command: restart('redis-server'),
      grave: full,
    };
  }
  return null;
}

/** @param {string[]} running */
function stillRuns(running) {
  if (running.length === 0) return 'No action of this shot was running.';
  const named = running.slice(0, NAMED).join(', ');
  const more = running.length > NAMED ? ` and ${running.length - NAMED} more` : '';
  return `Running on in their servers: ${named}${more}.`;
}

/** @param {string} unit */
function restart(unit) {
  return `systemctl restart ${unit}, or: shotline up start`;
}
