/**
 * The window Logs: the output of one action's attempts, live, with its colours.
 */

import { Output } from './model/output.js';
import { Shot } from './model/shot.js';
import { nodeOf } from './model/table.js';
import { age, clock, duration } from './model/format.js';
import { SYMBOLS, plain, stateWords, statusWords, takenS } from './model/words.js';
import { get, placed } from './view/api.js';
import { Frame, download, h, setAttribute, setText } from './view/dom.js';
import { Feed } from './view/feed.js';
import { Inputs } from './view/part.js';
import { useForms } from './view/forms.js';
import { useTheme } from './view/theme.js';
import { useZone } from './view/zone.js';
import { Windowed } from './view/windowed.js';
import { styled, useStyle } from './view/style.js';

/** @import {Style} from './model/ansi.js' */

useStyle(import.meta.url);

const PAGE = 10_000;
const values = new URLSearchParams(window.location.search);
const tree = (values.get('tree') ?? '').toUpperCase();
const shotNumber = Number(values.get('shot') ?? '0');
const path = values.get('path') ?? '';
const wanted = Number(values.get('attempt') ?? '0');

const feed = new Feed();
const shot = new Shot(tree, shotNumber);
const output = new Output();
/** The attempt that is shown. */
let attempt = 0;
/** Counts what was chosen to be shown: an answer to an earlier choice comes too late. */
let choice = 0;
let channel = '';
let following = true;
let ended = false;
let problem = '';
/** @type {string[]} */
let attempts = [];

const symbol = h('span', { class: 'symbol', 'aria-hidden': 'true' });
const name = h('strong');
const state = h('span', { class: 'log-state' });
const choose = h('select', { id: 'attempt', 'aria-label': 'attempt' });
const count = h('span', { class: 'count' });
const find = h('input', { type: 'search', id: 'find', placeholder: 'Find   /' });
const found = h('span', { class: 'count' });
const connection = h('span', { class: 'pill' });
const newest = h('button', { class: 'small', onclick: () => { following = true; frame.ask(); } }, 'Newest ↓');
const space = h('div', { class: 'table-space' });
const scroll = h('div', { class: 'output-scroll', tabIndex: 0, role: 'log', 'aria-live': 'off', 'aria-label': 'output' }, space);
const rows = new Windowed(scroll, space, createLine, fill);
const frame = new Frame(draw);

function build() {
  document.title = `${path} ${tree}/${shotNumber}`;
  document.body.append(
    h('header', { class: 'page-head' },
      h('div', { class: 'log-name' }, symbol, name, h('span', { class: 'log-shot' }, `${tree}/${shotNumber}`), state),
      connection),
    h('div', { class: 'toolbar' },
      h('label', { class: 'field' }, h('span', {}, 'Attempt'), choose),
      h('button', { onclick: () => void save() }, 'Download'), find, found, count, newest),
    scroll);
  choose.addEventListener('change', () => show(Number(choose.value)));
  find.addEventListener('input', () => seek(1, true));
  find.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') seek(event.shiftKey ? -1 : 1, false);
  });
  scroll.addEventListener('scroll', () => {
    following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 8;
    frame.ask();
  }, { passive: true });
  window.addEventListener('resize', () => { rows.measure(); frame.ask(); });
  window.addEventListener('keydown', (event) => {
    if (event.key === '/' && event.target !== find) { event.preventDefault(); find.focus(); }
  });
  feed.addEventListener('change', () => frame.ask());
}

function start() {
  feed.subscribe(shot.name, {
    messages: (messages) => {
      for (const message of messages) {
        if (message.command === 'WHOLE' || message.task_id === path || message.command === 'RUN_OPENED') shot.apply(message);
      }
      newAttempts();
      frame.ask();
    },
    failed: (error) => { problem = error; void stored(wanted || 1); frame.ask(); },
  }, { state: true });
  feed.open();
}

/** Offer the attempts there are; the newest is shown unless another was chosen. */
function newAttempts() {
  const last = shot.byPath.get(path)?.last.attempt ?? 0;
  const numbers = Array.from({ length: last }, (_, index) => String(last - index));
  if (numbers.join() === attempts.join()) return;
  const atNewest = attempt === 0 || String(attempt) === attempts[0];
  attempts = numbers;
  choose.replaceChildren(...numbers.map((number) => h('option', { value: number }, number === String(last) ? `${number}, the last` : number)));
  if (attempt === 0 && wanted >= 1 && wanted <= last) show(wanted);
  else if (atNewest && last > 0) show(last);
  choose.value = String(attempt);
}

/** Begin to show an attempt, and nothing else; return the number of this choice. @param {number} number */
function begin(number) {
  choice += 1;
  if (channel) feed.unsubscribe(channel);
  channel = '';
  attempt = number;
  output.clear();
  following = true;
  ended = false;
  return choice;
}

/** @param {number} number */
function show(number) {
  const mine = begin(number);
  problem = '';
  channel = `${tree}/${shotNumber}/${path}#${number}`;
  feed.subscribe(channel, {
    messages: (messages) => {
      for (const message of messages) {
        if (message.lines && message.first !== undefined) output.add(message.first, message.lines);
        else if (message.command === 'TAIL') output.tail(message.time ?? 0, message.stream ?? 1, message.text ?? '');
        else if (message.command === 'CUT') output.cut(message.reason ?? '');
      }
      frame.ask();
    },
    again: () => { output.clear(); ended = false; },
    ended: () => { ended = true; output.end(); frame.ask(); },
    failed: () => { if (mine === choice) void stored(number); },
  });
  frame.ask();
}

