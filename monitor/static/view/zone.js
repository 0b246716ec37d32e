/** In which zone times are shown: the browser's own, or UTC, as somebody has chosen in this browser. */

import { useUtc } from '../model/format.js';

const KEY = 'shotline-zone';

export function useZone() {
  useUtc(window.localStorage.getItem(KEY) === 'utc');
}

/** Choose the other one. The page is loaded anew: all times on it are others. @param {boolean} utc */
export function chooseZone(utc) {
  window.localStorage.setItem(KEY, utc ? 'utc' : 'local');
  window.location.reload();
}
