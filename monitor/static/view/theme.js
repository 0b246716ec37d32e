/** Dark or light: what the system says, until somebody chooses. */

const KEY = 'shotline-theme';

export function useTheme() {
  const chosen = window.localStorage.getItem(KEY);
  const dark = window.matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = chosen === 'dark' || chosen === 'light' ? chosen : dark ? 'dark' : 'light';
}

export function toggleTheme() {
  const next = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
  window.localStorage.setItem(KEY, next);
  document.documentElement.dataset.theme = next;
}

window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', useTheme);
window.addEventListener('storage', useTheme);
