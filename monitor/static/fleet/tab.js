/**
 * The tab Fleet: every server and host, as a table, and in the views that have addresses of their own.
 */

/** @import {App} from '../view/app.js' */
/** @import {Grouping} from './words.js' */
import { duration } from '../model/format.js';
import { readRoute, writeRoute } from '../model/route.js';
import { SERVERS } from '../model/system.js';
import { plain } from '../model/words.js';
import { askFor } from '../view/dialog.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { isForm } from '../view/forms.js';
import { Inputs } from '../view/part.js';
import { useStyle } from '../view/style.js';
import { Tab } from '../view/tab.js';
import { ActionBar, AnswersPane, Giver } from './actions.js';
import { SETS } from './columns.js';
import { HeartbeatView } from './heartbeat.js';
import { PlansView } from './plans.js';
import { ServerPage } from './server-page.js';
import { ServersView } from './servers.js';
import { FleetTable, KEYS } from './table.js';
import { ALERTS, alertsOf, serverAddress, totals, when } from './words.js';

useStyle(import.meta.url);

const ALERTS_SHOWN = 4;

/** @type {[Grouping, string][]} */
const GROUPINGS = [['none', 'not grouped'], ['host', 'by host'], ['class', 'by class'], ['label', 'by label']];

export class TabFleet extends Tab {
  static id = 'fleet';
  static title = 'Fleet';
  static views = ['servers', 'heartbeat', 'windows', 'server'];
  static keys = KEYS;
  static channels = [SERVERS];

  /** What somebody should look at, else how many servers are not as they should be. @param {App} app */
  static note(app) {
    const { OFF, SUSPECT } = app.servers.counts();
    const count = Math.max(alertsOf(app.servers.fleet).length, OFF + SUSPECT);
    return count > 0 ? String(count) : null;
  }

  /** @param {App} app */
  static isUrgent(app) {
    return alertsOf(app.servers.fleet).some(({ kind }) => ALERTS[kind].look === 'ill');
  }

  #table = /** @type {FleetTable} */ (document.createElement('fleet-table'));
  #bar = /** @type {ActionBar} */ (document.createElement('fleet-actions'));
  #answers = /** @type {AnswersPane} */ (document.createElement('fleet-answers'));
  #servers = /** @type {ServersView} */ (document.createElement('tab-servers'));
  #heartbeat = /** @type {HeartbeatView} */ (document.createElement('tab-heartbeat'));
  #plans = /** @type {PlansView} */ (document.createElement('fleet-plans'));
  #server = /** @type {ServerPage} */ (document.createElement('server-page'));
  #giver = /** @type {Giver} */ (/** @type {unknown} */ (null));
  #totals = h('dl', { class: 'fleet-totals', 'aria-label': 'the whole fleet' });
  #alerts = h('div', { class: 'fleet-alerts', role: 'status', 'aria-label': 'alerts', hidden: true });
  #starting = h('p', { class: 'fleet-starting', hidden: true });
  #find = h('input', { type: 'search', placeholder: 'Search the fleet   /', 'aria-label': 'search the fleet' });
  #by = h('select', { 'aria-label': 'group rows' }, ...GROUPINGS.map(([by, text]) => h('option', { value: by }, text)));
  #sets = SETS.map(([set, text]) => ({ set, button: h('button', { 'aria-pressed': 'false', onclick: () => this.#show({ set }) }, text) }));
  #count = h('span', { class: 'count' });
  #add = h('button', { onclick: () => void this.#addServers() }, 'Add …');
  #all = h('button', { class: 'small', onclick: () => this.#table.selectAll() }, 'Select all shown');
  #clear = h('button', { class: 'small quiet', onclick: () => this.#table.clear() }, 'Clear');
  #chosen = h('strong', { class: 'fleet-chosen' });
  #selection = h('div', { class: 'fleet-selection', role: 'group', 'aria-label': 'selected servers' }, this.#chosen, this.#bar, this.#all, this.#clear);
  #overview = h('section', { class: 'fleet-view fleet-overview', 'aria-label': 'overview' });
  #showAll = false;
  #told = new Inputs();
  #links = [['fleet', 'Overview'], ['servers', 'Servers'], ['heartbeat', 'Heartbeat'], ['windows', 'Windows and expected']]
    .map(([view, text]) => ({ view, link: h('a', { class: 'fleet-link', href: writeRoute(readRoute(`#/${view}`, ['fleet', ...TabFleet.views])), 'data-view': view }, text) }));
  #here = h('span', { class: 'fleet-link', 'aria-current': 'page', hidden: true });

