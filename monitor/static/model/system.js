/**
 * What the page knows beside the shot: the system, the servers, the log. Folds of channels. Pure.
 */

/** @import {Channel} from './channel.js' */
/** @import {FleetView, HostSample, Message, ServerState, ServerView, ShotView, SystemView} from './types.js' */
import { age } from './format.js';
import { SERVER_ORDER, byName } from './words.js';

/** The dispatcher, the journal, the feed, and the shots that are known. */
export class System {
  constructor() {
    /** @type {SystemView} */
    this.view = { broker: '', version: '', life: '', feed: 'connecting' };
    /** @type {Map<string, ShotView>} */
    this.shots = new Map();
    this.version = 0;
    this.known = false;
    /** The last line of the audit that was told of. */
    this.audited = '';
  }

  /** @param {Message} message */
  apply(message) {
    this.version += 1;
    if (message.command === 'WHOLE') {
      this.known = true;
      this.shots = new Map((message.shots ?? []).map((shot) => [`${shot.tree}/${shot.shot}`, shot]));
    }
    if (message.system) this.view = message.system;
    if (message.command === 'SHOT' && message.shot && typeof message.shot === 'object') {
      this.shots.set(`${message.shot.tree}/${message.shot.shot}`, message.shot);
    }
    if (message.command === 'AUDIT') this.audited = message.last ?? '';
    if (message.command === 'GONE') this.shots.delete(`${message.tree}/${message.shot}`);
    if (message.command === 'CURRENT') {
      const { tree, shot } = message;
      this.view = {
        ...this.view,
        current: tree && typeof shot === 'number' ? [tree, shot] : null,
      };
    }
  }

  /** Return the names of the experiments that are known, in order. */
  experiments() {
    const names = new Set(this.view.experiments ?? []);
    for (const shot of this.shots.values()) names.add(shot.tree);
    return [...names].sort();
  }

  /**
   * Return the shots of an experiment, the highest first.
   * @param {string} tree
   */
  shotsOf(tree) {
    return [...this.shots.values()].filter((one) => one.tree === tree).sort((a, b) => b.shot - a.shot);
  }
}

/** @type {Channel<System>} */
export const SYSTEM = { id: 'system', state: true, fold: () => new System() };

/**
 * Return which shot to show: the one that is asked for; with only the experiment given its current
 * one, else its newest; with nothing given the current one of all.
 * @param {System} system
 * @param {string} tree
 * @param {number|null} shot
 * @returns {[string, number]|null}
 */
export function shownShot(system, tree, shot) {
  const current = system.view.current ?? null;
  if (tree && shot !== null) return [tree, shot];
  if (!tree) {
    if (current) return shot === null ? current : [current[0], shot];
    const newest = [...system.shots.values()].sort((a, b) => (b.built_at ?? 0) - (a.built_at ?? 0))[0];
    return newest ? [newest.tree, shot ?? newest.shot] : null;
  }
  if (current && current[0] === tree) return current;
  const newest = system.shotsOf(tree)[0];
  return newest ? [tree, newest.shot] : null;
}

const HEARTBEATS_MAX = 120;
const SAMPLE_S = 60;
const SAMPLES_MAX = 60;

/** Return what a server has told of its host last, as the monitor keeps it. @param {ServerView} server @returns {HostSample|null} */
export function sampleOf({ facts, last_seen_at: at, busy }) {
  const host = facts?.host;
  if (!host || !at) return null;
  const disk = Math.max(0, ...(host.disks ?? []).map((one) => share(one.total_b - one.free_b, one.total_b)));
  return [at, host.cpu_percent, host.load_1, share(host.memory_used_b, host.memory_total_b), share(host.swap_used_b ?? 0, host.swap_total_b ?? 0), disk, host.temperature_c ?? null, busy?.length ?? 0];
}

