/**
 * The WebSocket to the monitor: kept open, taken up again, and watched. What is subscribed to is in
 * model/subscriptions.js.
 */

/** @import {Listener} from '../model/subscriptions.js' */
import { ServerTime } from '../model/servertime.js';
import { placed } from './api.js';
import { Subscriptions, retryMs } from '../model/subscriptions.js';

const CHECK_MS = 1000;
/** After so long without a frame the monitor is asked for a sign of life, and now and then anyhow. */
const SILENT_MS = 4000;
const PING_MS = 30_000;
const ANSWER_MS = 4000;
const CONNECT_MS = 10_000;

/** One page's connection. Sends `opened` when it opens, `lost` whenever it does not, and `change`. */
export class Feed extends EventTarget {
  /** @param {string} [address] */
  constructor(address = socketAddress()) {
    super();
    this.address = address;
    this.subscriptions = new Subscriptions();
    this.time = new ServerTime();
    this.connected = false;
    /** Since when it is lost, in seconds since 1970. @type {number|null} */
    this.lostAt = null;
    /** @type {WebSocket|null} */
    this.socket = null;
    this.attempt = 0;
    this.begunAt = 0;
    this.heardAt = 0;
    this.pingedAt = 0;
    this.pings = 0;
    /** Whether nothing has come since the last ping. */
    this.waiting = false;
    /** @type {number|undefined} */
    this.timer = undefined;
  }

  open() {
    this.#connect();
    setInterval(() => this.#check(), CHECK_MS);
    for (const event of ['online', 'pageshow', 'visibilitychange']) {
      window.addEventListener(event, () => {
        if (!this.connected && !document.hidden) this.#soon(0);
      });
    }
  }

  /** Return the machines' time, in seconds since 1970. */
  now() {
    return this.time.at(Date.now() / 1000);
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
    this.begunAt = performance.now();
    const socket = new WebSocket(this.address);
    this.socket = socket;
    socket.onopen = () => {
      this.attempt = 0;
      this.connected = true;
      this.lostAt = null;
      this.heardAt = performance.now();
      for (const frame of this.subscriptions.resume()) socket.send(frame);
      this.#ping(socket);
      this.dispatchEvent(new Event('opened'));
      this.dispatchEvent(new Event('change'));
    };
    socket.onmessage = (event) => {
      this.heardAt = performance.now();
      this.waiting = false;
      try {
        const frame = JSON.parse(String(event.data));
        if (frame.pong !== undefined) this.time.take(Number(frame.time), Date.now() / 1000);
        else this.subscriptions.take(frame);
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
    this.lostAt ??= Date.now() / 1000;
    this.connected = false;
    this.dispatchEvent(new Event('lost'));
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

  /** A connection may be dead without a word, also before it was there. */
  #check() {
    const { socket } = this;
    const now = performance.now();
    if (!socket) return;
    if (!this.connected) {
      if (now - this.begunAt > CONNECT_MS) this.#giveUp(socket);
    } else if (this.waiting) {
      if (now - this.pingedAt > ANSWER_MS) this.#giveUp(socket);
    } else if (now - this.heardAt > SILENT_MS || now - this.pingedAt > PING_MS) {
      this.#ping(socket);
    }
  }

  /** Ask for a sign of life on the connection itself; any frame is one. @param {WebSocket} socket */
  #ping(socket) {
    this.pingedAt = performance.now();
    this.pings += 1;
    this.waiting = true;
    socket.send(JSON.stringify({ ping: this.pings }));
  }

  /** @param {WebSocket} socket */
  #giveUp(socket) {
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close();
    this.#lost(socket);
  }
}

/** Return the address of the monitor's WebSocket. */
export function socketAddress() {
  const url = new URL(placed('ws'));
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
