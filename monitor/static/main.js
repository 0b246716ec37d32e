/**
 * The page: its tabs, its frame, its keys. One draw per animation frame, of what is seen.
 */

import { TABS } from './model/route.js';
import { clock, plain } from './model/words.js';
import { App } from './view/app.js';
import { Frame, h, setAttribute, setText } from './view/dom.js';
import { TabActions } from './tabs/actions.js';
import { TabHeartbeat } from './tabs/heartbeat.js';
import { TabLog } from './tabs/log.js';
import { TabServers } from './tabs/servers.js';
import { TabTimeline } from './tabs/timeline.js';
import { Banners } from './view/banners.js';
import { ConnectionState } from './view/connection-state.js';
import { Replies } from './view/replies.js';
import { showKeys } from './view/keys.js';
import { toggleTheme, useTheme } from './view/theme.js';

const TICK_MS = 100;
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const TITLES = { actions: 'Actions', timeline: 'Timeline', servers: 'Servers', heartbeat: 'Heartbeat', log: 'Log' };

const app = new App();
const tabs = {
  actions: /** @type {TabActions} */ (document.createElement('tab-actions')),
  timeline: /** @type {TabTimeline} */ (document.createElement('tab-timeline')),
  servers: /** @type {TabServers} */ (document.createElement('tab-servers')),
  heartbeat: /** @type {TabHeartbeat} */ (document.createElement('tab-heartbeat')),
  log: /** @type {TabLog} */ (document.createElement('tab-log')),
};
const state = /** @type {ConnectionState} */ (document.createElement('connection-state'));
const banners = /** @type {Banners} */ (document.createElement('page-banners'));
const replies = /** @type {Replies} */ (document.createElement('reply-list'));
const main = h('main');
let shownSecond = 0;
const links = new Map(TABS.map((tab) => [tab, h('a', { href: '#', 'data-tab': tab, class: 'tab' }, TITLES[tab])]));
const time = h('time', { class: 'clock' });
const about = h('span', { class: 'about' });
const theme = h('button', { class: 'quiet small', onclick: toggleTheme }, 'Dark / light');

function build() {
  // First: what is drawn by hand takes its sizes from the style.
  document.body.classList.toggle('wall', app.wall);
  for (const tab of TABS) {
    const element = tabs[tab];
    element.app = app;
    element.id = `tab-${tab}`;
    element.hidden = true;
    main.append(element);
    const link = /** @type {HTMLAnchorElement} */ (links.get(tab));
    link.addEventListener('click', (event) => {
      event.preventDefault();
      app.go({ tab });
    });
  }
  state.app = app;
  banners.app = app;
  document.body.append(
    h('header', { class: 'page-head' },
      h('span', { class: 'brand' }, 'Shotline'),
      h('nav', { 'aria-label': 'tabs' }, ...links.values()),
      state),
    banners,
    main,
    replies,
    h('footer', { class: 'page-foot' }, time, about,
      h('button', { class: 'quiet small', onclick: showKeys, title: 'keys (?)' }, 'Keys'), theme),
  );
}

function draw() {
  const { tab } = app.route;
  for (const name of TABS) {
    tabs[name].hidden = name !== tab;
    const link = links.get(name);
    if (!link) continue;
    setAttribute(link, 'aria-current', name === tab ? 'page' : null);
  }
  const off = app.servers.counts();
  setAttribute(/** @type {Element} */ (links.get('servers')), 'data-note', off.OFF + off.SUSPECT > 0 ? String(off.OFF + off.SUSPECT) : null);
  document.body.classList.toggle('stale', !app.live);
  state.draw();
  banners.draw();
  tabs[tab].draw();
  drawFoot();
  setText(document.head.getElementsByTagName('title')[0], title());
}

function title() {
  const { shot } = app;
  const where = shot ? `${shot.name} · ` : '';
  return `${app.live ? '' : '⚠ '}${where}${TITLES[app.route.tab]} · Shotline`;
}

function drawFoot() {
  const now = app.now();
  if (Math.floor(now) === shownSecond) return;
  shownSecond = Math.floor(now);
  setText(time, `${clock(now)}  ${DAY.format(now * 1000)}`);
  const { view } = app.system;
  const parts = [
    view.broker && `broker ${view.broker}`,
    view.dispatcher && `dispatcher ${plain(view.dispatcher)}, term ${view.term}`,
    view.version && `version ${view.version}`,
    view.role === 'viewer' && 'you may only look',
  ];
  setText(about, parts.filter(Boolean).join('  ·  '));
}

function restyle() {
  for (const tab of Object.values(tabs)) tab.restyle();
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
  const number = Number(event.key);
  if (number >= 1 && number <= TABS.length) app.go({ tab: TABS[number - 1] });
  else if (event.key === '/') tabs[app.route.tab].focusSearch();
  else if (event.key === '?') showKeys();
  else {
    tabs[app.route.tab].key(event); // it says itself whether it took the key
    return;
  }
  event.preventDefault();
}

useTheme();
build();
const frame = new Frame(draw);
app.addEventListener('change', () => frame.ask());
app.addEventListener('route', () => tabs.actions.fromRoute());
window.addEventListener('keydown', keydown);
window.addEventListener('resize', restyle);
window.addEventListener('theme', restyle);
setInterval(() => {
  if (!document.hidden) frame.ask();
}, TICK_MS);
app.start();
frame.ask();
