/**
 * Which rows of a table are shown, in which order: filter, search and sort. Pure.
 */

/** @import {Category} from './types.js' */
/** @import {Row} from './shot.js' */
import { hasFailed } from './shot.js';

/**
 * What is looked at of a column of any rows: its text (for filter and search), and its sort key.
 * @template R
 * @typedef {object} ColumnOf
 * @property {string} id
 * @property {string} title
 * @property {(row: R) => string} text
 * @property {(row: R) => string} [also] what its filter and the search find, too
 * @property {(row: R, now: number) => Key} key
 * @property {boolean} [down] sorted downwards first: what is most is looked for
 * @property {(row: R) => number|null|undefined} [number] what comparisons of its filter look at
 */

/** What is sorted by; nothing, or an empty text, stands behind all else. @typedef {number|string|null|undefined} Key */

/** @typedef {ColumnOf<Row>} Column */

/** @param {Row} row */
export function nodeOf(row) {
  return row.view.name || row.path;
}

/** @param {Row} row */
export function serverOf(row) {
  return row.last.server || row.view.server_class || '';
}

/** @type {Record<Category, number>} */
const RANK = { failed: 0, server_off: 0, in_progress: 1, pending: 2, success: 3, not_dispatched: 4 };
const RANKS = 5;

/**
 * Return what tells whether a text fits a filter: parts of it separated by `|`, a leading `!` for
 * what must not be there; in columns of numbers also `>5`, `<5`, `5..9`.
 * @param {string} filter
 * @param {boolean} numeric
 * @returns {(text: string, number?: number|null) => boolean}
 */
export function matcher(filter, numeric) {
  let wanted = filter.trim().toLowerCase();
  if (!wanted) return () => true;
  const not = wanted.startsWith('!') && wanted.length > 1;
  if (not) wanted = wanted.slice(1).trim();
  const alternatives = wanted
    .split('|')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => one(part, numeric));
  if (alternatives.length === 0) return () => true;
  return (text, number = null) => {
    const low = text.toLowerCase();
    return alternatives.some((fits) => fits(low, number)) !== not;
  };
}

/**
 * @param {string} part
 * @param {boolean} numeric
 * @returns {(text: string, number: number|null) => boolean}
 */
function one(part, numeric) {
  if (numeric) {
    const compare = /^([<>]=?|=)\s*(-?\d+(?:\.(\d+))?)(?:\s*s)?$/.exec(part);
    if (compare) {
      const limit = Number(compare[2]);
      const sign = compare[1];
      const digits = compare[3]?.length ?? 0;
      return (_, number) => {
        if (number === null) return false;
        if (sign === '=') return number.toFixed(digits) === limit.toFixed(digits);
        if (sign === '>') return number > limit;
        if (sign === '>=') return number >= limit;
        return sign === '<' ? number < limit : number <= limit;
      };
    }
    const range = /^(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)(?:\s*s)?$/.exec(part);
    if (range) {
      const [low, high] = [Number(range[1]), Number(range[2])];
      return (_, number) => number !== null && number >= low && number <= high;
    }
  }
  return (text) => text.includes(part);
}

/**
 * What the user has set for a table.
 * @typedef {object} Wanted
 * @property {Record<string, string>} filters by column
 * @property {string} search in all columns
 * @property {Category|null} category only these
 * @property {string|null} sort column
 * @property {boolean} descending
 * @property {boolean} failedFirst
 */

/** @returns {Wanted} */
export function nothingWanted() {
  return { filters: {}, search: '', category: null, sort: null, descending: false, failedFirst: true };
}

/**
 * Return what tells whether a row is shown; null when all are.
 * @param {Wanted} wanted
 * @param {Column[]} columns
 * @returns {((row: Row) => boolean)|null}
 */
export function rowFilter(wanted, columns) {
  const { category } = wanted;
  const fits = textFilter(wanted, columns);
  if (!category) return fits;
  return (row) => row.category === category && (fits?.(row) ?? true);
}

/**
 * Return what tells whether a row fits the columns' filters and the search; null when all do.
 * @template R
 * @param {{filters: Record<string, string>, search: string}} wanted
 * @param {ColumnOf<R>[]} columns
 * @returns {((row: R) => boolean)|null}
 */
export function textFilter(wanted, columns) {
  /** @type {((row: R) => boolean)[]} */
  const tests = [];
  for (const column of columns) {
    const filter = wanted.filters[column.id]?.trim();
    if (!filter) continue;
    const { number, also } = column;
    const fits = matcher(filter, number !== undefined);
    const more = also !== undefined && !filter.startsWith('!') ? also : null;
    tests.push((row) => fits(column.text(row), number?.(row)) || (more !== null && fits(more(row))));
  }
  const words = wanted.search.trim().toLowerCase().split(/\s+/).filter(Boolean);
  for (const word of words) {
    tests.push(
      (row) =>
        columns.some(
          ({ text, also }) => text(row).toLowerCase().includes(word) || also?.(row).toLowerCase().includes(word),
        ),
    );
  }
  if (tests.length === 0) return null;
  return (row) => tests.every((test) => test(row));
}

