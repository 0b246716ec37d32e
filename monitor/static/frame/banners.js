/**
 * What whoever looks must know before anything else: who is away and what helps, that another shot
 * is shown than the current one, and that its tables are no longer what their source says.
 */

import { shownShot } from '../model/system.js';
import { troubleOf } from '../model/trouble.js';
import { plain } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Part } from '../view/part.js';
import { useStyle } from '../view/style.js';

useStyle(import.meta.url);

export class Banners extends Part {
  #what = h('strong');
  #effect = h('span');
  #command = h('code');
  #trouble = h('div', { class: 'banner', role: 'alert', hidden: true }, this.#what, this.#effect, this.#command);
  #shown = h('span');
  #go = h('button', { class: 'small', onclick: () => this.app.go({ tree: this.#tree, shot: null, wrong: '' }) });
  #older = h('div', { class: 'banner older', role: 'status', hidden: true }, this.#shown, this.#go);
  #source = h('div', { class: 'banner warn', role: 'status', hidden: true });
  #tree = '';

  build() {
    this.append(this.#trouble, this.#older, this.#source);
  }

  draw() {
    this.#drawTrouble();
    this.#drawOlder();
    this.#drawSource();
  }

  #drawTrouble() {
    const { app } = this;
    const running = (app.shot?.rows ?? []).filter((row) => row.category === 'in_progress');
    const names = running.map((row) => plain(row.view.name || row.path));
    const trouble = troubleOf(app.system, { connected: app.feed.connected, lostAt: app.feed.lostAt, running: names });
    this.#trouble.hidden = trouble === null;
    if (!trouble) return;
    setAttribute(this.#trouble, 'class', `banner ${trouble.grave ? 'bad' : 'warn'}`);
    setText(this.#what, trouble.what);
    setText(this.#effect, trouble.effect);
    setText(this.#command, trouble.command);
    this.#command.hidden = trouble.command === '';
  }

  #drawOlder() {
    const { shot, system } = this.app;
    const current = shot && shownShot(system, shot.tree, null);
    const older = shot !== null && current !== null && current[1] !== shot.shot;
    this.#older.hidden = !older;
    if (!older || !current) return;
    this.#tree = shot.tree;
    setText(this.#shown, `You are looking at ${shot.name}; the current pulse is ${current[0]}/${current[1]}.`);
    setText(this.#go, `Show ${current[0]}/${current[1]}`);
  }

  #drawSource() {
    const changed = this.app.shot?.view?.source_changed ?? '';
    this.#source.hidden = changed === '';
    setText(this.#source, plain(changed));
  }
}

customElements.define('page-banners', Banners);
