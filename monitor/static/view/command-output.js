/**
 * What a command line has written, and how it ended: stays until it is closed.
 */

import { plain } from '../model/words.js';
import { h } from './dom.js';
import { Part } from './part.js';
import { useStyle } from './style.js';

useStyle(import.meta.url);

export class CommandOutput extends Part {
  build() {
    this.className = 'command-reply';
    this.hidden = true;
  }

  /**
   * @param {string} line as it would be typed
   * @param {string} how it goes, or has ended
   * @param {string} output
   * @param {boolean} good
   */
  show(line, how, output, good) {
    const close = h('button', { class: 'small quiet', onclick: () => (this.hidden = true) }, 'Close');
    this.replaceChildren(
      h('header', {}, h('code', {}, line), h('span', { class: good ? 'good' : 'bad' }, how), close),
      h('pre', { tabIndex: 0 }, output.split('\n').map(plain).join('\n')),
    );
    this.hidden = false;
  }
}

customElements.define('command-output', CommandOutput);