/**
 * Return rows in the order to show them in. Without a column: what has failed, then what runs, what
 * is pending, what is done; within each the table's order.
 * @param {Row[]} rows in the table's order
 * @param {Wanted} wanted
 * @param {number} now
 * @param {Column[]} columns
 * @returns {Row[]}
 */
export function ordered(rows, wanted, now, columns) {
  const column = columns.find((one) => one.id === wanted.sort);
  if (!column) return wanted.failedFirst ? byRank(rows, RANK, RANKS) : rows;
  const sorted = sortedBy(rows, column, wanted.descending, now);
  if (!wanted.failedFirst) return sorted;
  return byRank(sorted, { ...RANK, in_progress: 1, pending: 1, success: 1, not_dispatched: 1 }, 2);
}

/**
 * Return how a table is sorted after one more click on a column's head: one way, the other, not.
 * @param {{sort: string|null, descending: boolean}} now
 * @param {{id: string, down?: boolean}} column
 */
export function sortedNext({ sort, descending }, { id, down = false }) {
  if (sort !== id) return { sort: id, descending: down };
  return descending === down ? { sort: id, descending: !down } : { sort: null, descending: false };
}

/**
 * Return rows sorted by a column; those that are alike there stand as they stood, and those with
 * nothing there stand last, whichever way it is sorted.
 * @template R
 * @param {R[]} rows
 * @param {ColumnOf<R>} column
 * @param {boolean} descending
 * @param {number} now
 */
export function sortedBy(rows, column, descending, now) {
  /** @type {{row: R, key: number|string}[]} */
  const keyed = [];
  /** @type {R[]} */
  const blank = [];
  for (const row of rows) {
    const key = column.key(row, now);
    if (key === null || key === undefined || key === '' || Number.isNaN(key)) blank.push(row);
    else keyed.push({ row, key });
  }
  const sign = descending ? -1 : 1;
  keyed.sort((a, b) => sign * compare(a.key, b.key));
  return [...keyed.map((one) => one.row), ...blank];
}

/**
 * @param {Row[]} rows
 * @param {Record<Category, number>} rank
 * @param {number} ranks
 */
function byRank(rows, rank, ranks) {
  /** @type {Row[][]} */
  const buckets = Array.from({ length: ranks }, () => []);
  for (const row of rows) buckets[hasFailed(row) ? rank.failed : rank[row.category]].push(row);
  return buckets.flat();
}

const COLLATOR = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/**
 * @param {number|string} a
 * @param {number|string} b
 */
function compare(a, b) {
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return COLLATOR.compare(String(a), String(b));
}

/**
 * The rows to show, computed again only when something has changed: the filter is asked only about
 * rows with a new version.
 */
export class TableView {
  /** @param {Column[]} columns */
  constructor(columns) {
    this.columns = columns;
    /** @type {Wanted} */
    this.wanted = nothingWanted();
    /** @type {Row[]} */
    this.rows = [];
    /** Changes when `rows` has changed. */
    this.version = 0;
    /** @type {WeakMap<Row, {version: number, fits: boolean}>} */
    this.known = new WeakMap();
    /** @type {((row: Row) => boolean)|null} null: all rows are shown */
    this.filter = null;
  }

  /** @param {Partial<Wanted>} change */
  want(change) {
    this.wanted = { ...this.wanted, ...change };
    this.filter = rowFilter(this.wanted, this.columns);
    this.known = new WeakMap();
  }

  /**
   * Take the rows as they are now.
   * @param {Row[]} rows
   * @param {number} now
   */
  update(rows, now) {
    const { filter } = this;
    const shown = filter ? rows.filter((row) => this.#fits(row, filter)) : rows;
    this.rows = ordered(shown, this.wanted, now, this.columns);
    this.version += 1;
  }

  /** @param {Row} row @param {(row: Row) => boolean} filter */
  #fits(row, filter) {
    const known = this.known.get(row);
    if (known && known.version === row.version) return known.fits;
    const fits = filter(row);
    if (known) {
      known.version = row.version;
      known.fits = fits;
    } else {
      this.known.set(row, { version: row.version, fits });
    }
    return fits;
  }
}

/**
 * Return the row to which a key moves the cursor of a list; null: it is no such key.
 * @param {string} key
 * @param {number} at where the cursor is; -1: nowhere
 * @param {number} count
 * @param {number} page rows
 */
export function movedBy(key, at, count, page) {
  /** @type {Record<string, number>} */
  const moves = { ArrowUp: at - 1, ArrowDown: at + 1, PageUp: at - page, PageDown: at + page, Home: 0, End: count - 1 };
  if (!(key in moves) || count === 0) return null;
  return Math.max(0, Math.min(count - 1, moves[key]));
}
