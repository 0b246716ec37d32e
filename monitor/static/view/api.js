/**
 * Commands over HTTP. Every call is answered, also when nobody is there.
 */

/** @import {Danger} from '../model/types.js' */

/**
 * What a command is answered with.
 * @typedef {object} Answer
 * @property {number} status HTTP status; 0 when nobody answered
 * @property {'ok'|'accepted'|'failed'|'refused'|'nobody'|'usage'|'error'} outcome
 * @property {string} message
 * @property {string[]} notices
 * @property {Danger[]} dangers refused, until somebody insists on each of these
 * @property {any} result
 * @property {{field: string, message: string}[]} fields
 */

/**
 * Carry out a command of Shotline's.
 * @param {string} verb
 * @param {Record<string, unknown>} [body]
 * @returns {Promise<Answer>}
 */
export async function command(verb, body = {}) {
  const { status, data } = await post(verb.replace(/^records_/, 'records/'), body);
  const answer = typeof data === 'object' && data !== null ? data : {};
  return {
    status,
    outcome: answer.outcome ?? (status === 200 ? 'ok' : status === 0 ? 'nobody' : 'error'),
    message: answer.message ?? (typeof data === 'string' && data ? data : ''),
    notices: answer.notices ?? [],
    dangers: answer.dangers ?? [],
    result: answer.result ?? null,
    fields: answer.fields ?? [],
  };
}

/**
 * Return the address of something of the monitor's, wherever a proxy has put it.
 * @param {string} path
 */
export function placed(path) {
  return new URL(path, new URL('../../', import.meta.url)).href;
}

/**
 * Send a request to the HTTP interface; `data` is its answer as it stands.
 * @param {string} route
 * @param {Record<string, unknown>} body
 * @returns {Promise<{status: number, data: any}>}
 */
export async function post(route, body) {
  try {
    const response = await fetch(placed(`api/${route}`), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-XSRFToken': token() },
      body: JSON.stringify(body),
    });
    return { status: response.status, data: parsed(await response.text()) };
  } catch {
    return { status: 0, data: 'The monitor does not answer; what was asked for may have been done.' };
  }
}

/**
 * Read from the HTTP interface.
 * @param {string} route
 * @param {Record<string, string|number|undefined>} values
 * @returns {Promise<{status: number, data: any}>}
 */
export async function get(route, values) {
  const { status, text } = await getText(route, values);
  return { status, data: parsed(text) };
}

/**
 * Read a text from the HTTP interface.
 * @param {string} route
 * @param {Record<string, string|number|undefined>} values
 * @returns {Promise<{status: number, text: string}>}
 */
export async function getText(route, values) {
  try {
    const response = await fetch(placed(`api/${route}?${queryOf(values)}`), { cache: 'no-store' });
    return { status: response.status, text: await response.text() };
  } catch {
    return { status: 0, text: 'The monitor does not answer.' };
  }
}

/** @param {Record<string, string|number|undefined>} values */
function queryOf(values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query;
}

/** Return the answer that something read could not be had. @param {number} status @param {string} text @returns {Answer} */
export function failed(status, text) {
  const message = String(parsed(text)?.message ?? text);
  return { status, outcome: status === 0 ? 'nobody' : 'error', message, notices: [], dangers: [], result: null, fields: [] };
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, 2000);
  }
}

function token() {
  // The first is what browsers keep from everybody but this very host; it needs HTTPS.
  for (const name of ['__Host-xsrf=', '_xsrf=']) {
    const cookie = document.cookie.split('; ').find((one) => one.startsWith(name));
    if (cookie) return decodeURIComponent(cookie.slice(name.length));
  }
  return '';
}

/**
 * Return an answer in words.
 * @param {Answer} answer
 */
export function answerWords(answer) {
  const fields = answer.fields.map((one) => `${one.field}: ${one.message}`);
  const parts = [answer.message, ...answer.notices, ...fields].filter(Boolean);
  return parts.join(' · ') || (answer.outcome === 'ok' ? 'done' : `${answer.outcome} (${answer.status})`);
}
