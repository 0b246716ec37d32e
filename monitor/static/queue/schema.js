/**
 * What a form for a kind of plans is made of: its fields by the JSON schema of its parameters, what
 * is read from them, and beside which of them a refusal belongs. Pure.
 */

/** @import {KindView} from '../model/types.js' */

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {'number'|'integer'|'string'|'boolean'|'array'|'object'|'any'} type
 * @property {string} description
 * @property {string} unit
 * @property {boolean} required nothing counts where it is left out
 * @property {unknown} fallback what counts where it is left out; undefined: nothing does
 * @property {number|undefined} minimum
 * @property {number|undefined} maximum
 * @property {number|undefined} step
 * @property {unknown[]} choices
 * @property {string} items what is in a list: a type, or 'any'
 * @property {string} none what stands for that nothing is chosen
 */

/**
 * Return a field of a form's own, in no schema.
 * @param {string} name
 * @param {Field['type']} type
 * @param {string} label
 * @param {string} [description]
 * @param {Partial<Field>} [more]
 * @returns {Field}
 */
export function field(name, type, label, description = '', more = {}) {
  return { name, label, type, description, unit: '', required: false, fallback: undefined, minimum: undefined, maximum: undefined, step: undefined, choices: [], items: 'any', none: '—', ...more };
}

/**
 * Return the fields of a kind's or a function's form, in its order.
 * @param {{parameters_schema: KindView['parameters_schema']}} declared
 * @returns {Field[]}
 */
export function fieldsOf({ parameters_schema: schema }) {
  const required = new Set(schema?.required ?? []);
  return Object.entries(schema?.properties ?? {}).map(([name, one]) => ({
    name,
    label: name,
    type: one.type ?? 'any',
    description: one.description ?? '',
    unit: one['x-unit'] ?? '',
    required: required.has(name),
    fallback: one.default,
    minimum: one.minimum ?? one.items?.minimum,
    maximum: one.maximum ?? one.items?.maximum,
    step: one['x-step'],
    choices: one.enum ?? [],
    items: one.items?.type ?? 'any',
    none: '—',
  }));
}

/** Return what is allowed in a field, in words. @param {Field} field */
export function allowedWords({ type, minimum, maximum, unit, items }) {
  const of = unit && ` ${unit}`;
  const limits = minimum !== undefined && maximum !== undefined ? `${minimum} to ${maximum}${of}`
    : minimum !== undefined ? `at least ${minimum}${of}` : maximum !== undefined ? `at most ${maximum}${of}` : '';
  if (type === 'array') {
    const what = items === 'number' || items === 'integer' ? 'numbers' : items === 'string' ? 'texts' : 'values';
    return `${what}, separated by commas${limits && `; ${limits} each`}`;
  }
  if (type === 'object') return 'as JSON: {"name": value}';
  if (type === 'integer') return limits ? `whole number, ${limits}` : 'whole number';
  return limits;
}

/** Return a value as it stands in its field. @param {Field} field @param {unknown} value */
export function textOf({ type, items, choices }, value) {
  if (value === undefined || value === null) return '';
  if (choices.length > 0) return JSON.stringify(value);
  if (type === 'array' && Array.isArray(value) && simple(value, items)) return value.join(', ');
  if (type === 'string') return String(value);
  if (type === 'any' && typeof value === 'string' && !isJson(value)) return value;
  return JSON.stringify(value);
}

/** Return whether a list can be written with commas alone. @param {unknown[]} value @param {string} items */
function simple(value, items) {
  if (items === 'string') return value.every((one) => typeof one === 'string' && one !== '' && !/^[[{]|,|^\s|\s$/.test(one));
  return items !== 'any' && value.every((one) => typeof one === 'number');
}

/**
 * Return what a field's text means, or what is wrong with it; neither: nothing was given.
 * @param {Field} field
 * @param {string} text
 * @returns {{value?: unknown, problem?: string}}
 */
export function read(field, text) {
  const { type, required, choices } = field;
  const given = type === 'string' ? text : text.trim();
  if (given === '' && !(type === 'string' && field.fallback !== undefined)) return required ? { problem: 'it is needed' } : {};
  if (choices.length > 0) return { value: JSON.parse(given) };
  if (type === 'string') return { value: given };
  if (type === 'number' || type === 'integer') return readNumber(field, given);
  if (type === 'array' && !given.startsWith('[')) return readList(field, given);
  try {
    const value = JSON.parse(given);
    if (type === 'object' && (typeof value !== 'object' || value === null || Array.isArray(value))) return { problem: 'it must be an object: {"name": value}' };
    return type === 'boolean' ? { value: value === true } : { value };
  } catch {
    return type === 'any' ? { value: given } : { problem: type === 'object' ? 'it must be JSON: {"name": value}' : 'it must be JSON' };
  }
}

/** @param {Field} field @param {string} text @returns {{value?: unknown, problem?: string}} */
function readNumber(field, text) {
  const { type, minimum, maximum } = field;
  const value = Number(text.replace(/^(-?\d+),(\d+)$/, '$1.$2'));
  if (!Number.isFinite(value)) return { problem: 'it must be a number' };
  const whole = type === 'integer' || field.items === 'integer';
  if (whole && !Number.isInteger(value)) return { problem: 'it must be a whole number' };
  if ((minimum !== undefined && value < minimum) || (maximum !== undefined && value > maximum)) {
    return { problem: `${value} is not within ${allowedWords({ ...field, type: 'number' })}` };
  }
  return { value };
}

/** @param {Field} field @param {string} text @returns {{value?: unknown, problem?: string}} */
function readList(field, text) {
  const parts = text.split(/\s*[,\n]\s*/).filter((one) => one !== '');
  if (field.items === 'string') return { value: parts };
  const numbers = field.items === 'number' || field.items === 'integer';
  const found = [];
  for (const part of parts) {
    const one = numbers ? readNumber(field, part) : read({ ...field, type: 'any' }, part);
    if (one.problem) return { problem: `${part}: ${one.problem}` };
    found.push(one.value);
  }
  return { value: found };
}

/** @param {string} text */
function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Return a refusal as it stands beside the fields that it names; under '' what names none.
 * @param {string} message
 * @param {string[]} names
 * @returns {Record<string, string>}
 */
export function byField(message, names) {
  const found = /\bparameter ([A-Za-z_]\w*) (.*)$/s.exec(message);
  if (found && names.includes(found[1])) return { [found[1]]: found[2] };
  for (const [name, pattern] of /** @type {[string, RegExp][]} */ (OTHERS)) {
    if (names.includes(name) && pattern.test(message)) return { [name]: message };
  }
  return { '': message };
}

/** The words of a refusal that is about a field of its own. */
const OTHERS = [
  ['phases', /\bphases?\b/],
  ['experiment', /\bexperiment\b/],
  ['repeat', /\brepeated\b/],
  ['shot', /\bshot\b/],
  ['kind', /\bkind\b/],
];
