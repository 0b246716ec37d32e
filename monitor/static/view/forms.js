/**
 * The forms of the page, by the room that there is. Each is a class of the body while it is narrow
 * enough: this is the one place that says from where on.
 */

/** The widest of each, in pixels. */
const WIDEST = { middle: 1900, narrow: 1380, tight: 1180, phone: 720 };

/** Follow the window's width from now on. */
export function useForms() {
  for (const [form, widest] of Object.entries(WIDEST)) {
    const fits = window.matchMedia(`(max-width: ${widest}px)`);
    const show = () => document.body.classList.toggle(form, fits.matches);
    fits.addEventListener('change', show);
    show();
  }
}

/** @param {keyof typeof WIDEST} form */
export function isForm(form) {
  return document.body.classList.contains(form);
}
