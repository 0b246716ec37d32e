/**
 * The columns of the tables of actions. Each owns all that is known of it: its room in every form of
 * the page, its cell, what is found and compared in it, and what it is sorted by.
 */

/** @import {Row} from '../model/shot.js' */
/** @import {Column} from '../model/table.js' */
import { halves } from '../model/stack.js';
import { nodeOf, serverOf } from '../model/table.js';
import { clock, duration } from '../model/format.js';
import { SYMBOLS, details, outcomeWords, plain, stateWords, statusWords, takenS, whenWords } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';

/**
 * What a cell is drawn with beside its row.
 * @typedef {object} Surroundings
 * @property {() => number} now the machines' time
 * @property {(row: Row) => number|undefined} usual how long an action usually takes
 * @property {(row: Row) => string} address of a row
 * @property {() => boolean} merged whether state and status stand in one column
 * @property {(row: Row) => string} silence that the action's server is silent, in words
 */

/**
 * How wide a column is in one form of the page: never below `least` pixels; with a `share` of the
 * room that is left, else exactly that.
 * @typedef {{least: number, share?: number}} Width
 */

/**
 * Where a column has its place. Where it is left out of a form, it is not shown there.
 * @typedef {object} Place
 * @property {Width} [wide]
 * @property {Width} [narrow]
 * @property {string} [below] in the narrow form: the part of a row's grid, where that is no track
 * @property {string} [phone] the part of a row's grid
 */

/** @typedef {(row: Row, around: Surroundings) => void} Draw */

/**
 * A column's cell in one row that is drawn: `draw` is called when the row has changed, `tick` at
 * every frame, for what changes without its row.
 * @typedef {{draw?: Draw, tick?: Draw}} Cell
 */

/** @typedef {Column & {place: Place, cell: (cell: HTMLElement) => Cell}} ShownColumn */

/** On a telephone a row is a card: its name, how it stands, why; the buttons of the one that is selected. */
const PHONE = 'auto auto 1fr auto / 30px minmax(0, 1fr) auto';

/** @type {ShownColumn[]} */
export const COLUMNS = [
  {
    id: 'tree',
    title: 'Tree',
    place: { wide: { least: 62 } },
    text: (row) => row.tree,
    key: (row) => row.tree,
    cell: text((row) => row.tree),
  },
  {
    id: 'shot',
    title: 'Shot',
    place: { wide: { least: 52 } },
    text: (row) => String(row.shot),
    key: (row) => row.shot,
    number: (row) => row.shot,
    cell: text((row) => String(row.shot)),
  },
  {
    id: 'server',
    title: 'Server',
    place: { wide: { least: 98, share: 0.8 }, narrow: { least: 90, share: 0.8 } },
    text: serverOf,
    key: serverOf,
    cell: (cell) => ({
      draw: (row) => {
        setText(cell, plain(serverOf(row)));
        cell.classList.toggle('unsent', !row.last.server);
      },
    }),
  },
  {
    id: 'node',
    title: 'Node',
    place: { wide: { least: 170, share: 1.6 }, narrow: { least: 160, share: 1.6 }, phone: '1 / 2 / 2 / 4' },
    text: nodeOf,
    also: (row) => row.path,
    key: nodeOf,
    cell: nodeCell,
  },
  {
    id: 'state',
    title: 'State',
    place: { wide: { least: 166, share: 0.5 }, narrow: { least: 160, share: 1.1 }, phone: '2 / 2' },
    text: (row) => stateWords(row.last),
    also: (row) => statusWords(row.last),
    key: (row) => `${row.last.state} ${statusWords(row.last)}`,
    cell: stateCell,
  },
  {
    id: 'status',
    title: 'Status',
    place: { wide: { least: 86, share: 0.7 } }, // else it stands with the state
    text: (row) => statusWords(row.last),
    key: (row) => statusWords(row.last),
    cell: text((row) => statusWords(row.last), { titled: true }),
  },
  {
    id: 'phase',
    title: 'Phase',
    place: { wide: { least: 66 }, narrow: { least: 60 } },
    text: (row) => row.view.phase ?? '',
    key: (row) => row.view.phase ?? '',
    cell: text((row) => plain(row.view.phase ?? '')),
  },
  {
    id: 'when',
    title: 'When',
    place: { wide: { least: 86, share: 1 }, narrow: { least: 56, share: 0.5 } },
    text: (row) => whenWords(row.view),
    key: (row) => row.view.number ?? (row.view.when ? `~${row.view.when}` : null),
    number: (row) => row.view.number,
    cell: text((row) => whenWords(row.view), { titled: true }),
  },
  {
    id: 'start',
    title: 'Start',
    place: { wide: { least: 80 } }, // the shot's name stands above; its start is in the timeline
    text: (row) => clock(row.last.started_at),
    key: (row) => row.last.started_at,
    cell: text((row) => clock(row.last.started_at)),
  },
  {
    id: 'duration',
    title: 'Duration',
    place: { wide: { least: 92 }, narrow: { least: 86 }, phone: '2 / 3' },
    down: true,
    text: (row) => duration(row.last.duration_s),
    key: (row, now) => takenS(row.last, now),
    number: (row) => row.last.duration_s,
    cell: durationCell,
  },
  {
    id: 'reason',
    title: 'Reason',
    place: { wide: { least: 120, share: 3 }, below: '2 / 3 / 3 / -2', phone: '3 / 2 / 4 / 4' },
    text: details,
    key: details,
    cell: reasonCell,
  },
];

