/**
 * A shot as the page knows it: the fold of its channel's messages. Pure.
 *
 * All that changes a row is here. Every change gives the row a new `version`, so that whoever draws
 * knows what to draw again.
 */

/** @import {ActionView, Category, Colour, Estimate, Message, RunView, ShotView, Transition} from './types.js' */
import { categoryOf, colourOf } from './words.js';

/** Causes of actions that a run of their phase leaves as they are. */
const NOT_RESET = new Set(['off', 'asynchronous', 'unreadable', 'bad_number']);

/**
 * One action: what the tree declares (`view`) and what has become of it.
 * @typedef {object} Row
 * @property {string} tree
 * @property {number} shot
 * @property {number} index place in the table's order
 * @property {string} path
 * @property {ActionView} view
 * @property {Transition} last
 * @property {boolean} failed
 * @property {Colour} colour
 * @property {Category} category
 * @property {string} waits
 * @property {number|null} progress 0 to 1
 * @property {string} progressText
 * @property {string[]} events what became of its completion events, in words
 * @property {number} version
 */

/** @returns {Record<Category, number>} */
export function noCounts() {
  return { failed: 0, server_off: 0, in_progress: 0, pending: 0, success: 0, not_dispatched: 0 };
}

/** What the page knows of one shot. */
export class Shot {
  /**
   * @param {string} tree
   * @param {number} shot
   */
  constructor(tree, shot) {
    this.tree = tree;
    this.shot = shot;
    this.version = 0;
    /** Whether the whole state has arrived. */
    this.known = false;
    /** Why there is nothing to show, in words. */
    this.problem = '';
    /** @type {ShotView|null} */
    this.view = null;
    /** @type {Row[]} */
    this.rows = [];
    /** @type {Map<string, Row>} */
    this.byPath = new Map();
    /** @type {Map<number, RunView>} */
    this.runs = new Map();
    /** @type {Map<string, number>} */
    this.medians = new Map();
    /** @type {Estimate|null} */
    this.estimate = null;
    /** Changes whenever the rows themselves are others. */
    this.generation = 0;
  }

  get name() {
    return `${this.tree}/${this.shot}`;
  }

  /** Return the run that is open, or else the last one. @returns {RunView|null} */
  get run() {
    /** @type {RunView|null} */
    let newest = null;
    for (const run of this.runs.values()) {
      if (run.state !== 'ended') return run;
      if (newest === null || run.run > newest.run) newest = run;
    }
    return newest;
  }

  /** Return the phase that the shot is in: the open run's, or else the last run's. */
  get phase() {
    return this.run?.phase || this.view?.phases?.[0] || '';
  }

  /** Return whether an action of the shot is on its way. */
  get busy() {
    const run = this.run;
    return run !== null && run.state !== 'ended';
  }

  /** Return the actions of the current phase: an open run's own, too, where it has others. */
  activeRows() {
    const { phase, run } = this;
    const number = run !== null && run.state !== 'ended' ? run.run : null;
    return this.rows.filter(
      (row) => row.view.phase === phase || (number !== null && row.last.run === number),
    );
  }

  /**
   * Count rows by category.
   * @param {Row[]} [rows]
   */
  counts(rows = this.rows) {
    const counts = noCounts();
    for (const row of rows) counts[row.category] += 1;
    return counts;
  }

  /** Count rows of each phase by category, in the phases' order. */
  countsByPhase() {
    /** @type {Map<string, Record<Category, number>>} */
    const phases = new Map((this.view?.phases ?? []).map((phase) => [phase, noCounts()]));
    for (const row of this.rows) {
      const phase = row.view.phase ?? '';
      let counts = phases.get(phase);
      if (!counts) phases.set(phase, (counts = noCounts()));
      counts[row.category] += 1;
    }
    for (const [phase, counts] of phases) {
      if (Object.values(counts).every((count) => count === 0)) phases.delete(phase);
    }
    return phases;
  }

  /**
   * Take one message of the shot's channel.
   * @param {Message} message
   */
  apply(message) {
    this.version += 1;
    switch (message.command) {
      case 'WHOLE':
        this.#whole(message);
        break;
      case 'ACTION':
      case 'TASK':
        if (message.task_id && message.action) this.#action(message.task_id, message);
        break;
      case 'PROGRESS':
        this.#progress(message);
        break;
      case 'RUN_OPENED':
        this.#runOpened(message);
        break;
      case 'RUN_CHANGED':
        if (typeof message.run === 'object') this.#run(message.run);
        break;
      case 'MEDIANS':
        this.medians = new Map(Object.entries(message.medians ?? {}));
        break;
      case 'ESTIMATE':
        this.estimate = estimateOf(message);
        break;
      case 'WAITS':
        this.#waits(message.waits ?? {});
        break;
      case 'EVENT':
        this.#event(message);
        break;
      case 'NODE':
        this.#node(message);
        break;
      default: // PULSE, LATE, REDISPATCHED, CHECK_RESET, CUT: nothing that the tables show
    }
  }

