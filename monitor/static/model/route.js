/**
 * The page's address: which tab, which shot, what is searched for. Pure.
 *
 *     #/actions?tree=DEMO&shot=12&find=camera
 *     #/audit?who=alice&outcome=refused
 *     #/server/CAMERA:1
 */

const SHOWS = /** @type {const} */ (['auto', 'both', 'active', 'all']);
/** @typedef {typeof SHOWS[number]} Show */
const FILTERS = ['since', 'who', 'command', 'about', 'outcome'];

/**
 * @typedef {object} Route
 * @property {string} tab or one of its views
 * @property {string} about what stands behind it: a server's name
 * @property {string} tree upper case; empty: the current one
 * @property {number|null} shot null: follow the current one
 * @property {string} wrong what stands in the place of the shot, and is none; else empty
 * @property {string} find
 * @property {Show} show auto: both where there is room
 * @property {Record<string, string>} filters of the tabs that have some; those that are empty are left out
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
    find: values.get('find') ?? '',
    show: SHOWS.find((one) => one === values.get('show')) ?? 'auto',
    filters: Object.fromEntries(FILTERS.map((name) => [name, values.get(name) ?? '']).filter(([, value]) => value)),
  };
}

/** @param {Route} route */
export function writeRoute(route) {
  const values = new URLSearchParams();
  if (route.tree) values.set('tree', route.tree);
  if (route.wrong || route.shot !== null) values.set('shot', route.wrong || String(route.shot));
  if (route.find) values.set('find', route.find);
  if (route.show !== 'auto') values.set('show', route.show);
  for (const name of FILTERS) {
    if (route.filters[name]) values.set(name, route.filters[name]);
  }
  const query = values.toString();
  const about = route.about ? `/${encodeURIComponent(route.about).replaceAll('%3A', ':')}` : '';
  return `#/${route.tab}${about}${query ? `?${query}` : ''}`;
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
