/**
 * How the browser's clock stands against those of the machines. Pure.
 *
 * Ages and running durations are told by the machines' clock: the smallest difference between the
 * time at which an answer was given and its arrival is the two clocks' difference. What was told
 * earlier, and is told again, says nothing of it.
 */

const TOLERATED_S = 1.0;
const KEPT_S = 300;

/** The difference of two clocks, as the answers of the last minutes show it. */
export class ServerTime {
  constructor() {
    this.offset = 0;
    this.best = Infinity;
    this.bestAt = -Infinity;
  }

  /**
   * Take the time at which an answer was given, and the browser's time at its arrival.
   * @param {number} sent
   * @param {number} arrived
   */
  take(sent, arrived) {
    const difference = arrived - sent;
    if (difference <= this.best || arrived - this.bestAt > KEPT_S) {
      this.best = difference;
      this.bestAt = arrived;
      this.offset = Math.abs(difference) < TOLERATED_S ? Math.min(0, difference) : difference;
    }
  }

  /**
   * Return the machines' time.
   * @param {number} browser
   */
  at(browser) {
    return browser - this.offset;
  }
}
