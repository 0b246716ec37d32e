/**
 * How volumes, groups of consumers and consumers stand: the fold of the channel `volumes`. Pure.
 */

/** @import {Channel} from './channel.js' */
/** @import {LedgerView, Message, VolumeView} from './types.js' */

export class Ledger {
  constructor() {
    /** @type {LedgerView|null} null: nothing was told yet */
    this.view = null;
    this.version = 0;
  }

  /** @param {Message} message */
  apply(message) {
    if (!message.ledger) return;
    this.view = message.ledger;
    this.version += 1;
  }

  get volumes() {
    return this.view?.volumes ?? [];
  }

  get groups() {
    return this.view?.groups ?? [];
  }

  get consumers() {
    return this.view?.consumers ?? [];
  }

  /** What counts up whenever something has happened to records. */
  get changes() {
    return this.view?.changes ?? 0;
  }

  /** How many records of all volumes stand so. @param {'ready'|'leased'|'dead'|'orphaned'|'done'} state */
  count(state) {
    return this.volumes.reduce((sum, { counts }) => sum + (counts?.[state] ?? 0), 0);
  }

  /** When the oldest ready record of all was announced. @returns {number|null} */
  get oldestAt() {
    const found = this.volumes.map(({ oldest_ready_at: at }) => at).filter((at) => typeof at === 'number');
    return found.length > 0 ? Math.min(...found) : null;
  }
}

/** @type {Channel<Ledger>} */
export const VOLUMES = { id: 'volumes', state: true, fold: () => new Ledger() };

/** @typedef {'trouble'|'low'|'unwatched'|'late'|'dead'|'kept_out'} VolumeAlertKind */

/**
 * Return what to look at, what is worst first.
 * @param {VolumeView[]} volumes
 * @returns {{kind: VolumeAlertKind, volume: string, text: string, at?: number|null}[]}
 */
export function alertsOf(volumes) {
  /** @type {ReturnType<typeof alertsOf>} */
  const found = [];
  for (const { volume, counts, trouble, low, late, watched, seen_at: seen, kept_out: kept = 0, oldest_ready_at: oldest } of volumes) {
    if (trouble) found.push({ kind: 'trouble', volume, text: trouble });
    if (low) found.push({ kind: 'low', volume, text: 'less is free on its disk than the configuration wants' });
    if (!watched && seen) found.push({ kind: 'unwatched', volume, text: 'its watcher says nothing', at: seen });
    if (late) found.push({ kind: 'late', volume, text: 'its oldest ready record waits longer than the configuration wants', at: oldest });
    const dead = counts?.dead ?? 0;
    if (dead) found.push({ kind: 'dead', volume, text: dead === 1 ? '1 record is dead' : `${dead} records are dead` });
    if (kept) found.push({ kind: 'kept_out', volume, text: kept === 1 ? '1 file could not be read' : `${kept} files could not be read` });
  }
  const order = ['trouble', 'low', 'unwatched', 'late', 'dead', 'kept_out'];
  return found.sort((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind));
}
