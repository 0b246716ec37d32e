/**
 * Whether what is shown is what is: always visible, in words, and since when it is not.
 */

import { age, clock } from '../model/format.js';
import { plain } from '../model/words.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Part } from '../view/part.js';

export class ConnectionState extends Part {
  #journal = h('span', { class: 'pill bad', hidden: true });
  #symbol = h('span', { class: 'symbol', 'aria-hidden': 'true' });
  // What changes at every second is seen, and not said.
  #text = h('span', { class: 'state-text', 'aria-hidden': 'true' });
  #said = h('span', { class: 'unseen', role: 'status' });
  #pill = h('span', { class: 'pill' }, this.#symbol, this.#text, this.#said);

  build() {
    this.append(this.#journal, this.#pill);
  }

  draw() {
    const { view, known } = this.app.system;
    const { feed } = this.app;
    const browser = Date.now() / 1000;
    let text = 'live';
    let kind = 'good';
    if (!feed.connected) {
      kind = 'bad';
      text = feed.lostAt === null
        ? 'connecting to the monitor …'
        : `no connection to the monitor since ${clock(feed.lostAt)} (${age(browser - feed.lostAt)})`;
    } else if (view.feed === 'stopped') {
      kind = 'bad';
      const at = view.feed_stopped_at ?? null;
      text = at === null
        ? 'the feed has stopped'
        : `the feed has stopped since ${clock(at)} (${age(this.app.now() - at)})`;
    } else if (view.feed === 'connecting' || !known) {
      kind = 'bad';
      text = 'waiting for the dispatcher …';
    } else if (view.recovering) {
      kind = 'warn';
      text = 'live, the dispatcher recovers';
    }
    setText(this.#text, text);
    setText(this.#said, text.replace(/ \([^()]*\)$/, ''));
    setText(this.#symbol, kind === 'good' ? '●' : kind === 'warn' ? '◐' : '▲');
    setAttribute(this.#pill, 'class', `pill ${kind}`);
    this.#drawJournal();
  }

  #drawJournal() {
    const { journal, journal_text: why } = this.app.system.view;
    const bad = journal === 'degraded' || journal === 'stopped';
    this.#journal.hidden = !bad;
    if (!bad) return;
    setText(this.#journal, journal === 'degraded' ? '▲ DEGRADED: Redis is away' : '▲ journal stopped: nothing new starts');
    this.#journal.title = plain(why ?? '');
  }
}

customElements.define('connection-state', ConnectionState);
