/**
 * What is subscribed to, and how it is taken up again after the connection was lost. Pure.
 *
 * Each channel goes on after the last number that was received, in the monitor's same life; what
 * cannot go on begins with the whole state instead (I6).
 */

/** @import {Message} from './types.js' */

/**
 * @typedef {object} Listener
 * @property {(messages: Message[]) => void} messages
 * @property {() => void} [again] the history begins anew: forget what came before
 * @property {(error: string, code: number) => void} [failed]
 * @property {() => void} [ended]
 */

/**
 * @typedef {object} Subscription
 * @property {Listener} listener
 * @property {boolean} state begin with the whole state
 * @property {number|null} since
 * @property {string} life
 * @property {boolean} over
 */

/** All subscriptions of one page. */
export class Subscriptions {
  constructor() {
    /** @type {Map<string, Subscription>} */
    this.all = new Map();
    /** How many subscriptions of a channel have no answer yet. @type {Map<string, number>} */
    this.unanswered = new Map();
  }

  /**
   * Add a channel; return the frame that asks for it.
   * @param {string} channel
   * @param {Listener} listener
   * @param {{state?: boolean}} [options]
   */
  add(channel, listener, { state = false } = {}) {
    this.all.set(channel, { listener, state, since: null, life: '', over: false });
    return this.#frame(channel);
  }

  /**
   * Drop a channel; return the frame that says so.
   * @param {string} channel
   */
  remove(channel) {
    this.all.delete(channel);
    return JSON.stringify({ unsubscribe: channel });
  }

  /** Return the frames that take everything up again. */
  resume() {
    this.unanswered.clear();
    return [...this.all.keys()]
      .filter((channel) => !this.all.get(channel)?.over)
      .map((channel) => this.#frame(channel));
  }

  /**
   * Take a frame of the monitor's. What comes before the answer to a subscription belongs to an
   * earlier one of the same channel.
   * @param {any} frame
   */
  take(frame) {
    const { channel } = frame;
    if (frame.subscribed || frame.error) this.#answered(channel);
    if (this.unanswered.has(channel)) return;
    const subscription = this.all.get(channel);
    if (!subscription) return;
    const { listener } = subscription;
    if (frame.subscribed) {
      const goesOn = subscription.since !== null && subscription.life === frame.life;
      if (!goesOn && subscription.since !== null) {
        subscription.since = null;
        listener.again?.();
      }
      subscription.life = frame.life ?? '';
    } else if (frame.error) {
      listener.failed?.(String(frame.error), Number(frame.code ?? 0));
    } else if (frame.ended) {
      subscription.over = true;
      listener.ended?.();
    } else if (Array.isArray(frame.messages)) {
      this.#messages(subscription, frame.messages);
    }
  }

  /**
   * @param {Subscription} subscription
   * @param {Message[]} messages
   */
  #messages(subscription, messages) {
    const { since } = subscription;
    // A whole state may carry the number that is already known; anything else that is not newer is a repeat.
    const news = since === null
      ? messages
      : messages.filter((message) => message.command === 'WHOLE' || message.seq > since);
    const last = messages.at(-1);
    if (last) subscription.since = Math.max(last.seq, messages[0].command === 'WHOLE' ? 0 : (since ?? 0));
    if (news.length > 0) subscription.listener.messages(news);
  }

  /** @param {string} channel */
  #answered(channel) {
    const left = (this.unanswered.get(channel) ?? 0) - 1;
    if (left > 0) this.unanswered.set(channel, left);
    else this.unanswered.delete(channel);
  }

  /** @param {string} channel */
  #frame(channel) {
    const subscription = this.all.get(channel);
    if (!subscription) return '{}';
    this.unanswered.set(channel, (this.unanswered.get(channel) ?? 0) + 1);
    const { since, life, state } = subscription;
    if (since !== null && life) return JSON.stringify({ subscribe: channel, since, life });
    return JSON.stringify(state ? { subscribe: channel, state: true } : { subscribe: channel });
  }
}

/**
 * Return how long to wait before the next attempt to connect, in milliseconds.
 * @param {number} attempt 0 for the first
 * @param {number} random 0 to 1, so that two hundred pages do not come back at once
 */
export function retryMs(attempt, random) {
  return Math.min(4000, 200 * 2 ** Math.min(attempt, 10)) * (0.5 + 0.5 * random);
}
