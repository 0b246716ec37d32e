/**
 * The page's address: which tab, which shot, what is searched for, and all else by which a tab is
 * looked at: filters, order, selection. Pure.
 *
 *     #/actions?tree=DEMO&shot=12&find=camera&all.sort=-duration&only=failed&at=CAMERA:ARM
 *     #/audit?who=alice&outcome=refused
 *     #/server/CAMERA:1
 *
 * Tree and shot, which actions of it are looked at and which is selected, are the page's; what else
 * stands behind the question mark is the tab's own.
 */

/** @import {Category} from './types.js' */
import { CATEGORIES } from './words.js';

const SHOWS = /** @type {const} */ (['auto', 'both', 'active', 'all']);
/** @typedef {typeof SHOWS[number]} Show */
const OWN = ['tree', 'shot', 'find', 'show', 'at', 'only'];
const FILTER = /^[a-z][a-z0-9_.-]{0,39}$/;
const FILTERS_MAX = 60;
const VALUE_MAX = 2000;

/**
 * @typedef {object} Route
 * @property {string} tab or one of its views
 * @property {string} about what stands behind it: a server's name
 * @property {string} tree upper case; empty: the current one
 * @property {number|null} shot null: follow the current one
 * @property {string} wrong what stands in the place of the shot, and is none; else empty
 * @property {string|null} at the selected action's path
 * @property {Category|null} only the actions of one category; null: all
 * @property {string} find
 * @property {Show} show auto: both where there is room
 * @property {Record<string, string>} filters what else the tab has set, by names of its own; those
 *   that are empty are left out
 */

/**
 * @param {string} hash
 * @param {string[]} tabs that there are; the first where none of them is named
 * @returns {Route}
 */
export function readRoute(hash, tabs) {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const values = new URLSearchParams(query);
  const [name, ...rest] = path.split('/');
  const tab = tabs.find((one) => one === name) ?? tabs[0];
  const text = (values.get('shot') ?? '').trim();
  return {
    tab,
    about: name === tab ? decoded(rest.join('/')) : '',
    tree: (values.get('tree') ?? '').trim().toUpperCase(),
    ...readShot(text),
    at: values.get('at') || null,
    only: CATEGORIES.find(([one]) => one === values.get('only'))?.[0] ?? null,
    find: values.get('find') ?? '',
    show: SHOWS.find((one) => one === values.get('show')) ?? 'auto',
    filters: Object.fromEntries([...values].filter(([key, value]) => value && isFilter(key)).slice(0, FILTERS_MAX)
      .map(([key, value]) => [key, value.slice(0, VALUE_MAX)])),
  };
}

/** @param {Route} route */
export function writeRoute(route) {
  const values = new URLSearchParams();
  if (route.tree) values.set('tree', route.tree);
  if (route.wrong || route.shot !== null) values.set('shot', route.wrong || String(route.shot));
  if (route.at) values.set('at', route.at);
  if (route.only) values.set('only', route.only);
  if (route.find) values.set('find', route.find);
  if (route.show !== 'auto') values.set('show', route.show);
  for (const [name, value] of Object.entries(route.filters)) {
    if (value && isFilter(name)) values.set(name, value);
  }
  const query = values.toString();
  const about = route.about ? `/${encodeURIComponent(route.about).replaceAll('%3A', ':')}` : '';
  return `#/${route.tab}${about}${query ? `?${query}` : ''}`;
}

/** @param {string} name */
function isFilter(name) {
  return FILTER.test(name) && !OWN.includes(name);
}

/**
 * Return what of a route a tab keeps for itself while another one is looked at.
 * @param {Route} route
 */
export function ownOf({ find, show, filters }) {
  return { find, show, filters };
}

/** What a tab begins with. @returns {ReturnType<typeof ownOf>} */
export function nothingOwn() {
  return { find: '', show: 'auto', filters: {} };
}

/**
 * Return what is sorted by, as it stands in the address: `-duration` is downwards.
 * @param {string|undefined} text
 * @returns {{sort: string|null, descending: boolean}}
 */
export function readSort(text = '') {
  return { sort: text.replace(/^-/, '') || null, descending: text.startsWith('-') };
}

/** @param {string|null} sort @param {boolean} descending */
export function writeSort(sort, descending) {
  return sort === null ? '' : `${descending ? '-' : ''}${sort}`;
}

/**
 * Return how a table is looked at, by an address: `all.node=cam` filters its column Node, and
 * `all.sort=-duration` sorts it.
 * @param {Record<string, string>} filters
 * @param {string} table its name there
 * @returns {{filters: Record<string, string>, sort: string|null, descending: boolean}}
 */
export function readTable(filters, table) {
  const own = Object.entries(filters).filter(([name]) => name.startsWith(`${table}.`)).map(([name, value]) => [name.slice(table.length + 1), value]);
  const { sort: sorted, ...columns } = Object.fromEntries(own);
  return { filters: columns, ...readSort(sorted) };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Return what a text says of the shot; what cannot be read never means the current one.
 * @param {string} text empty: the current one
 * @returns {{shot: number|null, wrong: string}}
 */
export function readShot(text) {
  const trimmed = text.trim();
  const shot = shotNumber(trimmed);
  return { shot, wrong: shot === null ? trimmed : '' };
}

/**
 * Return the shot that a text names; null when it names none.
 * @param {string} text
 * @returns {number|null}
 */
export function shotNumber(text) {
  const trimmed = text.trim();
  if (!/^-?\d{1,10}$/.test(trimmed)) return null;
  const number = Number(trimmed);
  return number >= -1 && number <= 2 ** 31 - 1 ? number : null;
}
