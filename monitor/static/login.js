/**
 * The page at which one logs in; it leads back to the page that one came from.
 */

import { answerWords, command, placed } from './view/api.js';
import { useStyle } from './view/style.js';
import { useTheme } from './view/theme.js';

useStyle(import.meta.url);

/** @param {string} id */
function input(id) {
  return /** @type {HTMLInputElement} */ (document.getElementById(id));
}

useTheme();
const form = /** @type {HTMLFormElement} */ (document.getElementById('login'));
const said = /** @type {HTMLElement} */ (document.getElementById('answer'));
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  said.textContent = '';
  const answer = await command('login', { user: input('user').value, password: input('password').value });
  if (answer.status === 200) window.location.replace(placed('') + window.location.hash);
  else {
    said.textContent = answerWords(answer);
    input('password').select();
  }
});
