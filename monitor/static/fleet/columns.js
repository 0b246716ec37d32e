/**
 * The columns of the fleet's table. Each owns all that is known of it: in which sets it is shown, its
 * room, its cell, what is found and compared in it, and what it is sorted by.
 */

/** @import {HostSample, ServerView} from '../model/types.js' */
/** @import {ColumnOf} from '../model/table.js' */
import { age, duration, milliseconds, moment } from '../model/format.js';
import { SERVER_ORDER, SERVER_SYMBOLS, plain } from '../model/words.js';
import { share } from '../model/system.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Curve } from './curve.js';
import { FLAGS, bytes, flagWords, percent, reasonWords, serverAddress, slotsWords, stateWord, whyWords } from './words.js';

/** @typedef {'work'|'host'|'versions'|'all'} ColumnSet */

/**
 * What a cell is drawn with beside its server.
 * @typedef {object} Around
 * @property {number} now the machines' time
 * @property {HostSample[]} samples
 */

/** @typedef {(server: ServerView, around: Around) => void} Draw */

/**
 * @typedef {ColumnOf<ServerView> & {sets: ColumnSet[], least: number, share?: number, phone?: string, right?: boolean,
 *   cell: (cell: HTMLElement) => Draw}} FleetColumn
 */

/** @type {[ColumnSet, string][]} */
export const SETS = [['work', 'Work'], ['host', 'Hosts'], ['versions', 'Versions'], ['all', 'All columns']];

/** @type {ColumnSet[]} */
const EVERY = ['work', 'host', 'versions', 'all'];
const MUCH = 90; // percent of something that a host has, from which on it is marked

