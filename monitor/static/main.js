/**
 * The page: its tabs, its frame, its keys. One draw per animation frame, of what is seen.
 */

import { TABS } from './tabs.js';
import { clock, day, isUtc, zone } from './model/format.js';
import { plain } from './model/words.js';
import { App } from './view/app.js';
import { Frame, h, setAttribute, setText } from './view/dom.js';
import { isForm, useForms } from './view/forms.js';
import { Banners } from './frame/banners.js';
import { ConnectionState } from './frame/connection-state.js';
import { Replies } from './frame/replies.js';
import { Inputs } from './view/part.js';
import { showKeys } from './frame/keys.js';
import { WhoPart } from './view/who.js';
import { styled } from './view/style.js';
import { toggleTheme, useTheme } from './view/theme.js';
import { chooseZone, useZone } from './view/zone.js';

const TICK_MS = 100;
const CALM_TICK_MS = 1000; // for whoever wants less to move

const app = new App(TABS);
// The tenth has the key 0.
const tabs = TABS.map((kind, index) => ({
  kind,
  id: kind.id,
  key: String((index + 1) % 10),
  element: new kind(),
  link: h('a', { href: '#', 'data-tab': kind.id, class: 'tab' }, kind.title),
}));
const state = /** @type {ConnectionState} */ (document.createElement('connection-state'));
const banners = /** @type {Banners} */ (document.createElement('page-banners'));
const replies = /** @type {Replies} */ (document.createElement('reply-list'));
const who = /** @type {WhoPart} */ (document.createElement('page-who'));
const main = h('main');
const foot = new Inputs();
const time = h('time', { class: 'clock' });
const about = h('span', { class: 'about' });
const heading = h('h1', { class: 'unseen' });
const zones = h('button', { class: 'quiet small', title: 'times in local time or in UTC', onclick: () => chooseZone(!isUtc()) });
const theme = h('button', { class: 'quiet small', onclick: toggleTheme }, 'Dark / light');

function build() {
  // First: what is drawn by hand takes its sizes from the style.
  document.body.classList.toggle('wall', app.wall);
  for (const { id, element } of tabs) {
    element.app = app;
    element.id = `tab-${id}`;
    element.hidden = true;
    main.append(element);
  }
  state.app = app;
  banners.app = app;
  who.app = app;
  document.body.append(
    h('header', { class: 'page-head' },
      h('span', { class: 'brand' }, 'Shotline'),
      heading,
      h('nav', { 'aria-label': 'tabs' }, ...tabs.map((tab) => tab.link)),
      state),
    banners,
    main,
    replies,
    h('footer', { class: 'page-foot' }, time, about, who, zones,
      h('button', { class: 'quiet small', onclick: keys, title: 'keys (?)' }, 'Keys'), theme),
  );
}

/** Return the tab that is shown. */
function shown() {
  return tabs.find(({ id, kind }) => [id, ...kind.views].includes(app.route.tab) && kind.isFor(app)) ?? tabs[0];
}

function draw() {
  const current = shown();
  for (const tab of tabs) {
    tab.element.hidden = tab !== current;
    setAttribute(tab.link, 'aria-current', tab === current ? 'page' : null);
    setAttribute(tab.link, 'href', app.href({ tab: tab.id }));
    setAttribute(tab.link, 'data-note', tab.kind.note(app));
    tab.link.hidden = !tab.kind.isFor(app);
    tab.link.classList.toggle('urgent', tab.kind.isUrgent(app));
  }
  document.body.classList.toggle('stale', !app.live);
  state.draw();
  banners.draw();
  current.element.draw();
  who.draw();
  drawFoot();
  setText(document.head.getElementsByTagName('title')[0], title());
  setText(heading, shown().kind.title);
}

function title() {
  const { shot } = app;
  const waiting = TABS.reduce((sum, tab) => sum + tab.count(app), 0);
  const where = shot ? `${shot.name} · ` : '';
  return `${waiting ? `(${waiting}) ` : ''}${app.live ? '' : '⚠ '}${where}${shown().kind.title} · Shotline`;
}

function drawFoot() {
  const now = app.now();
  const { view } = app.system;
  if (!foot.changed(Math.floor(now), view, app.who.role, isForm('phone'))) return;
  setText(time, `${clock(now)} ${zone(now)}${isForm('phone') ? '' : `  ${day(now)}`}`);
  setText(zones, isUtc() ? 'UTC / local' : 'Local / UTC');
  const parts = [
    view.broker && `broker ${view.broker}`,
    view.dispatcher && `dispatcher ${plain(view.dispatcher)}, term ${view.term}`,
    view.version && `version ${view.version}`,
    app.who.role === 'viewer' && 'you may only look',
  ];
  setText(about, parts.filter(Boolean).join('  ·  '));
}

function keys() {
  showKeys(TABS.filter((tab) => tab.isFor(app)));
}

function restyle() {
  for (const { element } of tabs) element.restyle();
  app.changed();
}

/** @param {KeyboardEvent} event */
function keydown(event) {
  const { target } = event;
  const box = target instanceof HTMLInputElement && target.type === 'checkbox';
  const typing = !box && (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement);
  // These keys press what has the focus.
  const presses = event.key === ' ' || event.key === 'Enter';
  if (presses && (box || (target instanceof Element && target.closest('button, a') !== null))) return;
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  if (event.key === 'Escape' && typing) /** @type {HTMLElement} */ (event.target).blur();
  if (typing) return;
  const wanted = tabs.find(({ key, kind }) => key === event.key && kind.isFor(app));
  if (wanted) app.go({ tab: wanted.id });
  else if (event.key === '/') shown().element.focusSearch();
  else if (event.key === '?') keys();
  else {
    shown().element.key(event); // it says itself whether it took the key
    return;
  }
  event.preventDefault();
}

useTheme();
useZone();
useForms();
await styled();
build();
const frame = new Frame(draw);
app.addEventListener('change', () => frame.ask());
app.addEventListener('route', () => tabs.forEach(({ element }) => element.fromRoute()));
window.addEventListener('keydown', keydown);
window.addEventListener('resize', restyle);
window.addEventListener('theme', restyle);
setInterval(() => {
  if (!document.hidden) frame.ask();
}, window.matchMedia('(prefers-reduced-motion: reduce)').matches ? CALM_TICK_MS : TICK_MS);
if (await app.who.ask()) app.start();
frame.ask();
