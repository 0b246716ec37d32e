/**
 * The fleet's table: a row for each server, by group where wanted.
 */

/** @import {ServerView} from '../model/types.js' */
/** @import {Grouping} from './words.js' */
import { Grid, useColumns } from '../view/grid.js';
import { useStyle } from '../view/style.js';
import { COLUMNS, SETS } from './columns.js';
import { grouped, hostWords, serverAddress, totals } from './words.js';

useStyle(import.meta.url);
useColumns('fleet-table', COLUMNS, SETS.map(([set]) => set));

/** What the table's keys do. @type {[string, string][]} */
export const KEYS = [
  ['↑ ↓ PgUp PgDn Home End', 'move in the fleet'],
  ['Space, Shift+↑ ↓', 'select servers; on a group all of it'],
  ['Ctrl+A, Esc', 'select all that are shown; none'],
  ['Enter', 'the server’s page'],
];

/** @extends {Grid<ServerView>} */
export class FleetTable extends Grid {
  label = 'fleet';
  one = 'server';
  set = 'work';
  twoLines = true;
  columns = COLUMNS;
  /** @type {Grouping} */ by = 'none';

  source() {
    return this.app.servers.sorted();
  }

  inputs() {
    return [this.app.servers, this.app.servers.version];
  }

  /** @param {ServerView} server */
  keyOf({ server }) {
    return server;
  }

  /** @param {ServerView} server */
  now(server) {
    return this.app.servers.byName.get(server.server) ?? server;
  }

  /** @param {ServerView} server */
  around({ server }) {
    return [this.app.servers.samples.get(server)];
  }

  /** @param {ServerView} server */
  look(server) {
    return `server-${server.state}${worst(server)}`;
  }

  /** @param {ServerView[]} servers */
  grouped(servers) {
    return grouped(servers, this.by);
  }

  /** @param {string} _group @param {ServerView[]} servers */
  groupWords(_group, servers) {
    const of = totals(servers);
    const host = this.by === 'host' ? hostWords(servers) : '';
    const ill = [of.suspect && `${of.suspect} suspect`, of.lost && `${of.lost} lost`, of.absent && `${of.absent} absent`].filter(Boolean);
    const about = [`${of.servers} ${of.servers === 1 ? 'server' : 'servers'}`, ...ill, of.slots && `${of.busy} of ${of.usable} slots busy`, of.slots && `${of.done} done`, of.failed && `${of.failed} failed`, host];
    return { look: servers.some((one) => worst(one) === ' ill-row') ? 'ill-group' : '', about: about.filter(Boolean).join('  ·  ') };
  }

  /** @param {boolean} any */
  emptyWords(any) {
    return any ? 'No server fits the filters.' : 'No action server is known.';
  }

  /** @param {ServerView} server */
  open({ server }) {
    window.location.hash = serverAddress(server);
  }
}

/** @param {ServerView} server */
function worst({ flags = [] }) {
  if (flags.some(({ kind }) => kind === 'failing' || kind === 'stuck')) return ' ill-row';
  return flags.some(({ kind }) => kind !== 'differs' && kind !== 'limited') ? ' limits-row' : '';
}

customElements.define('fleet-table', FleetTable);