/** @type {FleetColumn[]} */
export const COLUMNS = [
  {
    id: 'server', title: 'Server', sets: EVERY, least: 118, share: 0.6, phone: '1 / 2',
    text: ({ server }) => server, key: ({ server }) => server,
    cell: (cell) => {
      const link = h('a', { class: 'server-link', tabIndex: -1 });
      cell.append(link);
      return ({ server }) => {
        setText(link, plain(server));
        setAttribute(link, 'href', serverAddress(server));
      };
    },
  },
  {
    id: 'state', title: 'State', sets: EVERY, least: 114, phone: '1 / 3',
    text: stateWord, key: (server) => SERVER_ORDER[server.state],
    cell: (cell) => {
      const symbol = h('span', { class: 'symbol', 'aria-hidden': 'true' });
      const word = h('span', { class: 'word' });
      cell.append(symbol, word);
      return (server) => {
        setText(symbol, SERVER_SYMBOLS[server.state]);
        setText(word, stateWord(server));
      };
    },
  },
  {
    id: 'why', title: 'Why', sets: ['work', 'all'], least: 190, share: 2, phone: '3 / 2 / 4 / 5',
    text: whyWords, key: (server) => whyWords(server) || '\uffff',
    cell: (cell) => {
      const chips = h('span', { class: 'flags' });
      const words = h('span', { class: 'why' });
      cell.append(chips, words);
      /** @type {unknown} */
      let drawn = null;
      return (server) => {
        const flags = server.flags ?? [];
        if (drawn !== server.flags) {
          drawn = server.flags;
          chips.replaceChildren(...flags.map((flag) => h('span', { class: `flag ${FLAGS[flag.kind].look}`, title: flagWords(flag) },
            h('span', { 'aria-hidden': 'true' }, FLAGS[flag.kind].symbol), h('span', {}, FLAGS[flag.kind].word))));
        }
        setText(words, reasonWords(server));
        setAttribute(cell, 'title', whyWords(server) || null);
      };
    },
  },
  words('host', 'Host', EVERY, 100, (server) => server.host ?? '', { share: 0.7 }),
  words('labels', 'Labels', ['versions', 'all'], 100, ({ labels }) => (labels ?? []).join(', '), { share: 1 }),
  {
    ...words('slots', 'Slots', ['work', 'all'], 104, slotsWords, { phone: '1 / 4' }),
    key: ({ usable = 0, slots = 0 }) => -(usable * 1000 + slots), number: ({ busy }) => busy?.length ?? 0,
  },
  words('doing', 'What it is doing', ['work', 'all'], 130, ({ busy, state }) => (busy ?? []).map(doing).join(', ') || (state === 'ON' ? 'idle' : ''), { share: 1.2 }),
  curved('cpu', 'CPU', ['work', 'host', 'all'], 1, (server) => host(server)?.cpu_percent, percent, '2 / 2'),
  number('cpus', 'CPUs', ['host', 'all'], 52, (server) => host(server)?.cpus),
  number('load', 'Load', ['host', 'all'], 56, (server) => host(server)?.load_1, (value) => value.toFixed(2)),
  curved('memory', 'Memory', ['work', 'host', 'all'], 3, memoryShare, percent, '2 / 3', (server) => of(host(server)?.memory_used_b, host(server)?.memory_total_b)),
  number('swap', 'Swap', ['host', 'all'], 62, (server) => (host(server)?.swap_total_b ? share(host(server)?.swap_used_b ?? 0, host(server)?.swap_total_b ?? 0) : null), percent,
    (server) => of(host(server)?.swap_used_b, host(server)?.swap_total_b)),
  number('disk', 'Disk', ['host', 'all'], 62, diskShare, percent, (server) => (host(server)?.disks ?? []).map((one) => `${plain(one.path)}: ${bytes(one.free_b)} of ${bytes(one.total_b)} free`).join('\n')),
  number('temperature', 'Temp.', ['host', 'all'], 60, (server) => host(server)?.temperature_c, (value) => `${Math.round(value)} °C`),
  number('done', 'Done', ['work', 'all'], 58, (server) => server.facts?.done),
  number('failed', 'Failed', ['work', 'all'], 58, (server) => server.facts?.failed),
  number('cpu_time', 'CPU time', ['work', 'all'], 84, (server) => server.facts?.cpu_time_s, duration),
  {
    ...number('seen', 'Last seen', EVERY, 82, (server) => server.last_seen_at, (at) => moment(at), undefined, '2 / 4'),
    key: ({ last_seen_at: at }) => -(at ?? 0),
    cell: (cell) => ({ last_seen_at: at }, { now }) => {
      setText(cell, at ? `${age(now - at)} ago` : 'never');
      setAttribute(cell, 'title', at ? moment(at) : null);
    },
  },
  number('beat', 'Beat', ['versions', 'all'], 58, (server) => server.facts?.heartbeat_s, duration),
  number('trip', 'Round trip', ['host', 'all'], 88, (server) => server.round_trip_s, milliseconds),
  number('offset', 'Clock', ['host', 'all'], 78, (server) => host(server)?.clock_offset_s, (value) => milliseconds(value)),
  words('address', 'Address', ['versions', 'all'], 110, (server) => server.address ?? '', { share: 0.6 }),
  number('pid', 'Process', ['versions', 'all'], 70, (server) => server.pid, String),
  number('started', 'Started', ['versions', 'all'], 136, (server) => server.started_at, (at) => moment(at)),
  words('version', 'Version', ['versions', 'all'], 80, (server) => server.version ?? ''),
  words('python', 'Python', ['versions', 'all'], 70, (server) => server.facts?.python ?? ''),
  words('mdsplus', 'MDSplus', ['versions', 'all'], 78, (server) => server.facts?.mdsplus ?? ''),
  words('config', 'Config.', ['versions', 'all'], 84, (server) => server.facts?.config_hash ?? ''),
];

/** @param {ServerView} server */
function host(server) {
  return server.facts?.host ?? null;
}

/** @param {ServerView} server */
function memoryShare(server) {
  const one = host(server);
  return one ? share(one.memory_used_b, one.memory_total_b) : null;
}

/** How full the fullest of its disks is. @param {ServerView} server */
function diskShare(server) {
  const disks = host(server)?.disks ?? [];
  return disks.length > 0 ? Math.max(...disks.map((one) => share(one.total_b - one.free_b, one.total_b))) : null;
}

/** @param {number|undefined} used @param {number|undefined} total */
function of(used, total) {
  return total ? `${bytes(used ?? 0)} of ${bytes(total)}` : '';
}

