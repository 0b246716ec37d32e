/**
 * ANSI escape sequences: colours become styles, everything else is left out or made visible. Pure.
 *
 * The result is text and a style, never markup. What a terminal would obey (moving the cursor,
 * setting titles, links) is left out; colours go on over the lines of one stream.
 */

import { plain } from './words.js';

/**
 * @typedef {object} Style
 * @property {string|null} fg a name (`red`, `bright-red`) or `#rrggbb`
 * @property {string|null} bg
 * @property {boolean} bold
 * @property {boolean} dim
 * @property {boolean} italic
 * @property {boolean} underline
 * @property {boolean} inverse
 */

/**
 * @typedef {object} Piece
 * @property {string} text
 * @property {Style} style
 */

const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

/** @returns {Style} */
export function noStyle() {
  return { fg: null, bg: null, bold: false, dim: false, italic: false, underline: false, inverse: false };
}

// Control sequences, operating system commands and other strings, two-character escapes.
const ESCAPE = /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|\x1b\[[0-?]*[ -/]*$|\x1b[ -/]*[0-~]|\x9b[0-?]*[@-~]/g;

/**
 * Return the text of a line without any escape sequence.
 * @param {string} line
 */
export function strip(line) {
  return plain(overwritten(line.replace(ESCAPE, '')));
}

/**
 * Take a line apart; `style` is the one at its beginning. Return the pieces and the style at its end.
 * @param {string} line
 * @param {Style} [style]
 * @returns {{pieces: Piece[], style: Style}}
 */
export function parse(line, style = noStyle()) {
  /** @type {Piece[]} */
  let pieces = [];
  let at = 0;
  const begin = line.endsWith('\r') ? line.slice(0, -1) : line;
  /** @param {string} text */
  const add = (text) => {
    const back = text.lastIndexOf('\r');
    if (back >= 0) {
      pieces = []; // a line that was written over: what came last is what a terminal shows
      text = text.slice(back + 1);
    }
    if (text) pieces.push({ text: plain(text), style });
  };
  for (const match of begin.matchAll(ESCAPE)) {
    add(begin.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === 'm') style = styled(style, match[1] ?? '');
  }
  add(begin.slice(at));
  return { pieces, style };
}

/** @param {string} text */
function overwritten(text) {
  const whole = text.endsWith('\r') ? text.slice(0, -1) : text;
  return whole.slice(whole.lastIndexOf('\r') + 1);
}

/**
 * Return the style after a sequence `ESC [ codes m`.
 * @param {Style} before
 * @param {string} codes
 * @returns {Style}
 */
function styled(before, codes) {
  let style = { ...before };
  const numbers = codes.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)));
  for (let index = 0; index < numbers.length; index += 1) {
    const code = numbers[index];
    if (code === 0) style = noStyle();
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 7) style.inverse = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code === 27) style.inverse = false;
    else if (code >= 30 && code <= 37) style.fg = NAMES[code - 30];
    else if (code === 39) style.fg = null;
    else if (code >= 40 && code <= 47) style.bg = NAMES[code - 40];
    else if (code === 49) style.bg = null;
    else if (code >= 90 && code <= 97) style.fg = `bright-${NAMES[code - 90]}`;
    else if (code >= 100 && code <= 107) style.bg = `bright-${NAMES[code - 100]}`;
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(numbers, index + 1);
      if (code === 38) style.fg = colour;
      else style.bg = colour;
      index += used;
    }
  }
  return style;
}

/**
 * Return the colour of `5;n` or `2;r;g;b`, and how many numbers it took.
 * @param {number[]} numbers
 * @param {number} at
 * @returns {[string|null, number]}
 */
function extended(numbers, at) {
  if (numbers[at] === 5) return [indexed(numbers[at + 1] ?? 0), 2];
  if (numbers[at] === 2) {
    return [hex(numbers[at + 1] ?? 0, numbers[at + 2] ?? 0, numbers[at + 3] ?? 0), 4];
  }
  return [null, numbers.length];
}

/**
 * @param {number} index of the 256 colours
 * @returns {string|null}
 */
function indexed(index) {
  if (!(index >= 0 && index <= 255)) return null;
  if (index < 8) return NAMES[index];
  if (index < 16) return `bright-${NAMES[index - 8]}`;
  if (index >= 232) {
    const grey = 8 + 10 * (index - 232);
    return hex(grey, grey, grey);
  }
  const cube = index - 16;
  /** @param {number} part */
  const level = (part) => (part === 0 ? 0 : 55 + 40 * part);
  return hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

/**
 * @param {number} red
 * @param {number} green
 * @param {number} blue
 */
function hex(red, green, blue) {
  /** @param {number} part */
  const two = (part) => Math.max(0, Math.min(255, part || 0)).toString(16).padStart(2, '0');
  return `#${two(red)}${two(green)}${two(blue)}`;
}
