/** The table of data records: ready, leased, dead or orphaned. */

/** @import {RecordView} from '../model/types.js' */
/** @import {GridColumn} from '../view/grid.js' */
import { bytes, duration, moment } from '../model/format.js';
import { plain } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Grid, number, useColumns, words } from '../view/grid.js';
import { useStyle } from '../view/style.js';
import { aboutWords, fileAddress, stateOf } from './words.js';

useStyle(import.meta.url);

/** What the table's keys do. @type {[string, string][]} */
export const KEYS = [
  ['↑ ↓ PgUp PgDn Home End', 'move among records, or files'],
  ['Space, Shift+↑ ↓', 'select some'],
  ['Ctrl+A, Esc', 'select all that are shown; none'],
  ['Enter', 'the file’s story'],
];

/** @type {GridColumn<RecordView>[]} */
export const COLUMNS = [
  number('number', 'No.', 62, (record) => record.number),
  {
    id: 'state', title: 'State', least: 94, phone: '1 / 4',
    text: ({ state }) => state, key: ({ state }) => state,
    cell: (cell) => {
      const symbol = h('span', { class: 'symbol', 'aria-hidden': 'true' });
      const word = h('span');
      cell.append(symbol, word);
      return ({ state }) => {
        setText(symbol, stateOf(state).symbol);
        setText(word, stateOf(state).word);
      };
    },
  },
  words('volume', 'Volume', 80, ({ volume }) => volume, { share: 0.4 }),
  fileColumn(({ volume, path }) => ({ volume, path }), '1 / 2 / 2 / 4'),
  words('part', 'Part', 70, ({ part }) => part.name ?? '', { share: 0.6 }),
  words('group', 'Group', 80, ({ group }) => group, { share: 0.5, phone: '2 / 2 / 3 / 4' }),
  words('about', 'Whose, and why', 150, aboutWords, { share: 1.8, phone: '3 / 2 / 4 / 5' }),
  number('left', 'Time left', 80, ({ left_s: left }) => left, { shown: duration }),
  number('attempts', 'Leases', 60, ({ attempts }) => attempts ?? 0),
  words('run', 'Run', 54, ({ run }) => (typeof run === 'number' ? String(run) : '')),
  number('size', 'Size', 76, ({ size_b: size }) => size, { shown: bytes, phone: '2 / 4' }),
  number('announced', 'Announced', 154, ({ announced_at: at }) => at, { shown: moment }),
];
useColumns('record-table', COLUMNS);

/**
 * The column of a file, with the way to its story.
 * @template R
 * @param {(row: R) => {volume: string, path: string}} of
 * @param {string} phone
 * @returns {GridColumn<R>}
 */
export function fileColumn(of, phone) {
  return {
    id: 'path', title: 'File', least: 160, share: 2, phone,
    text: (row) => of(row).path, key: (row) => of(row).path,
    cell: (cell) => {
      const link = h('a', { class: 'grid-link', tabIndex: -1 });
      cell.append(link);
      return (row) => {
        const { volume, path } = of(row);
        setText(link, plain(path));
        setAttribute(link, 'href', fileAddress(volume, path));
        setAttribute(link, 'title', plain(path));
      };
    },
  };
}

/** @extends {Grid<RecordView>} */
export class RecordTable extends Grid {
  label = 'data records';
  one = 'record';
  columns = COLUMNS;
  /** @type {RecordView[]} */ rows = [];
  /** What is said where there are none. */
  none = '';

  source() {
    return this.rows;
  }

  inputs() {
    return [this.rows];
  }

  /** @param {RecordView} record */
  keyOf({ number: own }) {
    return String(own);
  }

  /** @param {RecordView} record */
  look({ state }) {
    return stateOf(state).look;
  }

  /** @param {boolean} any */
  emptyWords(any) {
    return any ? 'No record fits the filters.' : this.none;
  }

  /** @param {RecordView} record */
  open({ volume, path }) {
    window.location.hash = fileAddress(volume, path);
  }
}

customElements.define('record-table', RecordTable);