  build() {
    const { app } = this;
    this.#giver = new Giver(app, this.#answers);
    for (const part of [this.#table, this.#bar, this.#answers, this.#servers, this.#heartbeat, this.#plans, this.#server]) part.app = app;
    for (const part of [this.#servers, this.#heartbeat, this.#plans, this.#server]) part.classList.add('fleet-view');
    for (const part of [this.#bar, this.#plans, this.#server]) part.giver = this.#giver;
    this.#bar.servers = () => this.#table.chosen;
    this.#plans.chosen = () => this.#table.chosen;
    this.#find.addEventListener('input', () => {
      this.#table.search = this.#find.value;
      app.changed();
    });
    this.#by.addEventListener('change', () => this.#show({ by: /** @type {Grouping} */ (this.#by.value) }));
    this.#overview.append(
      h('div', { class: 'toolbar' }, this.#find, h('label', { class: 'field' }, h('span', {}, 'Rows'), this.#by),
        h('div', { class: 'segments', role: 'group', 'aria-label': 'columns' }, ...this.#sets.map(({ button }) => button)), this.#count, this.#add),
      this.#table,
      // Below the rows, so that none of them moves when it appears.
      this.#selection);
    this.append(
      h('div', { class: 'fleet-top' }, h('nav', { class: 'fleet-views', 'aria-label': 'views of the fleet' }, ...this.#links.map(({ link }) => link), this.#here), this.#totals),
      this.#alerts, this.#starting, this.#answers,
      this.#overview, this.#servers, this.#heartbeat, this.#plans, this.#server);
  }

  /** @param {{by?: Grouping, set?: typeof SETS[number][0]}} how */
  #show(how) {
    Object.assign(this.#table, how);
    this.app.changed();
  }

  draw() {
    const { app } = this;
    const { tab: view, about } = app.route;
    this.#drawTop();
    for (const { view: one, link } of this.#links) setAttribute(link, 'aria-current', one === view ? 'page' : null);
    this.#here.hidden = view !== 'server';
    setText(this.#here, plain(about) || 'no server');
    const parts = { fleet: this.#overview, servers: this.#servers, heartbeat: this.#heartbeat, windows: this.#plans, server: this.#server };
    for (const [name, part] of Object.entries(parts)) part.hidden = name !== view;
    if (view === 'fleet') this.#drawOverview();
    else if (view === 'servers') this.#servers.draw();
    else if (view === 'heartbeat') this.#heartbeat.draw();
    else if (view === 'windows') this.#plans.draw();
    else this.#server.draw();
  }

  #drawOverview() {
    this.#table.draw();
    this.#bar.draw();
    for (const { set, button } of this.#sets) setAttribute(button, 'aria-pressed', String(set === this.#table.set));
    const { shown, all } = this.#table.count;
    setText(this.#count, shown === all ? `${all}` : `${shown} of ${all}`);
    const { chosen, ticked } = this.#table;
    this.#selection.hidden = chosen.length === 0;
    setText(this.#chosen, ticked > 0 ? `${ticked} selected` : plain(chosen[0]?.server ?? ''));
    this.#add.disabled = !this.app.may('fleet_add');
  }

  /** The whole in numbers, and what to look at. */
  #drawTop() {
    const { servers } = this.app;
    if (!this.#told.due(250, servers.version, this.#showAll)) return;
    const { fleet } = servers;
    const of = totals([...servers.byName.values()]);
    const state = [`${of.alive} on`, of.suspect && `${of.suspect} suspect`, of.lost && `${of.lost} lost`, of.absent && `${of.absent} absent`];
    /** @type {[string, string][]} */
    const numbers = [
      ['Hosts', String(of.hosts)],
      ['Servers', `${of.servers}: ${state.filter(Boolean).join(', ')}`],
      ['Slots', `${of.busy} busy of ${of.usable}${of.usable !== of.slots ? ` usable, ${of.slots} in all` : ''}`],
      ['Done', of.failed ? `${of.done}, ${of.failed} failed` : String(of.done)],
      ['CPU time', duration(of.cpu_time_s)],
    ];
    if (this.#totals.childElementCount === 0) this.#totals.append(...numbers.map(([name]) => h('div', {}, h('dt', {}, name), h('dd'))));
    for (const [index, [, value]] of numbers.entries()) setText(/** @type {Element} */ (this.#totals.children[index].lastElementChild), value);
    const alerts = alertsOf(fleet);
    this.#alerts.hidden = alerts.length === 0;
    const shown = this.#showAll ? alerts : alerts.slice(0, isForm('phone') ? 2 : ALERTS_SHOWN);
    const more = alerts.length - shown.length;
    this.#alerts.replaceChildren(h('ul', {}, ...shown.map((alert) => {
      const { symbol, word, look } = ALERTS[alert.kind];
      const isServer = servers.byName.has(alert.about);
      const about = isServer ? h('a', { href: serverAddress(alert.about) }, plain(alert.about)) : h('strong', {}, plain(alert.about));
      return h('li', { class: `alert ${look}` }, h('span', { class: `flag ${look}` }, h('span', { 'aria-hidden': 'true' }, symbol), h('span', {}, word)), about,
        h('span', { class: 'alert-text' }, plain(alert.text)), h('time', {}, alert.at ? `since ${when(alert.at)}` : ''));
    })), ...(more > 0 || this.#showAll ? [h('button', { class: 'small quiet', onclick: () => this.#more() }, more > 0 ? `${more} more` : 'fewer')] : []));
    const starting = fleet?.starting ?? [];
    this.#starting.hidden = starting.length === 0;
    setText(this.#starting, starting.map((one) => plain(`${one.server_class}: ${one.pilots > 0 ? `${one.pilots} starting` : 'none starts'}${one.since ? ` since ${when(one.since)}` : ''}${one.reason ? `, ${one.reason}` : ''}`)).join('  ·  '));
  }

  #more() {
    this.#showAll = !this.#showAll;
    this.#told.forget();
    this.app.changed();
  }

  async #addServers() {
    const said = await askFor({
      title: 'Add servers',
      text: 'They are started by the site’s own program.',
      fields: [{ name: 'servers', label: 'Servers, as CLASS:ID, separated by blanks', required: true, placeholder: 'CAMERA:3 CAMERA:4' }, { name: 'reason', label: 'Why' }],
      yes: 'Start',
    });
    if (!said) return;
    const servers = said.servers.split(/[\s,]+/).filter(Boolean);
    await this.#giver.give(`Add ${servers.map(plain).join(', ')}`, 'fleet_add', { servers, reason: said.reason });
  }

  restyle() {
    this.#table.restyle();
  }

  focusSearch() {
    if (this.app.route.tab === 'servers') this.#servers.focusSearch();
    else if (this.app.route.tab === 'heartbeat') this.#heartbeat.focusSearch();
    else {
      if (this.app.route.tab !== 'fleet') this.app.go({ tab: 'fleet' });
      this.#overview.hidden = false;
      this.#find.focus();
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (this.app.route.tab === 'fleet') this.#table.key(event);
  }
}
