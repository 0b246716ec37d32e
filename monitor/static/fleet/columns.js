/**
 * The columns of the fleet's table. Each owns all that is known of it: in which sets it is shown, its
 * room, its cell, what is found and compared in it, and what it is sorted by.
 */

/** @import {ServerView} from '../model/types.js' */
/** @import {Form, GridColumn} from '../view/grid.js' */
import { age, bytes, duration, milliseconds, moment, percent } from '../model/format.js';
import { SERVER_ORDER, SERVER_SYMBOLS, plain } from '../model/words.js';
import { share } from '../model/system.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { flag } from '../view/flag.js';
import { number, words } from '../view/grid.js';
import { Curve } from './curve.js';
import { FLAGS, flagWords, reasonWords, serverAddress, slotsWords, stateWord, whyWords } from './words.js';

/** @typedef {'work'|'host'|'versions'|'all'} ColumnSet */

/** @type {[ColumnSet, string][]} */
export const SETS = [['work', 'Work'], ['host', 'Hosts'], ['versions', 'Versions'], ['all', 'All columns']];

/** @type {ColumnSet[]} */
const EVERY = ['work', 'host', 'versions', 'all'];
const MUCH = 90; // percent of something that a host has, from which on it is marked

/** @type {never[]} */
const NONE = [];

/** @type {GridColumn<ServerView>[]} */
export const COLUMNS = [
  {
    id: 'server', title: 'Server', sets: EVERY, least: 118, share: 0.3, phone: '1 / 2',
    text: ({ server }) => server, key: ({ server }) => server,
    cell: (cell) => {
      const link = h('a', { class: 'grid-link', tabIndex: -1 });
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
    text: whyWords, key: whyWords,
    cell: (cell) => {
      const chips = h('span', { class: 'flags' });
      const words = h('span', { class: 'why whole' });
      cell.append(chips, words);
      /** @type {unknown} */
      let drawn = null;
      return (server) => {
        const flags = server.flags ?? [];
        if (drawn !== server.flags) {
          drawn = server.flags;
          chips.replaceChildren(...flags.map((one) => flag(FLAGS[one.kind], flagWords(one))));
        }
        setText(words, reasonWords(server));
        setAttribute(cell, 'title', whyWords(server) || null);
      };
    },
  },
  words('host', 'Host', 100, (server) => server.host ?? '', { sets: EVERY, share: 0.7 }),
  words('labels', 'Labels', 100, ({ labels }) => (labels ?? []).join(', '), { sets: ['versions', 'all'], share: 1 }),
  {
    ...words('slots', 'Slots', 104, slotsWords, { sets: ['work', 'all'], phone: '1 / 4' }),
    key: ({ usable = 0, slots = 0 }) => (slots ? usable * 1000 + slots : null), down: true, number: ({ busy }) => busy?.length ?? 0,
  },
  words('doing', 'What it is doing', 130, ({ busy, state }) => (busy ?? []).map(doing).join(', ') || (state === 'ON' ? 'idle' : ''), { sets: ['work', 'all'], share: 0.7 }),
  curved('cpu', 'CPU', 1, (server) => host(server)?.cpu_percent, { sets: ['work', 'host', 'all'], phone: '2 / 2', leaves: 'tight' }),
  number('cpus', 'CPUs', 52, (server) => host(server)?.cpus, { sets: ['host', 'all'] }),
  number('load', 'Load', 56, (server) => host(server)?.load_1, { sets: ['host', 'all'], shown: (value) => value.toFixed(2) }),
  curved('memory', 'Memory', 3, memoryShare, { sets: ['work', 'host', 'all'], phone: '2 / 3', leaves: 'tight', titled: (server) => of(host(server)?.memory_used_b, host(server)?.memory_total_b) }),
  number('swap', 'Swap', 62, (server) => (host(server)?.swap_total_b ? share(host(server)?.swap_used_b ?? 0, host(server)?.swap_total_b ?? 0) : null),
    { sets: ['host', 'all'], shown: percent, much: MUCH, titled: (server) => of(host(server)?.swap_used_b, host(server)?.swap_total_b) }),
  number('disk', 'Disk', 62, diskShare,
    { sets: ['host', 'all'], shown: percent, much: MUCH, titled: (server) => (host(server)?.disks ?? []).map((one) => `${plain(one.path)}: ${bytes(one.free_b)} of ${bytes(one.total_b)} free`).join('\n') }),
  number('temperature', 'Temp.', 60, (server) => host(server)?.temperature_c, { sets: ['host', 'all'], shown: (value) => `${Math.round(value)} °C` }),
  number('done', 'Done', 58, (server) => server.facts?.done, { sets: ['work', 'all'], leaves: 'tight' }),
  number('failed', 'Failed', 58, (server) => server.facts?.failed, { sets: ['work', 'all'], leaves: 'tight' }),
  number('cpu_time', 'CPU time', 84, (server) => server.facts?.cpu_time_s, { sets: ['work', 'all'], leaves: 'middle', shown: duration }),
  {
    ...number('seen', 'Last seen', 82, (server) => server.last_seen_at, { sets: EVERY, leaves: 'tight', shown: moment, phone: '2 / 4' }),
    key: ({ last_seen_at: at }) => at,
    cell: (cell) => ({ last_seen_at: at }, now) => {
      setText(cell, at ? `${age(now - at)} ago` : 'never');
      setAttribute(cell, 'title', at ? moment(at) : null);
    },
  },
  number('beat', 'Beat', 58, (server) => server.facts?.heartbeat_s, { sets: ['versions', 'all'], shown: duration }),
  number('trip', 'Round trip', 88, (server) => server.round_trip_s, { sets: ['host', 'all'], shown: milliseconds }),
  number('offset', 'Clock', 78, (server) => host(server)?.clock_offset_s, { sets: ['host', 'all'], shown: milliseconds }),
  words('address', 'Address', 110, (server) => server.address ?? '', { sets: ['versions', 'all'], share: 0.6 }),
  number('pid', 'Process', 70, (server) => server.pid, { sets: ['versions', 'all'] }),
  number('started', 'Started', 186, (server) => server.started_at, { sets: ['versions', 'all'], shown: moment }),
  words('version', 'Version', 80, (server) => server.version ?? '', { sets: ['versions', 'all'] }),
  words('python', 'Python', 70, (server) => server.facts?.python ?? '', { sets: ['versions', 'all'] }),
  words('mdsplus', 'MDSplus', 78, (server) => server.facts?.mdsplus ?? '', { sets: ['versions', 'all'] }),
  words('config', 'Config.', 84, (server) => server.facts?.config_hash ?? '', { sets: ['versions', 'all'] }),
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
 * A share with a small curve of the last hour.
 * @param {string} id
 * @param {string} title
 * @param {number} place in a sample
 * @param {(server: ServerView) => number|null|undefined} of
 * @param {{sets: ColumnSet[], phone: string, leaves?: Form, titled?: (server: ServerView) => string}} more
 * @returns {GridColumn<ServerView>}
 */
function curved(id, title, place, of, more) {
  return {
    ...number(id, title, 112, of, { ...more, shown: percent }),
    cell: (cell) => {
      const curve = new Curve({ width: 56, height: 20, most: 100 });
      const value = h('span', { class: 'curve-value' });
      cell.append(curve.element, value);
      return (server, _now, [samples = NONE]) => {
        curve.draw(samples, place);
        setText(value, percent(of(server)));
        value.classList.toggle('much', (of(server) ?? 0) >= MUCH);
        setAttribute(cell, 'title', more.titled?.(server) || null);
      };
    },
  };
}
