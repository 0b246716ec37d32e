/**
 * The pulse queue as the page knows it: the fold of the channel `queue`, in the way of the
 * dispatcher's own. Pure.
 */

/** @import {Channel} from '../model/channel.js' */
/** @import {Entry, HistoryItem, Message, QueueChange, QueueView} from '../model/types.js' */

const CHANGES_MAX = 500;

export class Board {
  /** Null until the monitor has told of it. @type {QueueView|null} */ view = null;
  /** @type {Map<string, Entry>} */ entries = new Map();
  /** @type {string[]} */ order = [];
  /** @type {string[]} */ proposals = [];
  /** What has ended, the latest last. @type {HistoryItem[]} */ history = [];
  /** Who did what, the latest last. @type {QueueChange[]} */ changes = [];
  /** When the running plan's progress was told, by the machines' clock. */
  progressAt = 0;
  /** Rises with every change. */
  version = 0;

  /** @param {Message} message */
  apply(message) {
    this.version += 1;
    if (message.command === 'PLAN_PROGRESS' && this.view && message.running) {
      this.view = { ...this.view, progress: message.running };
      this.progressAt = message.time ?? 0;
    }
    if (message.command === 'WHOLE') this.#begin(message);
    if (message.command === 'QUEUE') this.#changed(message);
  }

  /** @param {Message} message */
  #begin(message) {
    const entries = message.entries ?? [];
    const proposals = message.proposals ?? [];
    this.view = message.queue ?? null;
    this.entries = new Map([...entries, ...proposals].map((one) => [one.uid, one]));
    this.order = entries.map((one) => one.uid);
    this.proposals = proposals.map((one) => one.uid);
    this.history = message.history ?? [];
    this.changes = message.changes ?? [];
    this.progressAt = message.time ?? 0;
  }

  /** @param {Message} message */
  #changed(message) {
    for (const record of message.records ?? []) this.#take(record);
    this.changes = [...this.changes, ...(message.changes ?? [])].slice(-CHANGES_MAX);
    this.view = message.queue ?? this.view;
    this.progressAt = message.time ?? 0;
  }

  /** @param {NonNullable<Message['records']>[number]} record */
  #take(record) {
    switch (record.type) {
      case 'entries_added': {
        const uids = record.entries.map((one) => one.uid);
        for (const one of record.entries) this.entries.set(one.uid, one);
        if (record.entries[0]?.state === 'proposed') this.proposals = [...this.proposals, ...uids];
        else this.order = this.#with(uids, record.at);
        break;
      }
      case 'entry_changed': {
        const { entry } = record;
        const was = record.was || entry.uid;
        if (was !== entry.uid) {
          this.entries.delete(was);
          this.order = this.order.map((uid) => (uid === was ? entry.uid : uid));
          this.proposals = this.proposals.map((uid) => (uid === was ? entry.uid : uid));
        }
        this.entries.set(entry.uid, entry);
        break;
      }
      case 'entries_moved':
        this.order = placed(this.order, record.uids, record.at);
        break;
      case 'entries_approved':
        for (const uid of record.uids) {
          const entry = this.entries.get(uid);
          if (entry) this.entries.set(uid, { ...entry, state: 'queued', approved_by: record.by ?? '' });
        }
        this.proposals = without(this.proposals, record.uids);
        this.order = this.#with(record.uids, record.at);
        break;
      case 'entries_removed':
        this.#remove(record.uids);
        break;
      case 'plan_started':
        if (!record.executed) this.#remove([record.entry.uid]);
        break;
      case 'plan_ended':
        this.history = [...this.history, record.item];
        if (record.back) {
          this.entries.set(record.back.uid, record.back);
          this.order = this.#with([record.back.uid], record.at_back ? this.order.length : 0);
        }
        break;
      default:
    }
  }

  /** @param {string[]} uids @param {number} at */
  #with(uids, at) {
    return [...this.order.slice(0, at), ...uids, ...this.order.slice(at)];
  }

  /** @param {string[]} uids */
  #remove(uids) {
    for (const uid of uids) this.entries.delete(uid);
    this.order = without(this.order, uids);
    this.proposals = without(this.proposals, uids);
  }

  /** Take ended plans of before those that are known. @param {HistoryItem[]} items the latest last */
  before(items) {
    const known = new Set(this.history.map((item) => item.entry.uid));
    this.history = [...items.filter((item) => !known.has(item.entry.uid)), ...this.history];
    this.version += 1;
  }

  /** Return what of the history is to be seen: somebody may have begun its view anew. */
  shownHistory() {
    const count = this.view?.history ?? 0;
    return count < this.history.length ? this.history.slice(this.history.length - count) : this.history;
  }

  /** Return these entries, those that are there. @param {Iterable<string>} uids @returns {Entry[]} */
  of(uids) {
    return [...uids].map((uid) => this.entries.get(uid)).filter((one) => one !== undefined);
  }

  /** Return the entries that are HELD, in their order. */
  held() {
    return (this.view?.held ?? 0) > 0 ? this.of(this.order).filter(({ state }) => state === 'held') : [];
  }

  /** Return the plan of an entry that waits, runs or has ended. @param {string} uid */
  plan(uid) {
    const { running } = this.view ?? {};
    if (running?.entry.uid === uid) return running.entry.plan;
    return (this.entries.get(uid) ?? this.history.findLast((item) => item.entry.uid === uid)?.entry)?.plan;
  }

  /** Return an entry's place in the queue, from 1; 0: it is not in it. @param {string} uid */
  place(uid) {
    return this.order.indexOf(uid) + 1;
  }

  /** The number of the list that a change rests on. @returns {number} */
  get number() {
    return this.view?.versions.queue ?? 0;
  }
}

/** @type {Channel<Board>} */
export const QUEUE = { id: 'queue', state: true, fold: () => new Board() };

/**
 * Return a list in which these stand, in their order, at a place of the list without them.
 * @param {string[]} order
 * @param {string[]} uids
 * @param {number} at
 */
export function placed(order, uids, at) {
  const rest = without(order, uids);
  return [...rest.slice(0, at), ...uids, ...rest.slice(at)];
}

/**
 * Return beside which entry these stand when they are at a place of the list without them.
 * @param {string[]} order
 * @param {string[]} uids
 * @param {number} at
 * @returns {{before: string}|{after: string}|{position: 'front'}}
 */
export function beside(order, uids, at) {
  const rest = without(order, uids);
  if (at < rest.length) return { before: rest[at] };
  const last = rest.at(-1);
  return last === undefined ? { position: 'front' } : { after: last };
}

/** @param {string[]} order @param {string[]} uids */
export function without(order, uids) {
  const gone = new Set(uids);
  return order.filter((uid) => !gone.has(uid));
}
