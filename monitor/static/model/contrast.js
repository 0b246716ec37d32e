/** Colours, and whether a text on them is readable. Pure. */

/** @typedef {[number, number, number]} Rgb 0 to 255 */

const LIGHT = '#ffffff';
const DARK = '#0b1016';

/** Return a colour written as `#rrggbb`, or `#rgb`. @param {string} text @returns {Rgb} */
export function rgb(text) {
  const digits = text.trim().replace('#', '');
  const six = digits.length === 3 ? [...digits].map((one) => one + one).join('') : digits;
  return [part(six, 0), part(six, 2), part(six, 4)];
}

/** Return a colour over another one. @param {string} over @param {string} below @param {number} share how much of the upper one is seen */
export function mixed(over, below, share) {
  const [a, b] = [rgb(over), rgb(below)];
  return `#${a.map((one, index) => Math.round(one * share + b[index] * (1 - share)).toString(16).padStart(2, '0')).join('')}`;
}

/** @param {string} colour */
function luminance(colour) {
  const [r, g, b] = rgb(colour).map((one) => {
    const share = one / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Return the contrast of two colours, as WCAG counts it: 1 to 21. @param {string} one @param {string} other */
export function contrast(one, other) {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** Return the colour for a text on another one: light, where that is readable, else dark. @param {string} ground */
export function inkOn(ground) {
  return contrast(LIGHT, ground) >= 4.5 ? LIGHT : DARK;
}

/** @param {string} six @param {number} at */
function part(six, at) {
  return parseInt(six.slice(at, at + 2), 16) || 0;
}
