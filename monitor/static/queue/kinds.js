/** The kinds of plans, as the dispatcher tells of them: asked for again when they have changed. */

/** @import {App} from '../view/app.js' */
/** @import {KindView} from '../model/types.js' */
import { get } from '../view/api.js';
import { Inputs } from '../view/part.js';
import { QUEUE } from './board.js';

export class Kinds {
  /** @type {KindView[]} */ all = [];
  /** @type {string[]} */ experiments = [];
  /** Whether a plan must be of a kind. */
  only = false;
  version = 0;
  #asked = new Inputs();

  /** @param {App} app */
  constructor(app) {
    this.app = app;
  }

  /** @param {string|undefined} name */
  of(name) {
    return this.all.find((one) => one.name === name);
  }

  /** Ask where it is time to. */
  look() {
    const { app } = this;
    const versions = app.of(QUEUE).view?.versions;
    if (!app.live || !versions) return;
    if (this.#asked.changed(versions.kinds, versions.groups, app.system.view.term)) void this.ask();
  }

  async ask() {
    const [allowed, kinds] = await Promise.all([get('queue_allowed', {}), get('queue_kinds', {})]);
    if (allowed.status !== 200 || kinds.status !== 200) return;
    this.all = allowed.data.result.kinds ?? [];
    this.experiments = allowed.data.result.experiments ?? [];
    this.only = kinds.data.result.kinds_only ?? false;
    this.version += 1;
    this.app.changed();
  }
}
