/** The tables about shots that have been: shots, failures, what was found, two shots side by side. */

/** @import {ComparedAction, ComparedSide, FailedAttempt, Found, ShotView} from '../model/types.js' */
/** @import {GridColumn} from '../view/grid.js' */
import { duration, moment } from '../model/format.js';
import { plain, shortOf } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Grid, number, useColumns, words } from '../view/grid.js';
import { failedOf, nameOf, people, shotAddress, tookS, trendAddress } from './words.js';

/** What the tables' keys do. @type {[string, string][]} */
export const KEYS = [
  ['↑ ↓ PgUp PgDn Home End', 'move among rows'],
  ['Space, Shift+↑ ↓', 'select some; two shots can be compared'],
  ['Enter', 'open the row'],
];

const CARD = '25px 25px minmax(0, 1fr) / 30px minmax(0, 1fr) minmax(0, 1fr) 84px';

/**
 * A column with a link.
 * @template R
 * @param {string} id @param {string} title @param {number} least
 * @param {(row: R) => string} of @param {(row: R) => string} address
 * @param {{share?: number, phone?: string}} [more]
 * @returns {GridColumn<R>}
 */
function link(id, title, least, of, address, more = {}) {
  return {
    id, title, least, ...more, text: of, key: of,
    cell: (cell) => {
      const anchor = h('a', { class: 'grid-link whole', tabIndex: -1 });
      cell.append(anchor);
      return (row) => {
        setText(anchor, plain(of(row)));
        setAttribute(anchor, 'href', address(row));
        setAttribute(anchor, 'title', plain(of(row)));
      };
    },
  };
}

/**
 * A column that is shown in two lines where there is little room.
 * @template R
 * @param {GridColumn<R>} column
 * @returns {GridColumn<R>}
 */
function whole(column) {
  const { cell } = column;
  return {
    ...column,
    cell: (place) => {
      const inner = h('span', { class: 'whole' });
      place.append(inner);
      return cell(inner);
    },
  };
}

/** @param {ShotView} shot */
const firstNote = (shot) => (shot.notes ?? []).filter((note) => !note.removed).map((note) => note.text ?? '').join(' · ');

/** @type {GridColumn<ShotView>[]} */
const SHOTS = [
  link('shot', 'Shot', 110, nameOf, shotAddress, { share: 0.4, phone: '1 / 2 / 2 / 3' }),
  number('began', 'Began', 188, (shot) => shot.runs?.[0]?.opened_at ?? shot.built_at ?? shot.changed_at ?? null, { shown: moment, phone: '1 / 3 / 2 / 5' }),
  whole(words('phases', 'Phases run', 120, (shot) => [...new Set((shot.runs ?? []).map((run) => run.phase))].join(', '), { share: 0.6, phone: '2 / 2 / 3 / 4' })),
  number('failed', 'Failed', 62, (shot) => failedOf(shot.counts), { phone: '2 / 4' }),
  number('success', 'Success', 70, (shot) => shot.counts?.success ?? 0, { leaves: 'tight' }),
  number('took', 'Took', 84, (shot) => tookS(shot.runs), { shown: duration }),
  words('who', 'Run by', 110, people, { share: 0.5 }),
  words('kept', 'File', 78, (shot) => shot.kept ?? ''),
  whole(words('notes', 'Notes', 140, firstNote, { share: 1.6, phone: '3 / 2 / 4 / 5' })),
];
useColumns('shots-table', SHOTS, [''], CARD);

/** @param {FailedAttempt} one */
const outcome = (one) => one.status ?? one.state;

/** @type {GridColumn<FailedAttempt>[]} */
const FAILURES = [
  number('at', 'When', 188, (one) => one.at, { shown: moment, phone: '1 / 3 / 2 / 5' }),
  link('shot', 'Shot', 100, nameOf, shotAddress, { share: 0.3, phone: '1 / 2 / 2 / 3' }),
  link('action', 'Action', 140, (one) => one.name, (one) => trendAddress(one.tree, one.path), { share: 1, phone: '2 / 2 / 3 / 4' }),
  words('phase', 'Phase', 70, (one) => one.phase ?? '', { leaves: 'tight' }),
  words('outcome', 'Outcome', 112, outcome, { phone: '2 / 4' }),
  words('server', 'Server', 90, (one) => one.server ?? '', { share: 0.3, leaves: 'tight' }),
  words('since', 'Since then', 120, (one) => one.since ?? '', { share: 0.4 }),
  whole(words('reason', 'Reason', 200, (one) => one.reason ?? '', { share: 2.4, phone: '3 / 2 / 4 / 5' })),
];
useColumns('failures-table', FAILURES, [''], CARD);