/**
 * Return what makes a cell with nothing but a text.
 * @param {(row: Row) => string} words
 * @param {{titled?: boolean}} [how] `titled`: in full when one points at it
 * @returns {ShownColumn['cell']}
 */
function text(words, { titled = false } = {}) {
  return (cell) => ({
    draw: (row) => {
      const shown = words(row);
      setText(cell, shown);
      if (titled) cell.title = shown;
    },
  });
}

/** A link to the row; where there is no room for the name its middle is left out. @param {HTMLElement} cell @returns {Cell} */
function nodeCell(cell) {
  const [head, tail] = [h('span', { class: 'head' }), h('span', { class: 'tail' })];
  const link = h('a', { class: 'node-link', tabIndex: -1 }, head, tail);
  cell.append(link);
  return {
    draw: (row, around) => {
      const [first, second] = halves(plain(nodeOf(row)));
      setText(head, first);
      setText(tail, second);
      setAttribute(link, 'href', around.address(row));
      cell.title = row.view.text ? `${plain(row.path)}\n${plain(row.view.text)}` : plain(row.path);
    },
  };
}

/** @param {HTMLElement} cell @returns {Cell} */
function stateCell(cell) {
  const symbol = h('span', { class: 'symbol', 'aria-hidden': 'true' });
  const unknown = h('abbr', { class: 'unknown', title: 'outcome unknown: it may have run, or may still be running', hidden: true });
  const word = h('span', { class: 'word' });
  cell.append(symbol, unknown, word);
  return {
    draw: (row, around) => {
      setText(symbol, SYMBOLS[row.colour]);
      unknown.hidden = !row.last.outcome_unknown;
      setText(unknown, row.last.outcome_unknown ? '?' : '');
      setText(word, around.merged() ? outcomeWords(row.last) : stateWords(row.last));
      setAttribute(word, 'title', outcomeWords(row.last));
    },
  };
}

/** @param {HTMLElement} cell @returns {Cell} */
function durationCell(cell) {
  const bar = h('i', { class: 'progress' });
  const taken = h('span', { class: 'taken' });
  cell.append(bar, taken);
  return {
    tick: (row, around) => {
      const seconds = takenS(row.last, around.now());
      setText(taken, duration(seconds));
      const usual = around.usual(row);
      let share = 0;
      if (row.last.state === 'DOING') {
        share = row.progress ?? (usual && seconds !== null ? Math.min(0.98, seconds / usual) : 0);
      }
      bar.style.transform = `scaleX(${share.toFixed(3)})`;
      bar.classList.toggle('guessed', row.progress === null);
    },
  };
}

/** What does not change with the row: its server falls silent. @param {HTMLElement} cell @returns {Cell} */
function reasonCell(cell) {
  return {
    tick: (row, around) => {
      const silence = around.silence(row);
      const reason = silence ? plain(silence) : details(row);
      cell.classList.toggle('silent', silence !== '');
      setText(cell, reason);
      setAttribute(cell, 'title', reason);
    },
  };
}

/**
 * Return the style that gives columns their places, by the forms of the page.
 * @param {{id: string, place: Place}[]} columns
 */
export function styleOf(columns) {
  return [
    tracks('', columns, 'wide'),
    tracks(':where(body.narrow) ', columns, 'narrow'),
    `:where(body.phone) .row { grid-template: ${PHONE}; min-width: 0; }`,
    hidden('body.narrow :is(.table-head, .row) > ', columns.filter(({ place }) => !place.narrow && !place.below)),
    hidden('body.narrow .table-head > ', columns.filter(({ place }) => place.below)),
    hidden('body.phone .row > ', columns.filter(({ place }) => !place.phone)),
    ...columns.flatMap(({ id, place }) => [
      place.below ? `:where(body.narrow) .row .c-${id} { grid-area: ${place.below}; }` : '',
      place.phone ? `:where(body.phone) .row .c-${id} { grid-area: ${place.phone}; }` : '',
    ]),
  ].filter(Boolean).join('\n');
}

/**
 * @param {string} where
 * @param {{place: Place}[]} columns
 * @param {'wide'|'narrow'} form
 */
function tracks(where, columns, form) {
  const widths = columns.map(({ place }) => place[form]).filter((width) => width !== undefined);
  const each = widths.map(({ least, share }) => (share === undefined ? `${least}px` : `minmax(${least}px, ${share}fr)`));
  const least = widths.reduce((sum, width) => sum + width.least, 0);
  return `${where}:is(.table-head, .row) { grid-template-columns: ${each.join(' ')}; min-width: ${least}px; }`;
}

/** @param {string} where @param {{id: string}[]} columns */
function hidden(where, columns) {
  if (columns.length === 0) return '';
  return `${where}:is(${columns.map(({ id }) => `.c-${id}`).join(', ')}) { display: none !important; }`;
}
