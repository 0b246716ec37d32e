/**
 * A shot as the page knows it: the fold of its channel's messages. Pure.
 *
 * All that changes a row is here. What a state means (its colour, its category, whether it counts as
 * failed) and how many there are of each comes with the messages. Every change gives the row a new
 * `version`, so that whoever draws knows what to draw again.
 */

/** @import {ActionView, Category, Colour, Counts, Estimate, Message, RunView, ShotView, Transition} from './types.js' */

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
 * @property {string} trouble why its completion event was not, or perhaps not, raised
 * @property {string[]} events what became of its completion events, in words
 * @property {number} version
 */

const RUNS_MAX = 100;

/** @returns {Record<Category, number>} */
export function noCounts() {
  return { failed: 0, server_off: 0, in_progress: 0, pending: 0, success: 0, not_dispatched: 0 };
}

/** Return whether somebody should look at an action. @param {Row} row */
export function hasFailed(row) {
  return row.failed || row.category === 'failed' || row.category === 'server_off';
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
    /** How many actions of each phase are in which category. @type {Map<string, Counts>} */
    this.counts = new Map();
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

  /**
   * Return the actions of the current phase, an open run's own, too, where it has others, and what
   * has failed in any phase: that is nowhere out of sight.
   */
  activeRows() {
    const { phase, run } = this;
    const number = run !== null && run.state !== 'ended' ? run.run : null;
    return this.rows.filter(
      (row) => row.view.phase === phase || hasFailed(row) || (number !== null && row.last.run === number),
    );
  }

  /** Return how many actions of the whole shot are in which category. */
  total() {
    const total = noCounts();
    for (const counts of this.counts.values()) {
      for (const [category, count] of /** @type {[Category, number][]} */ (Object.entries(counts))) {
        total[category] += count;
      }
    }
    return total;
  }

  /** Return the counts of each phase that has actions, in the phases' order. */
  countsByPhase() {
    const { counts } = this;
    const names = new Set([...(this.view?.phases ?? []), ...counts.keys()]);
    /** @type {Map<string, Record<Category, number>>} */
    const phases = new Map();
    for (const phase of names) {
      const found = counts.get(phase);
      if (found && Object.keys(found).length > 0) phases.set(phase, { ...noCounts(), ...found });
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
        if (message.run && typeof message.run === 'object') this.#run(message.run);
        break;
      case 'COUNTS':
        this.counts.set(message.phase ?? '', /** @type {Counts} */ (message.counts ?? {}));
        break;
      case 'MEDIANS':
        this.medians = new Map(Object.entries(message.medians ?? {}));
        break;
      case 'ESTIMATE':
      case 'LIMITS':
        this.#estimate(message);
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
      case 'SOURCE_SEEN':
        if (this.view && message.record?.type === 'source_seen') this.view.source_changed = message.record.changed ?? '';
        break;
      case 'NOTE':
        if (this.view && message.record?.type === 'note_written') this.#note(message.record);
        break;
      default: // PULSE, LATE, REDISPATCHED, CHECK_RESET, CUT: nothing that the tables show
    }
  }

  /** Take a note, in the place of an earlier one of its number. @param {import('./types.js').NoteWritten} note */
  #note(note) {
    if (!this.view) return;
    this.view.notes = [...(this.view.notes ?? []).filter((one) => one.note !== note.note), note];
  }

  /** @param {Message} message */
  #whole(message) {
    this.known = true;
    this.problem = '';
    this.generation += 1;
    this.view = typeof message.shot === 'object' ? message.shot : null;
    this.runs = new Map((this.view?.runs ?? []).map((run) => [run.run, run]));
    this.counts = new Map(Object.entries(/** @type {Record<string, Counts>} */ (message.counts ?? {})));
    this.medians = new Map(Object.entries(message.medians ?? {}));
    this.estimate = message.estimate ?? null;
    this.rows = (message.actions ?? []).map((view, index) => this.#row(view, index));
    this.byPath = new Map(this.rows.map((row) => [row.path, row]));
  }

  /**
   * @param {ActionView} view
   * @param {number} index
   * @returns {Row}
   */
  #row(view, index) {
    return {
      tree: this.tree,
      shot: this.shot,
      index,
      path: view.path,
      view,
      last: view.last,
      failed: view.failed ?? false,
      colour: view.colour,
      category: view.category,
      waits: view.waits_for ?? '',
      progress: view.progress ?? null,
      progressText: view.progress_text ?? '',
      trouble: view.event_trouble ?? '',
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
    if (last.attempt !== row.last.attempt || last.state !== 'DONE') row.trouble = '';
    row.last = last;
    row.failed = message.failed ?? false;
    row.colour = message.colour ?? row.colour;
    row.category = message.category ?? row.category;
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
    if (!message.run || typeof message.run !== 'object') return;
    const run = message.run;
    this.#run(run);
    this.estimate = null;
    const { state, run: number, colour, category } = message.pending ?? {};
    if (!state || !colour || !category) return;
    for (const [first, last] of message.reset ?? []) {
      for (const row of this.rows.slice(first, last + 1)) {
        row.last = { time: message.time ?? 0, path: row.path, state, run: number, attempt: row.last.attempt ?? 0 };
        row.failed = false;
        row.colour = colour;
        row.category = category;
        row.waits = '';
        row.trouble = '';
        row.progress = null;
        row.progressText = '';
        row.version = this.version;
      }
    }
  }

  /** @param {RunView} run */
  #run(run) {
    this.runs.set(run.run, run);
    for (const [number, { state }] of this.runs) {
      if (this.runs.size <= RUNS_MAX) break;
      if (state === 'ended') this.runs.delete(number);
    }
    if (run.state === 'ended') this.estimate = this.estimate && { ...this.estimate, remaining_s: null };
  }

  /** What is left of a run, or what limits it; the two come by themselves. @param {Message} message */
  #estimate({ run, remaining_s, known, critical, slow }) {
    if (typeof run !== 'number') return;
    const before = this.estimate?.run === run ? this.estimate : { run };
    this.estimate = critical ? { ...before, critical, slow } : { ...before, remaining_s, known };
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
    const { events } = row;
    Object.assign(row, this.#row(message.view, row.index), { events });
  }

  /** @param {Message} message */
  #event(message) {
    const { record } = message;
    const row = record?.type === 'event_raised' ? this.byPath.get(record.path) : undefined;
    if (!row || record?.type !== 'event_raised') return;
    const words = `${record.event}: ${record.outcome.replaceAll('_', ' ')}`;
    if (record.attempt === row.last.attempt && row.last.state === 'DONE') row.trouble = message.trouble ?? row.trouble;
    row.events = [...row.events.slice(-9), record.reason ? `${words} (${record.reason})` : words];
    row.version = this.version;
  }
}
