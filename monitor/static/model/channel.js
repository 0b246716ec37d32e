/**
 * The channels that the page reads from its beginning to its end. Nothing here runs.
 */

/** @import {Message} from './types.js' */

/**
 * What the messages of a channel are folded into.
 * @typedef {object} Fold
 * @property {(message: Message) => void} apply
 * @property {() => void} [clear] the history begins anew: forget what came before
 */

/**
 * @template {Fold} F
 * @typedef {object} Channel
 * @property {string} id as the monitor calls it
 * @property {boolean} state it begins with the whole state; else with its history
 * @property {() => F} fold
 */

export {};