/** @type {GridColumn<Found>[]} */
const FOUND = [
  number('at', 'When', 188, (one) => one.at, { shown: moment, phone: '1 / 3 / 2 / 5' }),
  link('shot', 'Shot', 100, nameOf, shotAddress, { share: 0.3, phone: '1 / 2 / 2 / 3' }),
  words('where', 'In', 152, (one) => (typeof one.line === 'number' ? `output #${one.attempt} line ${one.line}` : one.where), { share: 0.4, phone: '2 / 3 / 3 / 5' }),
  whole(words('action', 'Action', 140, (one) => shortOf(one.path ?? ''), { share: 0.9, phone: '2 / 2 / 3 / 3' })),
  whole(words('text', 'Text', 220, (one) => one.text, { share: 2.4, phone: '3 / 2 / 4 / 5' })),
];
useColumns('found-table', FOUND, [''], CARD);

/** @param {ComparedSide|null|undefined} side */
const sideWords = (side) => (side ? (side.status ?? side.state) : '–');
/** @param {ComparedAction} one */
const differs = (one) => (!one.left ? 'new' : !one.right ? 'gone' : (one.differs ?? []).join(', '));

/** @type {GridColumn<ComparedAction & {tree: string}>[]} */
const COMPARED = [
  link('action', 'Action', 150, (one) => one.name, (one) => trendAddress(one.tree, one.path), { share: 1, phone: '1 / 2 / 2 / 4' }),
  words('phase', 'Phase', 72, (one) => one.phase, { leaves: 'tight' }),
  words('left', 'First', 148, (one) => sideWords(one.left), { share: 0.3, phone: '2 / 2 / 3 / 3' }),
  number('lefttook', 'Took', 78, (one) => one.left?.duration_s ?? null, { shown: duration }),
  words('right', 'Second', 148, (one) => sideWords(one.right), { share: 0.3, phone: '2 / 3 / 3 / 4' }),
  number('righttook', 'Took', 78, (one) => one.right?.duration_s ?? null, { shown: duration }),
  number('change', 'Change', 84, (one) => one.change_s ?? null, { leaves: 'tight', shown: (value) => (typeof value === 'number' ? `${value > 0 ? '+' : '−'}${duration(Math.abs(value))}` : ''), phone: '2 / 4' }),
  words('differs', 'Different', 140, differs, { share: 0.5, phone: '1 / 4' }),
  whole(words('reason', 'Reason in the second', 180, (one) => one.right?.reason ?? '', { share: 1.6, phone: '3 / 2 / 4 / 5' })),
];
useColumns('compared-table', COMPARED, [''], CARD);

/**
 * The base of all: rows that were read.
 * @template R
 * @extends {Grid<R>}
 */
class ReadTable extends Grid {
  /** @type {R[]} */ rows = [];
  /** Why there are none. */
  none = '';
  twoLines = true;
  orderedEveryMs = 0; // what was read does not change by itself

  source() {
    return this.rows;
  }

  inputs() {
    return [this.rows, this.none];
  }

  /** @param {boolean} any */
  emptyWords(any) {
    return any ? 'Nothing is as the fields above the columns say.' : this.none;
  }
}

/** @extends {ReadTable<ShotView>} */
export class ShotsTable extends ReadTable {
  label = 'shots';
  address = 'shots';
  one = 'shot';
  columns = SHOTS;

  /** @param {ShotView} shot */
  keyOf(shot) {
    return nameOf(shot);
  }

  /** @param {ShotView} shot */
  look(shot) {
    return failedOf(shot.counts) > 0 ? 'ill-row' : '';
  }

  /** @param {ShotView} shot */
  open(shot) {
    window.location.hash = shotAddress(shot);
  }
}

/** @extends {ReadTable<FailedAttempt>} */
export class FailuresTable extends ReadTable {
  label = 'failures';
  address = 'failures';
  one = 'failure';
  columns = FAILURES;

  /** @param {FailedAttempt} one */
  keyOf(one) {
    return `${nameOf(one)} ${one.path} ${one.run} ${one.attempt}`;
  }

  look() {
    return 'ill-row';
  }

  /** @param {FailedAttempt} one */
  open(one) {
    window.location.hash = shotAddress(one);
  }
}

/** @extends {ReadTable<Found>} */
export class FoundTable extends ReadTable {
  label = 'what was found';
  address = 'found';
  one = 'place';
  columns = FOUND;

  /** @param {Found} one */
  keyOf(one) {
    return `${nameOf(one)} ${one.where} ${one.path} ${one.attempt} ${one.line} ${one.text}`;
  }

  /** @param {Found} one */
  open(one) {
    window.location.hash = shotAddress(one);
  }
}

/** @extends {ReadTable<ComparedAction & {tree: string}>} */
export class ComparedTable extends ReadTable {
  label = 'two shots side by side';
  address = 'compared';
  one = 'action';
  columns = COMPARED;

  /** @param {ComparedAction} one */
  keyOf(one) {
    return one.path;
  }

  /** @param {ComparedAction} one */
  look(one) {
    return one.right?.failed ? 'ill-row' : '';
  }

  /** @param {ComparedAction & {tree: string}} one */
  open(one) {
    window.location.hash = trendAddress(one.tree, one.path);
  }
}

customElements.define('shots-table', ShotsTable);
customElements.define('failures-table', FailuresTable);
customElements.define('found-table', FoundTable);
customElements.define('compared-table', ComparedTable);