/** Return a share in percent. @param {number} used @param {number} total */
export function share(used, total) {
  return total > 0 ? (100 * used) / total : 0;
}

/** The action servers and their last heartbeats. */
export class Servers {
  constructor() {
    /** @type {Map<string, ServerView>} */
    this.byName = new Map();
    /** @type {Map<string, [number, number|null][]>} */
    this.heartbeats = new Map();
    /** What each has told of its host, the latest last. @type {Map<string, HostSample[]>} */
    this.samples = new Map();
    /** All of the fleet but its servers; null: nothing is told of it. @type {FleetView|null} */
    this.fleet = null;
    this.version = 0;
  }

  /** @type {string[]} */
  #sorted = [];

  /** @param {Message} message */
  apply(message) {
    this.version += 1;
    if (message.command === 'WHOLE') {
      this.byName = new Map((message.servers ?? []).map((server) => [server.server, server]));
      this.heartbeats = new Map(Object.entries(message.heartbeats ?? {}));
      this.samples = new Map(Object.entries(message.samples ?? {}));
      this.fleet = message.fleet ?? null;
    } else if (message.command === 'FLEET') {
      this.fleet = message.fleet ?? null;
    } else if (message.command === 'SERVER' && message.server && typeof message.server === 'object') {
      const server = message.server;
      this.byName.set(server.server, server);
      this.#beat(server);
      this.#sample(server);
    } else if (message.command === 'GONE') {
      this.byName.delete(message.task_id ?? '');
      this.heartbeats.delete(message.task_id ?? '');
      this.samples.delete(message.task_id ?? '');
    }
  }

  /**
   * Return in words that a server is there and has been silent for too long; empty while it is not.
   * @param {string|null|undefined} name
   * @param {number} now
   */
  silence(name, now) {
    const server = name ? this.byName.get(name) : undefined;
    if (!server || server.state !== 'SUSPECT') return '';
    const at = server.last_seen_at ?? null;
    return at === null ? `${server.server} is silent` : `${server.server} silent for ${age(now - at)}`;
  }

  /** Return the servers, ON first, then by name. */
  sorted() {
    const names = this.#names();
    /** @type {ServerView[][]} */
    const byState = [[], [], [], []];
    for (const name of names) {
      const server = /** @type {ServerView} */ (this.byName.get(name));
      byState[SERVER_ORDER[server.state]].push(server);
    }
    return byState.flat();
  }

  /** Return the names in order, sorted anew only when there are others. */
  #names() {
    if (this.#sorted.length !== this.byName.size || !this.#sorted.every((name) => this.byName.has(name))) {
      this.#sorted = [...this.byName.keys()].sort(byName);
    }
    return this.#sorted;
  }

  /** @returns {Record<ServerState, number>} */
  counts() {
    const counts = { ON: 0, SUSPECT: 0, DRAINING: 0, OFF: 0 };
    for (const server of this.byName.values()) counts[server.state] += 1;
    return counts;
  }

  /** Keep what a server tells of its host, the newest in the last one's place. @param {ServerView} server */
  #sample(server) {
    const sample = sampleOf(server);
    if (!sample) return;
    const kept = this.samples.get(server.server) ?? [];
    const before = kept.at(-2);
    const rest = before && sample[0] - before[0] < SAMPLE_S ? kept.slice(0, -1) : kept;
    this.samples.set(server.server, [...rest, sample].slice(-SAMPLES_MAX));
  }

  /** @param {ServerView} server */
  #beat(server) {
    const at = server.last_seen_at;
    if (at === null || at === undefined) return;
    const beats = this.heartbeats.get(server.server) ?? [];
    const last = beats.at(-1);
    if (last && last[0] >= at) return;
    beats.push([at, server.round_trip_s ?? null]);
    if (beats.length > HEARTBEATS_MAX) beats.splice(0, beats.length - HEARTBEATS_MAX);
    this.heartbeats.set(server.server, beats);
  }
}

