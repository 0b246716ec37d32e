/** How wide a text is in a font: as the page draws it, without a layout. */

const CACHED_MAX = 20_000;
const context = /** @type {CanvasRenderingContext2D} */ (document.createElement('canvas').getContext('2d'));
/** @type {Map<string, Map<string, number>>} */
const byFont = new Map();

/**
 * Return what measures a text as an element's style draws it, in pixels.
 * @param {Element} element
 * @returns {(text: string) => number}
 */
export function measureOf(element) {
  const { fontWeight, fontSize, fontFamily } = getComputedStyle(element);
  const font = `${fontWeight} ${fontSize} ${fontFamily}`;
  const known = byFont.get(font) ?? new Map();
  byFont.set(font, known);
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    context.font = font;
    const width = context.measureText(text).width;
    if (known.size > CACHED_MAX) known.clear();
    known.set(text, width);
    return width;
  };
}

/** Return how much room there is for text in an element. @param {Element} element */
export function roomIn(element) {
  const { paddingLeft, paddingRight } = getComputedStyle(element);
  return element.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
}
