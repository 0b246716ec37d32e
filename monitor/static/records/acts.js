/** What people do to records and volumes: each act says what it is about, asks what it needs, and shows its answer. */

/** @import {RecordView} from '../model/types.js' */
import { plain } from '../model/words.js';
import { run, runAll } from '../view/commands.js';
import { ask, askFor } from '../view/dialog.js';
import { exactly, many } from './words.js';

/** @typedef {{volume: string, path: string}} File */

/** Offer dead records again. @param {RecordView[]} records */
export async function redrive(records) {
  const dead = records.filter(({ state }) => state === 'dead');
  if (dead.length === 0) return;
  const what = `Redrive ${many(dead.length, 'record')}`;
  const items = dead.map(({ volume, path, part, group }) => plain(`${volume} ${path}${part.name ? ` ${part.name}` : ''} for ${group}`));
  if (dead.length > 1 && !(await ask({ title: `${what}?`, text: 'They are offered again, with all their attempts before them.', items, yes: 'Redrive', danger: false }))) return;
  await run(what, 'records_redrive', { numbers: dead.map(({ number }) => number) });
}

/** Offer all dead records of a volume or a group again. @param {{volume?: string, group?: string}} of @param {number} count */
export async function redriveAll(of, count) {
  const what = `Redrive what is dead ${of.volume ? `on ${of.volume}` : `for ${of.group}`}`;
  if (await ask({ title: `${what}?`, text: `${many(count, 'record')} will be offered again, with all attempts before them.`, yes: 'Redrive', danger: false })) {
    await run(what, 'records_redrive', of);
  }
}

/** Take files off the ledger. @param {File[]} files */
export async function takeOff(files) {
  if (files.length === 0) return;
  const what = files.length === 1 ? `Take ${plain(files[0].path)} off` : `Take ${many(files.length, 'file')} off`;
  const said = await askFor({
    title: `${what}?`,
    text: 'Their records are offered no more; those that are leased may still be completed. The files themselves stay.',
    items: files.map(({ volume, path }) => plain(`${volume} ${path}`)),
    fields: [{ name: 'reason', label: 'Why (it stands in their story)' }],
    yes: 'Take off',
    danger: true,
  });
  if (!said) return;
  await runAll('records_remove', files.map((file) => ({ what: `Take ${plain(file.path)} off`, body: { ...file, reason: said.reason } })), what);
}

const SINCE = { name: 'since', label: 'Only files that were written since then (empty: all)', type: /** @type {const} */ ('datetime-local') };
const PATTERN = { name: 'pattern', label: 'Only these files', placeholder: 'all; * and ? as in run7/*.hdf5' };

/** Have a volume's watcher announce what was never announced. @param {string} volume */
export async function scan(volume) {
  const said = await askFor({
    title: `Scan ${plain(volume)}`,
    text: 'Its watcher announces what is there and was never announced, and looks again at what it has kept out.',
    fields: [SINCE, PATTERN],
    yes: 'Scan',
  });
  if (said) await run(`Scan ${plain(volume)}`, 'records_scan', { volume, ...bounds(said) });
}

/** Have a volume's watcher announce again what was, for one group. @param {string} volume @param {string[]} groups */
export async function replay(volume, groups) {
  const said = await askFor({
    title: `Replay ${plain(volume)}`,
    text: 'Its watcher announces what is there again, for one group of consumers, such as a new one.',
    fields: [{ name: 'group', label: 'For the group', type: 'choice', choices: groups.map((one) => [one, plain(one), '']) }, SINCE, PATTERN],
    yes: 'Replay',
  });
  if (said?.group) await run(`Replay ${plain(volume)} for ${plain(said.group)}`, 'records_replay', { volume, group: said.group, ...bounds(said) });
}

/** Files of one volume that are scanned for one by one; of more the whole volume is. */
const ONE_BY_ONE_MAX = 20;

/** Look again at files that were kept out. @param {File[]} files */
export async function lookAgain(files) {
  const what = `Look again at ${many(files.length, 'file')}`;
  /** @type {Map<string, string[]>} */
  const byVolume = new Map();
  for (const { volume, path } of files) byVolume.set(volume, [...(byVolume.get(volume) ?? []), path]);
  const wanted = [...byVolume].flatMap(([volume, paths]) => {
    if (paths.length > ONE_BY_ONE_MAX) return [{ what: `Scan ${plain(volume)}`, body: { volume } }];
    return paths.map((path) => ({ what: `Look again at ${plain(path)}`, body: { volume, pattern: exactly(path) } }));
  });
  await runAll('records_scan', wanted, what);
}

/** @param {Record<string, string>} said */
function bounds({ since, pattern }) {
  return { ...(since ? { since: new Date(since).getTime() / 1000 } : {}), ...(pattern.trim() ? { pattern: pattern.trim() } : {}) };
}
