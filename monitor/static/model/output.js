/**
 * The output of one attempt: its lines with their colours, without a gap or a repeat. Pure.
 */

/** @import {Piece, Style} from './ansi.js' */
import { noStyle, parse, strip } from './ansi.js';
import { clock } from './words.js';

/**
 * @typedef {object} Line
 * @property {number} number -1 for a note of the page's
 * @property {number} at
 * @property {number} stream 1 standard output, 2 standard error, 0 a note of Shotline's
 * @property {string} text as it came
 * @property {Piece[]} pieces
 */

/** Lines as they arrive; colours go on from line to line within a stream. */
export class Output {
  constructor() {
    /** @type {Line[]} */
    this.lines = [];
    this.next = 0;
    this.version = 0;
    /** Characters of the longest line. */
    this.widest = 0;
    /** @type {Map<number, Style>} */
    this.styles = new Map();
  }

  /**
   * Take lines; those that are there already are passed over.
   * @param {number} first number of the first line
   * @param {[number, number, string][]} lines
   */
  add(first, lines) {
    for (const [index, [at, stream, text]] of lines.entries()) {
      const number = first + index;
      if (number < this.next) continue;
      if (number > this.next) this.note(`${number - this.next} lines are missing here`);
      this.next = number + 1;
      const { pieces, style } = parse(text, this.styles.get(stream) ?? noStyle());
      this.styles.set(stream, style);
      this.#push({ number, at, stream, text, pieces });
    }
  }

  /** @param {string} text */
  note(text) {
    this.#push({ number: -1, at: 0, stream: 0, text, pieces: [{ text, style: noStyle() }] });
  }

  clear() {
    this.lines = [];
    this.next = 0;
    this.widest = 0;
    this.styles.clear();
    this.version += 1;
  }

  /** Return the whole as plain text. */
  text() {
    return this.lines.map((line) => `${clock(line.at, 3)} ${strip(line.text)}\n`).join('');
  }

  /** @param {Line} line */
  #push(line) {
    this.lines.push(line);
    this.widest = Math.max(this.widest, line.pieces.reduce((sum, piece) => sum + piece.text.length, 0));
    this.version += 1;
  }
}