/** @type {Channel<Servers>} */
export const SERVERS = { id: 'servers', state: true, fold: () => new Servers() };

export const LEVELS = ['debug', 'info', 'warning', 'error', 'critical'];

/**
 * @typedef {object} LogLine
 * @property {number} number of this page's own, which is never used for another line
 * @property {number} at
 * @property {string} level
 * @property {string} source
 * @property {string} text
 * @property {{tree: string, shot: number, path: string}|null} about the action that it is about
 */

/** The last lines of all daemons' logs. */
export class Log {
  /** @param {number} [limit] */
  constructor(limit = 5000) {
    this.limit = limit;
    /** @type {LogLine[]} */
    this.lines = [];
    this.next = 0;
    this.version = 0;
  }

  /** @param {Message} message */
  apply(message) {
    if (message.command !== 'LOG' && message.command !== 'CUT') return;
    this.version += 1;
    this.next += 1;
    this.lines.push({
      number: this.next,
      at: message.time ?? 0,
      level: message.level ?? 'info',
      source: message.source ?? 'monitor',
      text:
        message.command === 'CUT'
          ? `lines were left out here: ${message.reason ?? ''}`
          : (message.text ?? ''),
      about: aboutOf(message),
    });
    if (this.lines.length > this.limit * 1.1) {
      this.lines.splice(0, this.lines.length - this.limit);
    }
  }

  /** Forget all: the monitor began a new life, and tells its history again. */
  clear() {
    this.lines = [];
    this.version += 1;
  }

  /** Return the sources that have written, in order. */
  sources() {
    return [...new Set(this.lines.map((line) => line.source))].sort();
  }
}

/** @type {Channel<Log>} */
export const LOG = { id: 'log', state: false, fold: () => new Log() };

/** @param {Message} message @returns {LogLine['about']} */
function aboutOf({ tree, shot, task_id: path }) {
  return tree && typeof shot === 'number' && path ? { tree, shot, path } : null;
}

/**
 * What is looked at of the log.
 * @typedef {object} LogFilter
 * @property {string} level this or above
 * @property {string} source the daemon or server that has written; empty: all
 * @property {string} text
 * @property {string} [server] that it is about, or from; or a class of servers
 * @property {string} [shot] TREE/SHOT, or TREE, that it is about
 */

/**
 * Return the lines that fit. A line is about a server or a shot where it names it.
 * @param {LogLine[]} lines
 * @param {LogFilter} filter
 */
export function filterLog(lines, filter) {
  const least = Math.max(0, LEVELS.indexOf(filter.level));
  const text = filter.text.trim().toLowerCase();
  const server = naming((filter.server ?? '').trim());
  const shot = naming((filter.shot ?? '').trim());
  if (least === 0 && !filter.source && !text && !server && !shot) return lines;
  return lines.filter(
    (line) =>
      LEVELS.indexOf(line.level) >= least &&
      (!filter.source || line.source === filter.source) &&
      (!text || line.text.toLowerCase().includes(text) || line.source.toLowerCase().includes(text)) &&
      (!server || server(line.source) || server(line.text)) &&
      (!shot || (line.about !== null && shot(`${line.about.tree}/${line.about.shot}`)) || shot(line.text)),
  );
}

/**
 * Return what tells whether a text has a name as a word of its own: `A:1` is not in `A:10`. Null
 * where there is no name.
 * @param {string} name
 * @returns {((text: string) => boolean)|null}
 */
function naming(name) {
  if (!name) return null;
  const low = name.toLowerCase();
  const part = /[\p{L}\p{N}_-]/u;
  return (text) => {
    const within = text.toLowerCase();
    for (let at = within.indexOf(low); at >= 0; at = within.indexOf(low, at + 1)) {
      if (!part.test(within[at - 1] ?? ' ') && !part.test(within[at + low.length] ?? ' ')) return true;
    }
    return false;
  };
}
