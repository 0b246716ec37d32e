/**
 * The page of one server: what it runs and has run, its output and log, what it is set to, its facts
 * over time. It stays as it was when the server is gone.
 */

/** @import {LoggedLine, RanAction, ServerView} from '../model/types.js' */
/** @import {Giver} from './actions.js' */
import { age, bytes, clock, duration, milliseconds, moment, percent } from '../model/format.js';
import { SERVER_SYMBOLS, SYMBOLS, plain, stateWords, statusWords } from '../model/words.js';
import { get } from '../view/api.js';
import { openLogs, run } from '../view/commands.js';
import { CommandOutput } from '../view/command-output.js';
import { ask } from '../view/dialog.js';
import { h, setAttribute, setText } from '../view/dom.js';
import { flag } from '../view/flag.js';
import { Inputs, Part } from '../view/part.js';
import { useStyle } from '../view/style.js';
import { ActionBar } from './actions.js';
import { Curve } from './curve.js';
import { Orders } from './orders.js';
import { FLAGS, busyParts, flagSource, settingsWords, slotsWords, stateWord } from './words.js';

useStyle(import.meta.url);

const LINES_SHOWN = 200;
const LOG_SHOWN = 100;
const PAGE = 2000; // lines of output that are asked for at a time
const PAGES = 10;
const ASKED_EVERY_MS = 1000;
const LOG_EVERY_MS = 3000;

/** What is drawn over time: its name, its place in a sample, its top. @type {[string, number, number, (value: number) => string][]} */
const CURVES = [
  ['CPU', 1, 100, percent],
  ['Memory', 3, 100, percent],
  ['Swap', 4, 100, percent],
  ['Fullest disk', 5, 100, percent],
  ['Load', 2, 0, (value) => value.toFixed(2)],
  ['Temperature', 6, 0, (value) => `${Math.round(value)} °C`],
  ['Actions at a time', 7, 0, String],
];

/** @typedef {{tree: string, shot: number, path: string, attempt?: number}} Shown whose output is shown */