/** What is not on a channel is read as it is stored. @param {number} number */
async function stored(number) {
  const mine = begin(number);
  for (let more = true; more; ) {
    const { status, data } = await get('logs', { tree, shot: shotNumber, path, attempt: number, since: output.next, limit: PAGE });
    if (mine !== choice) return;
    if (status !== 200) {
      problem = typeof data === 'string' ? data : (data?.message ?? `status ${status}`);
      break;
    }
    if (attempts.length === 0) {
      attempts = (data.result?.attempts ?? []).map(String);
      choose.replaceChildren(...attempts.map((one) => h('option', { value: one }, one)));
      choose.value = String(data.result?.attempt ?? number);
    }
    const lines = /** @type {{number: number, at: number, stream: number, text: string}[]} */ (data.result?.lines ?? []);
    for (const line of lines) output.add(line.number, [[line.at, line.stream, line.text]]);
    for (const tail of /** @type {typeof lines} */ (data.result?.tails ?? [])) output.tail(tail.at, tail.stream, tail.text);
    more = Boolean(data.result?.more) && lines.length > 0;
    ended = !more;
  }
  frame.ask();
}

function draw() {
  const row = shot.byPath.get(path);
  setText(name, plain(row ? nodeOf(row) : path));
  setText(symbol, row ? SYMBOLS[row.colour] : '');
  setAttribute(symbol, 'class', `symbol ${row?.colour ?? ''}`);
  setText(state, stateText());
  rows.draw(output.length);
  space.style.minWidth = `${output.widest + 18}ch`;
  if (following) {
    scroll.scrollTop = scroll.scrollHeight;
    rows.look();
    rows.draw(output.length);
  }
  newest.hidden = following;
  const { dropped } = output;
  setText(count, dropped ? `${output.lines.length} lines; ${dropped} before them are only in the download` : `${output.lines.length} lines`);
  drawConnection();
}

function stateText() {
  const row = shot.byPath.get(path);
  if (problem) return problem;
  if (!row) return shot.known ? 'no such action' : 'waiting for the monitor …';
  if (attempt === 0) return 'not tried yet';
  if (attempt !== (row.last.attempt ?? 0)) return `attempt ${attempt}`;
  const words = [stateWords(row.last), statusWords(row.last), row.last.server ?? '', duration(takenS(row.last, feed.now())), plain(row.last.reason ?? '')];
  return words.filter(Boolean).join(' · ');
}

function drawConnection() {
  const lost = feed.lostAt;
  if (feed.connected) {
    setText(connection, ended ? '■ complete' : '● live');
    connection.className = `pill ${ended ? 'quiet' : 'good'}`;
  } else {
    setText(connection, lost === null ? '▲ connecting …' : `▲ no connection since ${clock(lost)} (${age(Date.now() / 1000 - lost)})`);
    connection.className = 'pill bad';
  }
  document.body.classList.toggle('stale', !feed.connected);
}

function createLine() {
  return h('div', { class: 'output-line' }, h('time'), h('code'));
}

/** @param {HTMLElement} element @param {number} index @param {Inputs} made */
function fill(element, index, made) {
  const line = output.at(index);
  if (!line || !made.changed(line, find.value)) return;
  const match = find.value !== '' && line.text.toLowerCase().includes(find.value.toLowerCase());
  element.className = `output-line stream${line.stream}${match ? ' match' : ''}`;
  const [time, text] = element.children;
  setText(time, line.at ? clock(line.at, 3) : '');
  text.replaceChildren(...line.pieces.map(({ text: part, style }) => piece(part, style)));
}

/** @param {string} text @param {Style} style */
function piece(text, style) {
  const element = h('span', {}, text);
  const [fg, bg] = style.inverse ? [style.bg ?? 'panel', style.fg ?? 'text'] : [style.fg, style.bg];
  if (fg) element.style.color = colour(fg);
  if (bg) element.style.backgroundColor = colour(bg);
  const classes = [style.bold && 'bold', style.dim && 'dim', style.italic && 'italic', style.underline && 'underline'];
  element.className = classes.filter(Boolean).join(' ');
  return element;
}

/** @param {string} value */
function colour(value) {
  if (value.startsWith('#')) return value;
  return value === 'panel' || value === 'text' ? `var(--${value})` : `var(--ansi-${value})`;
}

/** Go to the next line with the text. @param {1|-1} step @param {boolean} fromHere */
function seek(step, fromHere) {
  const text = find.value.toLowerCase();
  const { lines } = output;
  setText(found, '');
  frame.ask();
  if (!text) return;
  const height = rows.rowHeight || 1;
  const here = Math.floor(scroll.scrollTop / height) + (fromHere ? 0 : step);
  for (let tried = 0; tried < lines.length; tried += 1) {
    const index = (((here + step * tried) % lines.length) + lines.length) % lines.length;
    if (!lines[index].text.toLowerCase().includes(text)) continue;
    following = false;
    scroll.scrollTop = index * height;
    setText(found, `line ${index + 1}`);
    return;
  }
  setText(found, 'not found');
}

async function save() {
  const mine = choice;
  const file = `${tree}_${shotNumber}_${path.replace(/\W+/g, '_')}_${attempt}.txt`;
  const query = new URLSearchParams({ tree, shot: String(shotNumber), path, attempt: String(attempt) });
  const response = await fetch(placed(`api/logs.txt?${query}`)).catch(() => null);
  if (response?.ok) download(file, await response.text());
  else if (mine === choice) download(file, output.text());
  else problem = 'the output that was asked for could not be had';
}

useTheme();
useZone();
useForms();
await styled();
build();
start();
setInterval(() => frame.ask(), 500);
frame.ask();
