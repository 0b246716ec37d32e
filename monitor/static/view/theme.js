/** Dark or light: what the system says, until somebody chooses, in this window or another. */

const KEY = 'shotline-theme';

export function useTheme() {
  const chosen = window.localStorage.getItem(KEY);
  const dark = window.matchMedia('(prefers-color-scheme: dark)').matches;
  show(chosen === 'dark' || chosen === 'light' ? chosen : dark ? 'dark' : 'light');
}

export function toggleTheme() {
  const next = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
  window.localStorage.setItem(KEY, next);
  show(next);
}

/** Show a theme; what is drawn by hand hears `theme`. @param {string} theme */
function show(theme) {
  document.documentElement.dataset.theme = theme;
  window.dispatchEvent(new Event('theme'));
}

window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', useTheme);
window.addEventListener('storage', useTheme);
