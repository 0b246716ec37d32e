/**
 * The tab Fleet: every server and host, as a table, and in the views that have addresses of their own.
 */

/** @import {App} from '../view/app.js' */
/** @import {Grouping} from './words.js' */
import { duration, when } from '../model/format.js';
import { SERVERS } from '../model/system.js';
import { plain } from '../model/words.js';
import { AlertList } from '../view/alert-list.js';
import { askFor } from '../view/dialog.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { Inputs } from '../view/part.js';
import { useStyle } from '../view/style.js';
import { SubViews } from '../view/subviews.js';
import { Tab } from '../view/tab.js';
import { ActionBar, AnswersPane, Giver } from './actions.js';
import { SETS } from './columns.js';
import { HeartbeatView } from './heartbeat.js';
import { PlansView } from './plans.js';
import { ServerPage } from './server-page.js';
import { ServersView } from './servers.js';
import { FleetTable, KEYS } from './table.js';
import { ALERTS, alertsOf, serverAddress, totals } from './words.js';

useStyle(import.meta.url);

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
  #views = new SubViews('the fleet', [['fleet', 'Overview'], ['servers', 'Servers'], ['heartbeat', 'Heartbeat'], ['windows', 'Windows and expected']]);
  #alerts = new AlertList(() => this.#again());
  #starting = h('p', { class: 'fleet-starting', hidden: true });
  #find = h('input', { type: 'search', placeholder: 'Search the fleet   /', 'aria-label': 'search the fleet' });
  #by = h('select', { 'aria-label': 'group rows' }, ...GROUPINGS.map(([by, text]) => h('option', { value: by }, text)));
  #sets = SETS.map(([set, text]) => ({ set, button: h('button', { 'aria-pressed': 'false', onclick: () => this.#show({ set }) }, text) }));
  #count = h('span', { class: 'count' });
  #add = h('button', { onclick: () => void this.#addServers() }, 'Add …');
  #all = h('button', { class: 'small', onclick: () => this.#table.selectAll() }, 'Select all shown');
  #clear = h('button', { class: 'small quiet', onclick: () => this.#table.clear() }, 'Clear');
  #chosen = h('strong', { class: 'fleet-chosen' });
  #selection = h('div', { class: 'sub-selection', role: 'group', 'aria-label': 'selected servers' }, this.#chosen, this.#bar, this.#all, this.#clear);
  #overview = h('section', { class: 'sub-view fleet-overview', 'aria-label': 'overview' });
  #told = new Inputs();

  build() {
    const { app } = this;
    this.#giver = new Giver(app, this.#answers);
    for (const part of [this.#table, this.#bar, this.#answers, this.#servers, this.#heartbeat, this.#plans, this.#server]) part.app = app;
    for (const part of [this.#servers, this.#heartbeat, this.#plans, this.#server]) part.classList.add('sub-view');
    for (const part of [this.#bar, this.#plans, this.#server]) part.giver = this.#giver;
    this.#bar.servers = () => this.#table.chosen;
    this.#plans.chosen = () => this.#table.chosen;
    this.#find.addEventListener('input', () => app.go({ find: this.#find.value }));
    this.#by.addEventListener('change', () => this.#show({ by: /** @type {Grouping} */ (this.#by.value) }));
    this.#overview.append(
      h('div', { class: 'toolbar' }, this.#find, h('label', { class: 'field' }, h('span', {}, 'Rows'), this.#by),
        h('div', { class: 'segments', role: 'group', 'aria-label': 'columns' }, ...this.#sets.map(({ button }) => button)), this.#count, this.#add),
      this.#table,
      // Below the rows, so that none of them moves when it appears.
      this.#selection);
    this.append(
      this.#views.element, this.#alerts.element, this.#starting, this.#answers,
      this.#overview, this.#servers, this.#heartbeat, this.#plans, this.#server);
    this.fromRoute();
  }

  /** @param {{by?: string, set?: string}} how */
  #show({ by = this.#table.by, set = this.#table.set }) {
    this.app.filter({ by: by === 'none' ? '' : by, columns: set === 'work' ? '' : set });
  }

  fromRoute() {
    const { tab, find, filters } = this.app.route;
    if (tab !== 'fleet') return; // its views have addresses of their own
    if (this.#find.value !== find) this.#find.value = find;
    this.#table.search = find;
    this.#table.by = GROUPINGS.find(([by]) => by === filters.by)?.[0] ?? 'none';
    this.#table.set = SETS.find(([set]) => set === filters.columns)?.[0] ?? 'work';
    this.#by.value = this.#table.by;
    this.app.changed();
  }

  draw() {
    const { app } = this;
    const { tab: view, about } = app.route;
    this.#drawTop();
    this.#views.draw(app, plain(about) || 'no server');
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
    if (!this.#told.due(250, servers.version)) return;
    const { fleet } = servers;
    const of = totals([...servers.byName.values()]);
    const state = [`${of.alive} on`, of.suspect && `${of.suspect} suspect`, of.lost && `${of.lost} lost`, of.absent && `${of.absent} absent`];
    this.#views.tell([
      ['Hosts', String(of.hosts)],
      ['Servers', `${of.servers}: ${state.filter(Boolean).join(', ')}`],
      ['Slots', `${of.busy} busy of ${of.usable}${of.usable !== of.slots ? ` usable, ${of.slots} in all` : ''}`],
      ['Done', of.failed ? `${of.done}, ${of.failed} failed` : String(of.done)],
      ['CPU time', duration(of.cpu_time_s)],
    ]);
    this.#alerts.draw(alertsOf(fleet).map(({ kind, about, text, at }) => ({
      mark: ALERTS[kind], about, text, at, address: servers.byName.has(about) ? serverAddress(about) : undefined,
    })));
    const starting = fleet?.starting ?? [];
    this.#starting.hidden = starting.length === 0;
    setText(this.#starting, starting.map((one) => plain(`${one.server_class}: ${one.pilots > 0 ? `${one.pilots} starting` : 'none starts'}${one.since ? ` since ${when(one.since)}` : ''}${one.reason ? `, ${one.reason}` : ''}`)).join('  ·  '));
  }

  #again() {
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
