/**
 * What all parts of the page share: the connection, what is known, the address, what is selected.
 *
 * Sends `change` when anything to be drawn has changed, and `route` when the address has.
 */

/** @import {Channel, Fold} from '../model/channel.js' */
/** @import {Category, Message} from '../model/types.js' */
/** @import {Route} from '../model/route.js' */
/** @import {Tab} from './tab.js' */
import { nothingOwn, ownOf, readRoute, writeRoute } from '../model/route.js';
import { Shot } from '../model/shot.js';
import { VERBS } from '../model/verbs.js';
import { SERVERS, SYSTEM, shownShot } from '../model/system.js';
import { Feed } from './feed.js';
import { Who } from './who.js';

/** A whole state is asked for at most this often. */
const WHOLE_MS = 2000;
/** So often what changes within a tab is written to the address: browsers bear no more. */
const WRITTEN_EVERY_MS = 250;

export class App extends EventTarget {
  /** @type {Map<Channel<any>, Fold>} */ #folds = new Map();
  /** Whether the address names an action that was chosen in the shot before. */ #chosenBefore = true;
  /** @type {number|undefined} */ #writing;
  #writtenAt = -Infinity;
  /** What each tab was looked at by when it was left. @type {Map<string, ReturnType<typeof ownOf>>} */ #left = new Map();

