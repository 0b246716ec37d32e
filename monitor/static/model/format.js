/**
 * How numbers and times are written for people. Pure, but for the zone that is chosen once.
 */

/** @type {{utc: boolean, zone: string|undefined, day: Intl.DateTimeFormat}} */
let shown = zoned(false);

/** @param {boolean} utc */
function zoned(utc) {
  const zone = utc ? 'UTC' : undefined;
  return { utc, zone, day: new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', timeZone: zone }) };
}

/** Write all times in UTC from now on, or in the browser's own zone. @param {boolean} utc */
export function useUtc(utc) {
  shown = zoned(utc);
}

export function isUtc() {
  return shown.utc;
}

/** Return what fits a time's fields: those of its zone, read as if they were UTC. @param {number} at */
function shifted(at) {
  const date = new Date(at * 1000);
  return shown.utc ? date : new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
}

/** Return the zone in which a time is written, in short: UTC, or how far it is before it. @param {number} at */
export function zone(at) {
  const minutes = shown.utc ? 0 : -new Date(at * 1000).getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const whole = Math.abs(minutes);
  const part = whole % 60 ? `:${two(whole % 60)}` : '';
  return `UTC${minutes < 0 ? '−' : '+'}${Math.floor(whole / 60)}${part}`;
}

/** Return whether two times are on one day. @param {number} one @param {number} other */
export function sameDay(one, other) {
  return shifted(one).toISOString().slice(0, 10) === shifted(other).toISOString().slice(0, 10);
}

/**
 * Return a duration as people say it.
 * @param {number|null|undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '';
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)} min`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)} h`;
}

/**
 * Return an age in whole seconds, minutes, hours or days.
 * @param {number} seconds
 */
export function age(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 100) return `${whole} s`;
  if (whole < 6000) return `${Math.floor(whole / 60)} min`;
  if (whole < 172_800) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86_400)} d`;
}

/** @param {number} number */
function two(number) {
  return String(number).padStart(2, '0');
}

/**
 * Return the time of day, in the zone that is chosen; `digits` of a second.
 * @param {number|null|undefined} at seconds since 1970
 * @param {0|1|3} [digits]
 */
export function clock(at, digits = 0) {
  if (at === null || at === undefined) return '';
  const text = shifted(at).toISOString().slice(11, 23);
  return digits === 0 ? text.slice(0, 8) : text.slice(0, 9 + digits);
}

/**
 * Return date, time and zone.
 * @param {number|null|undefined} at seconds since 1970
 */
export function moment(at) {
  if (at === null || at === undefined) return '';
  return `${shifted(at).toISOString().slice(0, 10)} ${clock(at)} ${zone(at)}`;
}

/** Return the day in the browser's own language. @param {number} at seconds since 1970 */
export function day(at) {
  return shown.day.format(at * 1000);
}

/** Return an age that ticks: with a tenth of a second while it is short. @param {number} seconds */
export function tickingAge(seconds) {
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min`;
}

/** Return what is left of something, which is never known to the hundredth. @param {number} seconds */
export function remaining(seconds) {
  return seconds < 10 ? `${seconds.toFixed(1)} s` : duration(Math.round(seconds)).replace('.0 s', ' s');
}

/** @param {number} seconds */
export function milliseconds(seconds) {
  return `${(seconds * 1000).toFixed(1)} ms`;
}

/** Return how many times as much something is. @param {number} factor */
export function times(factor) {
  return `${factor.toFixed(1)}×`;
}

/**
 * Return a time after another, as it stands at a ruler's mark.
 * @param {number} seconds
 * @param {number} digits
 */
export function offset(seconds, digits) {
  if (Math.abs(seconds) < 60) return `${seconds.toFixed(digits)} s`;
  const sign = seconds < 0 ? '−' : '';
  const whole = Math.abs(seconds);
  const minutes = Math.floor(whole / 60);
  const rest = (whole - 60 * minutes).toFixed(digits).padStart(digits ? digits + 3 : 2, '0');
  return `${sign}${minutes}:${rest}`;
}

/** Return bytes as people say them. @param {number|undefined|null} bytes */
export function bytes(bytes) {
  if (bytes === undefined || bytes === null) return '';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let left = bytes;
  let unit = 0;
  while (left >= 1024 && unit < units.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${unit === 0 || left >= 99.5 ? Math.round(left) : left.toFixed(1)} ${units[unit]}`;
}

/** @param {number|undefined|null} value */
export function percent(value) {
  return value === undefined || value === null ? '' : `${Math.round(value)} %`;
}

/** Return a time; with its day where that is not today. @param {number} at seconds since 1970 */
export function when(at) {
  return sameDay(at, Date.now() / 1000) ? clock(at) : moment(at);
}