  /** @param {Message} message */
  #whole(message) {
    this.known = true;
    this.problem = '';
    this.generation += 1;
    this.view = message.shot ?? null;
    this.runs = new Map((message.shot?.runs ?? []).map((run) => [run.run, run]));
    this.medians = new Map(Object.entries(message.medians ?? {}));
    this.estimate = message.estimate ? estimateOf(message.estimate) : null;
    this.rows = (message.actions ?? []).map((view, index) => this.#row(view, index));
    this.byPath = new Map(this.rows.map((row) => [row.path, row]));
  }

  /**
   * @param {ActionView} view
   * @param {number} index
   * @returns {Row}
   */
  #row(view, index) {
    const colour = view.colour ?? colourOf(view.last);
    const failed = view.failed ?? false;
    return {
      tree: this.tree,
      shot: this.shot,
      index,
      path: view.path,
      view,
      last: view.last,
      failed,
      colour,
      category: categoryOf(colour, failed),
      waits: view.waits_for ?? '',
      progress: view.progress ?? null,
      progressText: view.progress_text ?? '',
      events: [],
      version: this.version,
    };
  }

  /**
   * @param {string} path
   * @param {Message} message
   */
  #action(path, message) {
    const row = this.byPath.get(path);
    if (!row || !message.action) return;
    const last = message.action;
    if (last.state !== 'DOING' || last.attempt !== row.last.attempt) {
      row.progress = null;
      row.progressText = '';
    }
    if (last.attempt !== row.last.attempt) row.events = [];
    row.last = last;
    row.failed = message.failed ?? false;
    row.colour = message.colour ?? colourOf(last);
    row.category = categoryOf(row.colour, row.failed);
    if (last.state !== 'NOT_DISPATCHED' || last.cause) row.waits = '';
    row.version = this.version;
  }

  /** @param {Message} message */
  #progress(message) {
    const row = this.byPath.get(message.task_id ?? '');
    if (!row || row.last.state !== 'DOING') return;
    row.progress = message.progress ?? 0;
    row.progressText = message.text ?? '';
    row.version = this.version;
  }

  /** @param {Message} message */
  #runOpened(message) {
    if (typeof message.run !== 'object') return;
    const run = message.run;
    this.#run(run);
    this.estimate = null;
    const paths = message.paths
      ? message.paths
      : this.rows
          .filter((row) => row.view.phase === run.phase && !NOT_RESET.has(row.last.cause ?? ''))
          .map((row) => row.path);
    for (const path of paths) {
      const row = this.byPath.get(path);
      if (!row) continue;
      row.last = { state: 'NOT_DISPATCHED', run: run.run, attempt: row.last.attempt ?? 0 };
      row.failed = false;
      row.colour = 'blue';
      row.category = 'pending';
      row.waits = '';
      row.progress = null;
      row.progressText = '';
      row.version = this.version;
    }
  }

  /** @param {RunView} run */
  #run(run) {
    this.runs.set(run.run, run);
    if (run.state === 'ended') this.estimate = this.estimate && { ...this.estimate, remaining_s: null };
  }

  /** @param {Record<string, string>} waits */
  #waits(waits) {
    for (const [path, text] of Object.entries(waits)) {
      const row = this.byPath.get(path);
      if (!row) continue;
      row.waits = text;
      row.version = this.version;
    }
  }

  /** A node was read again. @param {Message} message */
  #node(message) {
    const row = this.byPath.get(message.task_id ?? '');
    if (!row || !message.view) return;
    row.view = message.view;
    row.version = this.version;
  }

  /** @param {Message} message */
  #event(message) {
    const record = message.record;
    const row = this.byPath.get(record?.path ?? '');
    if (!row || !record) return;
    const words = `${record.event ?? ''}: ${(record.outcome ?? '').replaceAll('_', ' ')}`;
    row.events = [...row.events.slice(-9), record.reason ? `${words} (${record.reason})` : words];
    row.version = this.version;
  }
}

/**
 * @param {Estimate|Message} message
 * @returns {Estimate}
 */
function estimateOf(message) {
  return {
    run: typeof message.run === 'number' ? message.run : undefined,
    remaining_s: message.remaining_s ?? null,
    known: message.known ?? 0,
    critical: message.critical ?? [],
    slow: message.slow ?? [],
  };
}
