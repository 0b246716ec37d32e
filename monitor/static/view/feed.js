/**
 * The WebSocket to the monitor: kept open, taken up again, and watched. What is subscribed to is in
 * model/subscriptions.js.
 */

/** @import {Listener} from '../model/subscriptions.js' */
import { Subscriptions, retryMs } from '../model/subscriptions.js';

const SILENT_MS = 4000;
const ANSWER_MS = 4000;

/** One page's connection. Sends `change` when it opens or is lost. */
export class Feed extends EventTarget {
  /** @param {string} [address] */
  constructor(address = socketAddress()) {
    super();
    this.address = address;
    this.subscriptions = new Subscriptions();
    this.connected = false;
    /** Since when it is lost, in seconds since 1970. @type {number|null} */
    this.lostAt = null;
    /** @type {WebSocket|null} */
    this.socket = null;
    this.attempt = 0;
    this.heardAt = performance.now();
    this.checking = false;
    /** @type {number|undefined} */
    this.timer = undefined;
  }

  open() {
    this.#connect();
    setInterval(() => void this.#check(), 1000);
    for (const event of ['online', 'pageshow', 'visibilitychange']) {
      window.addEventListener(event, () => {
        if (!this.connected && !document.hidden) this.#soon(0);
      });
    }
  }

  /**
   * @param {string} channel
   * @param {Listener} listener
   * @param {{state?: boolean}} [options]
   */
  subscribe(channel, listener, options) {
    const frame = this.subscriptions.add(channel, listener, options);
    if (this.connected) this.socket?.send(frame);
  }

  /** @param {string} channel */
  unsubscribe(channel) {
    const frame = this.subscriptions.remove(channel);
    if (this.connected) this.socket?.send(frame);
  }

  #connect() {
    this.attempt += 1;
    const socket = new WebSocket(this.address);
    this.socket = socket;
    socket.onopen = () => {
      this.attempt = 0;
      this.connected = true;
      this.lostAt = null;
      this.heardAt = performance.now();
      for (const frame of this.subscriptions.resume()) socket.send(frame);
      this.dispatchEvent(new Event('change'));
    };
    socket.onmessage = (event) => {
      this.heardAt = performance.now();
      try {
        this.subscriptions.take(String(event.data));
      } catch (error) {
        console.error('a frame of the monitor cannot be read', error);
      }
    };
    socket.onclose = () => this.#lost(socket);
  }

  /** @param {WebSocket} socket */
  #lost(socket) {
    if (socket !== this.socket) return;
    this.socket = null;
    if (this.connected || this.lostAt === null) this.lostAt ??= Date.now() / 1000;
    this.connected = false;
    this.dispatchEvent(new Event('change'));
    this.#soon(retryMs(this.attempt, Math.random()));
  }

  /** @param {number} ms */
  #soon(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.socket === null) this.#connect();
    }, ms);
  }

  /** A connection may be dead without a word: after a silence the monitor is asked over HTTP. */
  async #check() {
    if (!this.connected || this.checking || performance.now() - this.heardAt < SILENT_MS) return;
    this.checking = true;
    const socket = this.socket;
    try {
      await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS) });
      this.heardAt = performance.now();
    } catch {
      if (socket) {
        socket.onclose = null;
        socket.onmessage = null;
        socket.close();
        this.#lost(socket);
      }
    } finally {
      this.checking = false;
    }
  }
}

/** Return the address of the monitor's WebSocket, beside this page. */
export function socketAddress() {
  const url = new URL('/ws', window.location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
