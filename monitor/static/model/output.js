/**
 * The output of one attempt: its lines with their colours, without a gap or a repeat. Pure.
 */

/** @import {Piece, Style} from './ansi.js' */
import { noStyle, parse, strip } from './ansi.js';
import { clock } from './format.js';

/**
 * @typedef {object} Line
 * @property {number} number -1 for a note of the page's
 * @property {number} at
 * @property {number} stream 1 standard output, 2 standard error, 0 a note of Shotline's
 * @property {string} text as it came
 * @property {Piece[]} pieces
 */

const LINES_MAX = 200_000;
const CHARACTERS_MAX = 32_000_000;

/** Lines as they arrive; colours go on from line to line within a stream. The oldest are dropped. */
export class Output {
  /** @param {number} [linesMax] @param {number} [charactersMax] */
  constructor(linesMax = LINES_MAX, charactersMax = CHARACTERS_MAX) {
    this.linesMax = linesMax;
    this.charactersMax = charactersMax;
    /** @type {Line[]} */
    this.lines = [];
    this.characters = 0;
    /** How many lines went before the first one that is kept. */
    this.dropped = 0;
    /** Whether it was told already that something is missing here. */
    this.told = false;
    this.next = 0;
    this.version = 0;
    /** Characters of the longest line. */
    this.widest = 0;
    /** @type {Map<number, Style>} */
    this.styles = new Map();
    /** Lines that have not ended, by stream. @type {Map<number, Line>} */
    this.tails = new Map();
  }

  /** How many lines there are to show. */
  get length() {
    return this.lines.length + this.tails.size;
  }

  /** Return a line to show: behind all others those that have not ended. @param {number} index */
  at(index) {
    return this.lines[index] ?? [...this.tails.values()][index - this.lines.length];
  }

  /**
   * Take the line that has not ended in a stream: it stands last until it comes as a line.
   * @param {number} at @param {number} stream @param {string} text
   */
  tail(at, stream, text) {
    const { pieces } = parse(text, this.styles.get(stream) ?? noStyle());
    this.tails.set(stream, { number: -1, at, stream, text, pieces });
    this.widest = Math.max(this.widest, text.length);
    this.version += 1;
  }

  /** Nothing more comes. */
  end() {
    this.tails.clear();
    this.version += 1;
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
      if (number > this.next && !this.told) this.note(`${number - this.next} lines are missing here`);
      this.next = number + 1;
      this.told = false;
      const { pieces, style } = parse(text, this.styles.get(stream) ?? noStyle());
      this.styles.set(stream, style);
      this.tails.delete(stream);
      this.#push({ number, at, stream, text, pieces });
    }
  }

  /** @param {string} text */
  note(text) {
    this.#push({ number: -1, at: 0, stream: 0, text, pieces: [{ text, style: noStyle() }] });
  }

  /** What is missing from here on is told once. @param {string} reason */
  cut(reason) {
    this.note(reason || 'lines are missing here');
    this.told = true;
  }

  clear() {
    this.lines = [];
    this.characters = 0;
    this.dropped = 0;
    this.told = false;
    this.next = 0;
    this.widest = 0;
    this.styles.clear();
    this.tails.clear();
    this.version += 1;
  }

  /** Return the whole as plain text. */
  text() {
    return [...this.lines, ...this.tails.values()].map((line) => `${clock(line.at, 3)} ${strip(line.text)}\n`).join('');
  }

  /** @param {Line} line */
  #push(line) {
    this.lines.push(line);
    this.widest = Math.max(this.widest, line.pieces.reduce((sum, piece) => sum + piece.text.length, 0));
    this.characters += line.text.length;
    this.version += 1;
    if (this.lines.length > this.linesMax || this.characters > this.charactersMax) this.#drop();
  }

  /** Drop a tenth of the oldest, and more where they are long; the last one stays. */
  #drop() {
    let count = 0;
    while (
      count < this.lines.length - 1 &&
      (this.lines.length - count > this.linesMax * 0.9 || this.characters > this.charactersMax * 0.9)
    ) {
      this.characters -= this.lines[count].text.length;
      count += 1;
    }
    this.lines.splice(0, count);
    this.dropped += count;
  }
}