/** Return an action's name without its shot and tree. @param {string} text */
function doing(text) {
  return plain(text.split(/[:.\\\s]/).at(-1) ?? text);
}

/**
 * @param {string} id
 * @param {string} title
 * @param {ColumnSet[]} sets
 * @param {number} least
 * @param {(server: ServerView) => string} of
 * @param {{share?: number, phone?: string}} [more]
 * @returns {FleetColumn}
 */
function words(id, title, sets, least, of, more = {}) {
  return {
    id, title, sets, least, ...more, text: of, key: (server) => of(server) || '\uffff',
    cell: (cell) => (server) => {
      const shown = plain(of(server));
      setText(cell, shown);
      setAttribute(cell, 'title', shown || null);
    },
  };
}

/**
 * @param {string} id
 * @param {string} title
 * @param {ColumnSet[]} sets
 * @param {number} least
 * @param {(server: ServerView) => number|null|undefined} of
 * @param {(value: number) => string} [shown]
 * @param {(server: ServerView) => string} [titled]
 * @param {string} [phone]
 * @returns {FleetColumn}
 */
function number(id, title, sets, least, of, shown = String, titled, phone) {
  /** @param {ServerView} server */
  const text = (server) => {
    const value = of(server);
    return value === null || value === undefined ? '' : shown(value);
  };
  return {
    id, title, sets, least, phone, right: true, text, key: (server) => -(of(server) ?? -Infinity), number: of,
    cell: (cell) => (server) => {
      setText(cell, text(server));
      if (titled) setAttribute(cell, 'title', titled(server) || null);
      if (shown === percent) cell.classList.toggle('much', (of(server) ?? 0) >= MUCH);
    },
  };
}

/**
 * A share with a small curve of the last hour.
 * @param {string} id
 * @param {string} title
 * @param {ColumnSet[]} sets
 * @param {number} place in a sample
 * @param {(server: ServerView) => number|null|undefined} of
 * @param {(value: number|null|undefined) => string} shown
 * @param {string} phone
 * @param {(server: ServerView) => string} [titled]
 * @returns {FleetColumn}
 */
function curved(id, title, sets, place, of, shown, phone, titled) {
  return {
    ...number(id, title, sets, 112, of, shown, titled, phone),
    cell: (cell) => {
      const curve = new Curve({ width: 56, height: 20, most: 100 });
      const value = h('span', { class: 'curve-value' });
      cell.append(curve.element, value);
      return (server, { samples }) => {
        curve.draw(samples, place);
        setText(value, shown(of(server)));
        value.classList.toggle('much', (of(server) ?? 0) >= MUCH);
        setAttribute(cell, 'title', titled?.(server) || null);
      };
    },
  };
}

/** Return the style that gives the columns their places, by set and on a telephone. */
export function columnStyle() {
  const rows = ':is(.fleet-head, .fleet-row)';
  const sets = SETS.map(([set]) => {
    const shown = COLUMNS.filter((one) => one.sets.includes(set));
    const tracks = shown.map(({ least, share: part }) => (part === undefined ? `${least}px` : `minmax(${least}px, ${part}fr)`));
    const least = shown.reduce((sum, one) => sum + one.least, 34);
    const gone = COLUMNS.filter((one) => !one.sets.includes(set)).map(({ id }) => `.f-${id}`);
    return `[data-set="${set}"] ${rows} { grid-template-columns: 34px ${tracks.join(' ')}; min-width: ${least}px; }
      ${gone.length > 0 ? `[data-set="${set}"] ${rows} > :is(${gone.join(', ')}) { display: none; }` : ''}`;
  });
  const cards = COLUMNS.filter((one) => one.phone);
  return [
    ...sets,
    'body.phone [data-set] .fleet-row { grid-template: 1fr 1fr 1fr / 30px minmax(0, 1fr) minmax(0, 1fr) 84px; min-width: 0; }',
    `body.phone [data-set] .fleet-row > .cell:not(.f-tick, ${cards.map(({ id }) => `.f-${id}`).join(', ')}) { display: none; }`,
    ...cards.map(({ id, phone }) => `body.phone [data-set] .fleet-row > .f-${id} { display: flex; grid-area: ${phone}; }`),
  ].join('\n');
}