  /** @param {(typeof Tab)[]} tabs */
  constructor(tabs) {
    super();
    this.tabs = tabs;
    this.feed = new Feed();
    this.who = new Who();
    for (const channel of [SYSTEM, SERVERS, ...tabs.flatMap((tab) => tab.channels)]) {
      if (!this.#folds.has(channel)) this.#folds.set(channel, channel.fold());
    }
    this.system = this.of(SYSTEM);
    this.servers = this.of(SERVERS);
    /** @type {Shot|null} */
    this.shot = null;
    /** @type {Route} */
    this.route = this.#routeNow();
    this.wall = new URLSearchParams(window.location.search).has('wall');
  }

  start() {
    this.feed.addEventListener('change', () => this.changed());
    // A login may have ended, or the control have changed, while nothing came.
    for (const event of ['opened', 'lost']) this.feed.addEventListener(event, () => void this.askWho());
    for (const [{ id, state }, fold] of this.#folds) {
      let wholeAt = -Infinity;
      const listen = () => this.feed.subscribe(id, {
        messages: (messages) => {
          this.#fold(messages, (message) => fold.apply(message));
          // Something is missing, and only the whole state tells what.
          if (state && messages.some((message) => message.command === 'CUT') && performance.now() - wholeAt > WHOLE_MS) {
            wholeAt = performance.now();
            listen();
          }
          if (fold === this.system) this.follow();
          if (messages.some((message) => message.command === 'CONTROL')) void this.askWho();
        },
        again: () => fold.clear?.(),
      }, { state });
      listen();
    }
    window.addEventListener('hashchange', () => {
      window.clearTimeout(this.#writing); // it is another address by now
      this.#writing = undefined;
      this.#take(this.#routeNow());
    });
    this.feed.open();
  }

  /**
   * Return what a channel has told so far.
   * @template {Fold} F
   * @param {Channel<F>} channel
   * @returns {F}
   */
  of(channel) {
    return /** @type {F} */ (this.#folds.get(channel));
  }

  #routeNow() {
    return readRoute(window.location.hash, this.tabs.flatMap((tab) => [tab.id, ...tab.views]));
  }

  /** Return the machines' time, in seconds since 1970. */
  now() {
    return this.feed.now();
  }

  /** Return whether what is shown is what is. */
  get live() {
    return this.feed.connected && this.system.view.feed === 'live';
  }

  /** Return whether a command may be given now. @param {string} verb */
  may(verb) {
    return this.feed.connected && this.allows(verb) && (VERBS[verb].always || this.who.hasControl);
  }

  /** Return whether a command is for who looks, whenever it may be given. @param {string} verb */
  allows(verb) {
    return this.who.may.includes(VERBS[verb].scope);
  }

  /** Ask who looks, and what they may. */
  async askWho() {
    await this.who.ask();
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event('change'));
  }

  /** The path of the action that the cursor is on. */
  get selected() {
    return this.route.at;
  }

  /** Which rows and bars are looked at; null: all. */
  get category() {
    return this.route.only;
  }

  /** @param {Partial<Route>} change */
  go(change) {
    const route = this.#to(change);
    const hash = writeRoute(route);
    if (hash === writeRoute(this.route)) return;
    if (route.tab !== this.route.tab || route.about !== this.route.about) {
      if (this.#writing !== undefined) this.#write();
      window.location.hash = hash;
    } else {
      this.#take(route);
      const due = this.#writtenAt + WRITTEN_EVERY_MS - performance.now();
      if (due <= 0) this.#write();
      else this.#writing ??= window.setTimeout(() => this.#write(), due);
    }
  }

  /** Let the address say what is looked at. */
  #write() {
    window.clearTimeout(this.#writing);
    this.#writing = undefined;
    this.#writtenAt = performance.now();
    window.history.replaceState(null, '', writeRoute(this.route));
  }

  /** Set filters of the tab that is shown; empty: none. @param {Record<string, string>} change */
  filter(change) {
    this.go({ filters: { ...this.route.filters, ...change } });
  }

  /** Return the address of a change, for a link: a tab as it was left. @param {Partial<Route>} change */
  href(change) {
    return writeRoute(this.#to(change));
  }

  /** @param {Partial<Route>} change @returns {Route} */
  #to(change) {
    const { tab = this.route.tab } = change;
    const other = tab === this.route.tab ? {} : (this.#left.get(tab) ?? nothingOwn());
    return { ...this.route, ...(change.tab ? { about: '' } : {}), ...other, ...change };
  }

  /** @param {Route} route */
  #take(route) {
    this.#left.set(this.route.tab, ownOf(this.route));
    this.#chosenBefore = route.at === this.route.at;
    this.route = route;
    this.follow();
    this.#chosenBefore = true;
    this.dispatchEvent(new Event('route'));
    this.changed();
  }

  /** @param {string|null} path */
  select(path) {
    this.go({ at: path });
  }

  /** Look at one category; again: at all. @param {Category|null} category */
  choose(category) {
    this.go({ only: this.category === category ? null : category });
  }

  /** Watch the shot that the address names, or the current one. */
  follow() {
    const { tree, shot, wrong } = this.route;
    const wanted = wrong ? null : shownShot(this.system, tree, shot);
    const name = wanted ? `${wanted[0]}/${wanted[1]}` : null;
    if (name === (this.shot?.name ?? null)) {
      this.#retry();
      return;
    }
    const before = this.shot;
    if (before) this.feed.unsubscribe(before.name);
    this.shot = wanted ? new Shot(wanted[0], wanted[1]) : null;
    if (this.shot) this.#subscribe(this.shot);
    if (before && this.#chosenBefore) this.select(null);
    this.changed();
  }

  /** A shot that was unknown may exist by now. */
  #retry() {
    const { shot } = this;
    if (!shot?.problem || !this.system.shots.has(shot.name)) return;
    shot.problem = '';
    this.#subscribe(shot);
  }

  /** @param {Shot} shot */
  #subscribe(shot) {
    this.feed.subscribe(shot.name, {
      messages: (messages) => this.#fold(messages, (message) => shot.apply(message)),
      failed: (error) => {
        shot.problem = error;
        this.changed();
      },
    }, { state: true });
  }

  /**
   * @param {Message[]} messages
   * @param {(message: Message) => void} apply
   */
  #fold(messages, apply) {
    for (const message of messages) apply(message);
    this.changed();
  }
}
