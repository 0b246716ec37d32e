/**
 * Calling somebody who does not look: a tone, and a notification of the desktop. Both are off until
 * they are switched on, and remembered by the browser.
 */

/** @import {App} from '../view/app.js' */
import { plain } from '../model/words.js';
import { ALARMS, calls } from './board.js';
import { whatOf } from './words.js';

const TONE = 'shotline-tone';
const DESKTOP = 'shotline-notifications';
const GAP_S = 0.18;
const LENGTH_S = 0.14;
const QUIET_MS = 4000; // what comes within this time calls once

export class Alerts {
  /** @type {AudioContext|null} */ #audio = null;
  /** Up to this number somebody was called. @type {number|null} */ #called = null;
  #calledAt = -Infinity;
  #wasAway = false;
  /** @type {number|undefined} */ #later;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    app.addEventListener('change', () => this.#look());
    // Browsers let a page sound only after somebody has touched it.
    for (const event of ['pointerdown', 'keydown']) window.addEventListener(event, () => this.#wake());
  }

  get hasTone() {
    return window.localStorage.getItem(TONE) === 'on';
  }

  /** Whether the tone waits for somebody to touch the page. */
  get isMute() {
    return this.hasTone && this.#audio?.state !== 'running';
  }

  get hasDesktop() {
    return window.localStorage.getItem(DESKTOP) === 'on' && 'Notification' in window && Notification.permission === 'granted';
  }

  /** @param {boolean} on */
  useTone(on) {
    window.localStorage.setItem(TONE, on ? 'on' : 'off');
    this.#wake();
    if (on) this.#sound('low');
    this.app.changed();
  }

  /** Ask the browser, which asks whoever looks. @param {boolean} on @returns {Promise<string>} why not; empty: it is so */
  async useDesktop(on) {
    window.localStorage.setItem(DESKTOP, on ? 'on' : 'off');
    if (!on) return '';
    if (!('Notification' in window)) return 'This browser has no notifications, or none for a page without https.';
    const allowed = await Notification.requestPermission();
    this.app.changed();
    return allowed === 'granted' ? '' : 'The browser does not allow notifications of this page; allow them beside its address.';
  }

  #wake() {
    if (!this.hasTone) return;
    this.#audio ??= new AudioContext();
    if (this.#audio.state === 'suspended') void this.#audio.resume().then(() => this.app.changed());
  }

  #look() {
    const { app } = this;
    const board = app.of(ALARMS);
    const isAway = !app.live && app.feed.lostAt !== null || app.system.view.feed === 'stopped';
    if (isAway && !this.#wasAway) this.#call('high', 'Shotline does not answer', 'what is shown is old');
    this.#wasAway = isAway;
    if (!board.known) return;
    // What was there before the page was opened calls nobody: it is in the title.
    this.#called ??= board.newest;
    if (board.newest < this.#called) this.#called = board.newest; // it has begun to count anew
    if (board.newest === this.#called) return;
    const quietMs = this.#calledAt + QUIET_MS - performance.now();
    if (quietMs > 0) {
      this.#later ??= window.setTimeout(() => {
        this.#later = undefined;
        this.#look();
      }, quietMs);
      return;
    }
    const fresh = board.sorted().filter((one) => one.number > /** @type {number} */ (this.#called) && calls(one));
    this.#called = board.newest;
    if (fresh.length === 0) return;
    const [first] = fresh;
    const more = fresh.length > 1 ? ` (and ${fresh.length - 1} more)` : '';
    this.#call(first.severity, `${whatOf(first)}: ${plain(first.about)}${more}`, plain(first.text));
  }

  /** @param {string} severity @param {string} title @param {string} body */
  #call(severity, title, body) {
    this.#calledAt = performance.now();
    if (this.hasTone) this.#sound(severity);
    if (this.hasDesktop && !document.hasFocus()) {
      const shown = new Notification(title, { body, tag: 'shotline-alarms', icon: 'static/icon.svg' });
      shown.onclick = () => {
        window.focus();
        this.app.go({ tab: 'alarms' });
        shown.close();
      };
    }
  }

  /** Three tones that fall for what is urgent, two for the rest. @param {string} severity */
  #sound(severity) {
    const audio = this.#audio;
    if (audio?.state !== 'running') return;
    const notes = severity === 'high' ? [880, 660, 880, 660] : severity === 'medium' ? [660, 520] : [520];
    notes.forEach((frequency, index) => {
      const at = audio.currentTime + index * GAP_S;
      const gain = new GainNode(audio, { gain: 0 });
      gain.gain.setValueAtTime(0, at);
      gain.gain.linearRampToValueAtTime(0.25, at + 0.02);
      gain.gain.linearRampToValueAtTime(0, at + LENGTH_S);
      const tone = new OscillatorNode(audio, { frequency, type: 'triangle' });
      tone.connect(gain).connect(audio.destination);
      tone.start(at);
      tone.stop(at + LENGTH_S);
    });
  }
}
