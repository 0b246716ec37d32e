/**
 * The kinds of plans, and what else the group of who sits here may use, as the dispatcher tells of
 * it: asked for again when it has changed.
 */

/** @import {FunctionView, KindView, PulsePlan, QueueGroup} from '../model/types.js' */
/** @import {Editor} from './editor.js' */
import { get } from '../view/api.js';
import { Inputs } from '../view/part.js';

export class Kinds {
  /** @type {KindView[]} */ all = [];
  /** @type {string[]} */ experiments = [];
  /** @type {string[]} */ classes = [];
  /** @type {FunctionView[]} */ functions = [];
  /** The group that counts here, and all there are; without any everybody may use everything. */
  group = '';
  /** @type {Record<string, QueueGroup>} */ groups = {};
  /** Why nothing may be used: the group is none that there is. */
  problem = '';
  /** Whether a plan must be of a kind. */
  only = false;
  version = 0;
  #asked = new Inputs();

  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
  }

  /** @param {string|undefined} name */
  of(name) {
    return this.all.find((one) => one.name === name);
  }

  /** Return whether one may have such a plan here, as far as can be said. @param {PulsePlan} plan */
  fit(plan) {
    if (Object.keys(this.groups).length === 0 || plan.type === 'stop') return true;
    return plan.kind ? this.of(plan.kind) !== undefined : this.experiments.includes(plan.experiment ?? '');
  }

  /** Ask where it is time to. */
  look() {
    const { app, board, group } = this.editor;
    const versions = board.view?.versions;
    if (!app.live || !versions) return;
    if (this.#asked.changed(versions.kinds, versions.groups, app.system.view.term, group)) void this.ask();
  }

  async ask() {
    const { app, group } = this.editor;
    const [allowed, kinds] = await Promise.all([get('queue_allowed', { group: group || undefined }), get('queue_kinds', {})]);
    if (group !== this.editor.group) return; // another was chosen meanwhile
    if (allowed.status === 404 || allowed.status === 409) {
      this.problem = String(allowed.data?.message ?? '');
      Object.assign(this, { all: [], experiments: [], classes: [], functions: [], group });
    } else if (allowed.status === 200 && kinds.status === 200) {
      const { result } = allowed.data;
      this.problem = '';
      this.all = result.kinds ?? [];
      this.experiments = result.experiments ?? [];
      this.classes = result.classes ?? [];
      this.functions = result.function_views ?? [];
      this.group = result.group ?? '';
      this.groups = result.groups ?? {};
      this.only = kinds.data.result.kinds_only ?? false;
    } else {
      return;
    }
    this.version += 1;
    app.changed();
  }
}
