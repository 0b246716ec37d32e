/** The style beside a module: `x.css` for `x.js`. Whoever draws by hand waits until all are there. */

import { h } from './dom.js';

/** @type {Promise<unknown>[]} */
const loading = [];

/** @type {Set<string>} */
const used = new Set();

/** Take the style beside a module, once. @param {string} module its `import.meta.url` */
export function useStyle(module) {
  if (used.has(module)) return;
  used.add(module);
  const link = h('link', { rel: 'stylesheet', href: module.replace(/\.js(?=$|\?)/, '.css') });
  loading.push(new Promise((done) => {
    for (const event of ['load', 'error']) link.addEventListener(event, done);
  }));
  document.head.append(link);
}

/** Take rules that a module has made. No style may stand in the page itself. @param {string} rules */
export function useRules(rules) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(rules);
  document.adoptedStyleSheets.push(sheet);
}

/** Wait until all style is there, or cannot be had. */
export async function styled() {
  await Promise.all(loading);
}
