/** Brings a shot's file in: a button that asks for it, and how far it has come. */

/** @import {Answer} from '../view/api.js' */
import { plain } from '../model/words.js';
import { command } from '../view/api.js';
import { tell } from '../view/commands.js';
import { h, setText } from '../view/dom.js';
import { Part } from '../view/part.js';

const PIECE_BYTES = 36 * 1024;
/** A larger file is for the command line, which holds no page open. */
const BYTES_MAX = 512 * 1024 * 1024;

/** Sends `imported` when a shot was. */
export class ImportPart extends Part {
  #file = h('input', { type: 'file', accept: '.gz', hidden: true, 'aria-label': 'a shot in a file' });
  #ask = h('button', { class: 'small', onclick: () => this.#file.click() }, 'Import a file …');
  #said = h('span', { class: 'count', role: 'status' });
  #busy = false;

  build() {
    this.#file.addEventListener('change', () => {
      const [file] = this.#file.files ?? [];
      this.#file.value = ''; // so that the same one can be chosen again
      if (file && !this.#busy) void this.#import(file);
    });
    this.append(this.#ask, this.#file, this.#said);
  }

  draw() {
    this.hidden = !this.app.allows('import_shot');
    this.#ask.disabled = this.#busy || !this.app.may('import_shot');
  }

  /** @param {File} file */
  async #import(file) {
    this.#busy = true;
    const answer = await this.#sent(file).catch(() => problem('It cannot be read; has it been moved?'));
    this.#busy = false;
    setText(this.#said, '');
    tell(`Import ${plain(file.name)}`, answer);
    if (answer.outcome === 'ok') this.dispatchEvent(new Event('imported'));
    this.app.changed();
  }

  /** @param {File} file @returns {Promise<Answer>} */
  async #sent(file) {
    if (file.size > BYTES_MAX) return problem(`It has more than ${BYTES_MAX / 1024 / 1024} MiB: use shotline import.`);
    const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
    if (first !== 0x1f || second !== 0x8b) return problem('It is no shot: such a file is made by Export, and is compressed by gzip.');
    const upload = [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, '0')).join('');
    for (let offset = 0; offset < file.size; offset += PIECE_BYTES) {
      setText(this.#said, `sending, ${Math.floor((100 * offset) / file.size)} %`);
      const piece = new Uint8Array(await file.slice(offset, offset + PIECE_BYTES).arrayBuffer());
      const answer = await command('import_piece', { upload, offset, data: btoa(String.fromCharCode(...piece)) });
      if (answer.outcome !== 'ok') return answer;
    }
    setText(this.#said, 'is checked …');
    return command('import_shot', { upload, size: file.size });
  }
}

/** @param {string} message @returns {Answer} */
function problem(message) {
  return { status: 0, outcome: 'usage', message, notices: [], dangers: [], result: null, fields: [] };
}

customElements.define('import-part', ImportPart);
