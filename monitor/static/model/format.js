/**
 * How numbers and times are written for people. Pure.
 */

const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });

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
 * Return the time of day, in the browser's own time zone; `digits` of a second.
 * @param {number|null|undefined} at seconds since 1970
 * @param {0|1|3} [digits]
 */
export function clock(at, digits = 0) {
  if (at === null || at === undefined) return '';
  const date = new Date(at * 1000);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (digits === 0) return text;
  return `${text}.${String(date.getMilliseconds()).padStart(3, '0').slice(0, digits)}`;
}

/**
 * Return date and time.
 * @param {number|null|undefined} at seconds since 1970
 */
export function moment(at) {
  if (at === null || at === undefined) return '';
  const date = new Date(at * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(at)}`;
}

/** Return the day in the browser's own language. @param {number} at seconds since 1970 */
export function day(at) {
  return DAY.format(at * 1000);
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
  return new Date(at * 1000).toDateString() === new Date().toDateString() ? clock(at) : moment(at);
}