export class ServerPage extends Part {
  /** @type {Giver} */ giver = /** @type {any} */ (null);
  #symbol = h('span', { class: 'symbol', 'aria-hidden': 'true' });
  #word = h('span');
  #name = h('h2');
  #about = h('span', { class: 'server-about' });
  #orders = /** @type {Orders} */ (/** @type {unknown} */ (null));
  #bar = /** @type {ActionBar} */ (document.createElement('fleet-actions'));
  #output = new CommandOutput();
  #drawOrders = /** @type {(server: ServerView) => void} */ (() => {});
  #flags = h('ul', { class: 'server-flags', 'aria-label': 'what holds for it' });
  #runs = h('ul', { class: 'server-runs' });
  #ran = h('ol', { class: 'server-ran', tabIndex: 0, 'aria-label': 'what it has run' });
  #facts = h('dl', { class: 'server-facts' });
  #settings = h('ul', { class: 'server-settings' });
  #curves = CURVES.map(([title, place, most, words]) => {
    const curve = new Curve({ width: 240, height: 36, most });
    const value = h('strong');
    return { place, words, curve, value, element: h('div', { class: 'server-curve' }, h('span', {}, title), curve.element, value) };
  });
  #noCurves = h('p', { class: 'empty' }, 'It has told nothing of its host.');
  #outHead = h('span', { class: 'out-head' });
  #outWindow = h('button', { class: 'small', onclick: () => this.#shown && openLogs(this.#shown) }, 'In a window');
  #out = h('pre', { class: 'server-out', tabIndex: 0, role: 'region', 'aria-label': 'lines of output' });
  #log = h('ol', { class: 'server-log', tabIndex: 0, 'aria-label': 'log' });
  #body = h('div', { class: 'server-body' });
  #none = h('p', { class: 'empty', hidden: true });
  /** @type {RanAction[]} */ #past = [];
  /** @type {LoggedLine[]} */ #logged = [];
  /** @type {Shown|null} */ #shown = null;
  #chosen = false;
  /** @type {string[]} */ #lines = [];
  #next = 0;
  #reading = false;
  #whose = new Inputs();
  #asked = new Inputs();
  #read = new Inputs();
  #logAsked = new Inputs();
  #made = { head: new Inputs(), runs: new Inputs(), ran: new Inputs(), facts: new Inputs(), out: new Inputs(), log: new Inputs() };

  build() {
    this.#orders = new Orders(this.app, this.#output);
    this.#bar.app = this.app;
    this.#bar.giver = this.giver;
    this.#bar.servers = () => [this.#server].filter((one) => one !== undefined);
    const orders = h('div', { class: 'server-orders', role: 'group', 'aria-label': 'orders to the server' });
    this.#drawOrders = this.#orders.buttons(orders, () => this.app.route.about);
    /** @param {string} title @param {...Node} parts */
    const section = (title, ...parts) => h('section', { 'aria-label': title }, h('h3', {}, title), ...parts);
    this.#body.append(
      h('div', { class: 'server-column' },
        section('What it runs', this.#runs),
        section('What it has run', this.#ran),
        section('Output', h('div', { class: 'out-bar' }, this.#outHead, this.#outWindow), this.#out),
        section('Log', this.#log)),
      h('div', { class: 'server-column' },
        section('What it is set to', this.#settings),
        section('Over the last hour', h('div', { class: 'server-curves' }, ...this.#curves.map(({ element }) => element)), this.#noCurves),
        section('Facts', this.#facts)));
    this.append(
      h('header', { class: 'server-top' },
        h('div', { class: 'server-title' }, h('span', { class: 'server-state' }, this.#symbol, this.#word), this.#name, this.#about),
        this.#flags, h('div', { class: 'server-acts' }, this.#bar, orders)),
      this.#output, this.#none, this.#body);
  }

  get #server() {
    return this.app.servers.byName.get(this.app.route.about);
  }

  draw() {
    const { app } = this;
    const name = app.route.about;
    if (this.#whose.changed(name)) this.#begin();
    const server = this.#server;
    for (const part of [this.#body, /** @type {HTMLElement} */ (this.firstElementChild)]) part.hidden = server === undefined;
    this.#none.hidden = server !== undefined;
    if (!server) {
      setText(this.#none, app.system.known ? `No server ${plain(name)} is known: it was dismissed, or never there.` : 'Waiting for the monitor …');
      return;
    }
    this.#bar.draw();
    this.#drawOrders(server);
    if (this.#made.head.changed(server, Math.floor(app.now()))) this.#drawHead(server);
    if (this.#made.facts.changed(server, app.servers.samples.get(name))) this.#drawFacts(server);
    if (this.#asked.due(ASKED_EVERY_MS, name, server.busy, server.facts?.done, server.state, app.feed.connected)) void this.#ask(name);
    if (this.#made.runs.changed(server.busy, app.may('abort'))) this.#drawRuns(server);
    if (this.#made.ran.changed(this.#past, this.#shown)) this.#drawRan();
    this.#drawOut(server);
    if (this.#logAsked.due(LOG_EVERY_MS, name, server.last_seen_at, server.state, app.feed.connected)) void this.#askLog(name);
    if (this.#made.log.changed(this.#logged)) this.#drawLog();
  }

  #begin() {
    this.#past = [];
    this.#logged = [];
    this.#shown = null;
    this.#chosen = false;
    this.#lines = [];
    for (const made of [this.#asked, this.#read, this.#logAsked, ...Object.values(this.#made)]) made.forget();
  }

  /** @param {ServerView} server */
  #drawHead(server) {
    setAttribute(this, 'class', `sub-view server-${server.state}`);
    setText(this.#symbol, SERVER_SYMBOLS[server.state]);
    setText(this.#word, stateWord(server));
    setText(this.#name, plain(server.server));
    const seen = server.last_seen_at ? `last seen ${age(this.app.now() - server.last_seen_at)} ago` : 'never seen';
    setText(this.#about, [server.host && `on ${plain(server.host)}`, slotsWords(server) && `slots ${slotsWords(server)}`, seen, server.state === 'ON' ? '' : plain(server.why ?? ''), plain(server.trouble ?? '')].filter(Boolean).join('  ·  '));
    const flags = server.flags ?? [];
    this.#flags.hidden = flags.length === 0;
    this.#flags.replaceChildren(...flags.map((one) => h('li', {}, flag(FLAGS[one.kind]), ` ${plain(one.reason ?? '')}${flagSource(one)}`)));
  }

  /** @param {ServerView} server */
  #drawFacts(server) {
    const { facts } = server;
    const host = facts?.host;
    /** @type {[string, string][]} */
    const rows = [
      ['Host', server.host ?? ''], ['Address', server.address ?? ''], ['Labels', (server.labels ?? []).join(', ')], ['Process', server.pid ? String(server.pid) : ''],
      ['Started', moment(server.started_at)], ['Last seen', moment(server.last_seen_at)], ['Round trip', server.round_trip_s ? milliseconds(server.round_trip_s) : ''],
      ['Heartbeat', facts?.heartbeat_s ? `every ${duration(facts.heartbeat_s)}` : ''],
      ['Shotline', server.version ?? ''], ['Python', facts?.python ?? ''], ['MDSplus', facts?.mdsplus ?? ''], ['Configuration', facts?.config_hash ?? ''],
      ['Done', facts ? `${facts.done ?? 0}, ${facts.failed ?? 0} of them failed` : ''], ['CPU time', facts ? duration(facts.cpu_time_s ?? 0) : ''],
      ['CPUs', host ? String(host.cpus) : ''], ['Load', host ? host.load_1.toFixed(2) : ''],
      ['Memory', host ? `${bytes(host.memory_used_b)} of ${bytes(host.memory_total_b)}` : ''], ['Swap', host?.swap_total_b ? `${bytes(host.swap_used_b)} of ${bytes(host.swap_total_b)}` : ''],
      ...(host?.disks ?? []).map((one) => /** @type {[string, string]} */ ([`Disk ${one.path}`, `${bytes(one.free_b)} of ${bytes(one.total_b)} free`])),
      ['Temperature', typeof host?.temperature_c === 'number' ? `${host.temperature_c.toFixed(0)} °C` : ''],
      ['Clock', typeof host?.clock_offset_s === 'number' ? `${milliseconds(host.clock_offset_s)} before the broker’s` : ''],
      ['mdsip server', server.url ?? ''], ['Is bound', (server.bound ?? []).join('; ')],
    ];
    this.#facts.replaceChildren(...rows.filter(([, value]) => value).map(([name, value]) => h('div', {}, h('dt', {}, plain(name)), h('dd', {}, plain(value)))));
    const set = settingsWords(server.settings);
    this.#settings.replaceChildren(...(set.length > 0 ? set : ['nothing: it is as it is by itself']).map((text) => h('li', {}, text)));
    const samples = this.app.servers.samples.get(server.server) ?? [];
    this.#noCurves.hidden = samples.length > 0;
    for (const { place, words, curve, value, element } of this.#curves) {
      const last = samples.at(-1)?.[place];
      element.hidden = typeof last !== 'number';
      if (typeof last !== 'number') continue;
      curve.draw(samples, place);
      setText(value, words(last));
    }
  }

  // What it runs, and has run

  /** @param {ServerView} server */
  #drawRuns(server) {
    const busy = server.busy ?? [];
    if (busy.length === 0) {
      this.#runs.replaceChildren(h('li', { class: 'empty' }, server.state === 'OFF' ? 'nothing that is known' : 'nothing'));
      return;
    }
    this.#runs.replaceChildren(...busy.map((text) => {
      const parts = busyParts(text);
      return h('li', {}, h('span', { class: 'symbol busy', 'aria-hidden': 'true' }, '▶'), h('span', { class: 'run-name' }, plain(text)),
        parts && h('button', { class: 'small', onclick: () => this.#show(parts) }, 'Output'),
        parts && h('button', { class: 'small', disabled: !this.app.may('abort'), onclick: () => void this.#abort(parts, server.server) }, 'Abort'));
    }));
  }

  /** @param {Shown} action @param {string} server */
  async #abort({ tree, shot, path }, server) {
    const what = `Abort ${plain(path)} of ${tree}/${shot}`;
    if (await ask({ title: `${what}?`, text: `It runs on ${plain(server)}.`, yes: 'Abort' })) await run(what, 'abort', { tree, shot, path });
  }

  /** @param {string} name */
  async #ask(name) {
    const { status, data } = await get('server_past', { server: name });
    if (status !== 200 || name !== this.app.route.about) return;
    this.#past = data.actions ?? [];
    if (!this.#chosen) {
      const [first] = this.#past;
      if (first) this.#look({ tree: first.tree, shot: first.shot, path: first.last.path, attempt: first.last.attempt });
    }
    this.app.changed();
  }

  #drawRan() {
    this.#ran.replaceChildren(...this.#past.map(({ tree, shot, name, colour, last }) => {
      const took = last.duration_s === null || last.duration_s === undefined ? '' : duration(last.duration_s);
      const is = this.#shown?.path === last.path && this.#shown.tree === tree && this.#shown.shot === shot;
      return h('li', { class: is ? 'is-shown' : '' },
        h('span', { class: `symbol ran-${colour}`, 'aria-hidden': 'true' }, SYMBOLS[colour]),
        h('button', { class: 'link', title: `${plain(last.path)}: its output`, onclick: () => this.#show({ tree, shot, path: last.path, attempt: last.attempt }) }, plain(name)),
        h('span', {}, `${tree}/${shot}`), h('span', {}, [stateWords(last), statusWords(last)].filter(Boolean).join(', ')),
        h('span', { class: 'ran-when' }, [clock(last.ended_at ?? last.started_at ?? last.time), took].filter(Boolean).join(', ')),
        last.reason ? h('span', { class: 'ran-reason' }, plain(last.reason)) : false);
    }));
    if (this.#past.length === 0) this.#ran.replaceChildren(h('li', { class: 'empty' }, 'nothing of the shots that are held'));
  }

  // Output

  /** @param {Shown} action */
  #show(action) {
    this.#chosen = true;
    this.#look(action);
    this.app.changed();
  }

  /** @param {Shown} action */
  #look(action) {
    const old = this.#shown;
    if (old && old.tree === action.tree && old.shot === action.shot && old.path === action.path && old.attempt === action.attempt) return;
    this.#shown = action;
    this.#lines = [];
    this.#next = 0;
    this.#read.forget();
  }

  /** @param {ServerView} server */
  #drawOut(server) {
    const shown = this.#shown;
    if (shown && !this.#reading && this.#read.due(ASKED_EVERY_MS, shown, server.busy, server.last_seen_at)) void this.#readOut(shown);
    if (!this.#made.out.changed(shown, this.#lines)) return;
    setText(this.#outHead, shown ? `${plain(shown.path)} of ${shown.tree}/${shown.shot}` : 'of nothing yet');
    this.#outWindow.hidden = shown === null;
    const atEnd = this.#out.scrollTop + this.#out.clientHeight >= this.#out.scrollHeight - 4;
    setText(this.#out, this.#lines.join('\n') || (shown ? '(no output)' : ''));
    if (atEnd) this.#out.scrollTop = this.#out.scrollHeight;
  }

  /** Read on, of what is shown. @param {Shown} shown */
  async #readOut(shown) {
    this.#reading = true;
    let more = true;
    for (let page = 0; more && page < PAGES; page += 1) {
      const { status, data } = await get('logs', { tree: shown.tree, shot: shown.shot, path: shown.path, attempt: shown.attempt, since: this.#next, limit: PAGE });
      if (status !== 200 || shown !== this.#shown) break;
      const { lines = [], tails = [], more: follow = false } = data.result ?? {};
      if (lines.length > 0) this.#next = lines.at(-1).number + 1;
      more = follow && lines.length > 0;
      const found = [...lines, ...(more ? [] : tails)].map((/** @type {{text: string}} */ one) => plain(one.text));
      if (found.length > 0) this.#lines = [...this.#lines, ...found].slice(-LINES_SHOWN);
    }
    this.#reading = false;
    this.app.changed();
  }

  /** @param {string} name */
  async #askLog(name) {
    const { status, data } = await get('server_log', { server: name, limit: LOG_SHOWN });
    if (status !== 200 || name !== this.app.route.about) return;
    this.#logged = data.result?.lines ?? [];
    this.app.changed();
  }

  #drawLog() {
    const lines = this.#logged;
    this.#log.replaceChildren(...lines.map((line) => h('li', { class: `level-${line.level}` }, h('time', {}, clock(line.at)), h('span', {}, plain(line.level)), h('span', {}, plain(line.text)))));
    if (lines.length === 0) this.#log.replaceChildren(h('li', { class: 'empty' }, 'nothing that is kept'));
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}

customElements.define('server-page', ServerPage);
