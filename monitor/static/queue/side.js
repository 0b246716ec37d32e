/** What stands beside the programme: what has ended, what is proposed, and who did what. */

/** @import {Entry, HistoryItem, QueueChange} from '../model/types.js' */
/** @import {Inputs} from '../view/part.js' */
/** @import {Editor} from './editor.js' */
/** @import {Kinds} from './kinds.js' */
import { clock, day, duration, moment } from '../model/format.js';
import { byName, plain } from '../model/words.js';
import { failed, get, getText } from '../view/api.js';
import { tell } from '../view/commands.js';
import { askFor } from '../view/dialog.js';
import { download, h, setAttribute, setText } from '../view/dom.js';
import { Inputs as Made, Part } from '../view/part.js';
import { Windowed } from '../view/windowed.js';
import { useStyle } from '../view/style.js';
import { RESULTS, filterHistory, kindOf, linesAbout, planDetails, planName, shotAddress, usersOf, whoWords } from './words.js';

useStyle(import.meta.url);

/** The base of the panes: each is drawn while it is seen. */
export class Pane extends Part {
  /** @type {Editor} */ editor = /** @type {any} */ (null);
  /** @type {Kinds} */ kinds = /** @type {any} */ (null);

  get board() {
    return this.editor.board;
  }
}

/**
 * @typedef {HTMLElement & {item: HistoryItem|null, parts: Record<'symbol'|'result'|'name'|'details'|'when'|'who', HTMLElement> & {shot: HTMLAnchorElement}}} HistoryRow
 */

export class HistoryPane extends Pane {
  #kind = h('select', {});
  #user = h('select', {});
  #result = h('select', {}, h('option', { value: '' }, 'all'), ...Object.keys(RESULTS).map((one) => h('option', { value: one }, one)));
  #text = h('input', { type: 'search', placeholder: 'Search the history   /', 'aria-label': 'search the history' });
  #count = h('span', { class: 'count' });
  #earlier = h('button', { class: 'small', onclick: () => void this.#ask() });
  #also = h('input', { type: 'checkbox' });
  #hidden = h('label', { class: 'tick' }, this.#also, ' also hidden ones');
  #hide = h('button', { class: 'small', title: 'begin this view anew; nothing is lost', onclick: () => void this.#askHide() }, 'Hide …');
  #export = h('button', { class: 'small', title: 'as JSON lines or CSV', onclick: () => void this.#askExport() }, 'Export …');
  /** What is hidden from everybody's view, where somebody wants to see it. @type {HistoryItem[]} */ #before = [];
  #body = h('div', { class: 'history-scroll', tabIndex: 0, role: 'list', 'aria-label': 'ended plans' });
  #empty = h('p', { class: 'empty', hidden: true });
  #offered = new Made();
  #filtered = new Made();
  /** @type {HistoryItem[]} */ #items = [];
  /** How many there are of which the filter shows these. */ #of = 0;
  /** @type {Windowed<HistoryRow>} */ #rows = /** @type {any} */ (null);

  build() {
    this.#also.addEventListener('change', () => void this.#askHidden());
    for (const input of [this.#kind, this.#user, this.#result, this.#text]) input.addEventListener('input', () => this.app.changed());
    /** @param {string} text @param {HTMLElement} input */
    const field = (text, input) => h('label', { class: 'field' }, h('span', {}, text), input);
    const space = h('div', { class: 'table-space', role: 'presentation' });
    this.#body.append(space);
    this.append(
      h('div', { class: 'history-filter' }, this.#text, field('Kind', this.#kind), field('Who', this.#user), field('Result', this.#result), this.#hidden, this.#count, this.#earlier, this.#hide, this.#export),
      this.#body, this.#empty);
    this.#rows = new Windowed(this.#body, space, () => this.#create(), (element, index, made) => this.#update(element, index, made), (index) => this.#items[index]);
    this.#body.addEventListener('scroll', () => this.app.changed(), { passive: true });
    new ResizeObserver(() => this.app.changed()).observe(this.#body);
  }

  restyle() {
    this.#rows.measure();
  }

  focusSearch() {
    this.#text.focus();
  }

  draw() {
    const { view } = this.board;
    const seen = this.board.shownHistory();
    const all = this.#also.checked && this.#before.length > 0 ? together(this.#before, seen) : seen;
    if (this.#offered.changed(this.board.history, view?.history, this.#before, this.#also.checked)) {
      offer(this.#kind, all.map(kindOf));
      offer(this.#user, all.flatMap(usersOf));
    }
    if (this.#filtered.changed(this.board.history, view?.history, this.#before, this.#also.checked, this.#kind.value, this.#user.value, this.#result.value, this.#text.value)) {
      this.#items = filterHistory(all, { kind: this.#kind.value, user: this.#user.value, result: this.#result.value, text: this.#text.value });
    }
    this.#of = all.length;
    const earlier = Math.max(0, (view?.history ?? 0) - seen.length);
    this.#hidden.hidden = (view?.history_total ?? 0) <= (view?.history ?? 0);
    this.#hide.hidden = (view?.history ?? 0) === 0;
    this.#hide.disabled = !this.app.may('queue_hide_history');
    this.#export.hidden = (view?.history_total ?? 0) === 0;
    this.#earlier.hidden = earlier === 0;
    setText(this.#earlier, `${earlier} earlier ones`);
    setText(this.#count, this.#items.length === all.length ? `${all.length}` : `${this.#items.length} of ${all.length}`);
    this.#body.hidden = this.#items.length === 0;
    this.#empty.hidden = this.#items.length > 0;
    setText(this.#empty, all.length > 0 ? 'No ended plan fits the filter.' : 'Nothing has ended yet.');
    this.#rows.draw(this.#items.length);
  }

  /** @returns {HistoryRow} */
  #create() {
    const symbol = h('span', { class: 'symbol', 'aria-hidden': 'true' });
    const result = h('strong', { class: 'history-result' });
    const name = h('button', { class: 'link', title: 'its runs, and who did what', onclick: () => {
      if (element.item) this.#show(element.item);
    } });
    const shot = h('a', { class: 'history-shot' });
    const details = h('span', { class: 'history-details' });
    const when = h('span', { class: 'history-when' });
    const who = h('span', { class: 'history-who' });
    const element = /** @type {HistoryRow} */ (/** @type {HTMLElement} */ (h('div', { class: 'history-row', role: 'listitem' },
      h('div', { class: 'history-line' }, symbol, result, name, shot, details),
      h('div', { class: 'history-line' }, when, who))));
    element.item = null;
    element.parts = { symbol, result, name, shot, details, when, who };
    return element;
  }

  /** @param {HistoryRow} element @param {number} index @param {Inputs} made */
  #update(element, index, made) {
    const item = this.#items[index];
    if (!item || !made.changed(item, this.kinds.version)) return;
    const { entry, result } = item;
    const { symbol, look } = RESULTS[result.exit_status];
    const { parts } = element;
    element.item = item;
    element.dataset.uid = entry.uid;
    setAttribute(element, 'class', `history-row ${look}-row`);
    setText(parts.symbol, symbol);
    setAttribute(parts.symbol, 'class', `symbol ${look}`);
    setText(parts.result, result.exit_status);
    setAttribute(parts.result, 'class', `history-result ${look}`);
    setText(parts.name, planName(entry.plan));
    setText(parts.shot, shotName(item));
    setAttribute(parts.shot, 'href', shotLink(item));
    setText(parts.details, planDetails(entry.plan, this.kinds.of(entry.plan.kind)));
    setText(parts.when, `${clock(result.ended_at)}, ${duration(result.ended_at - result.began_at)}`);
    parts.when.title = `${moment(result.began_at)} to ${moment(result.ended_at)}`;
    const ended = result.ended_by ? `ended by ${plain(result.ended_by)}` : '';
    setText(parts.who, [whoWords(entry), ended, plain(result.message ?? '')].filter(Boolean).join(' · '));
    element.title = parts.who.textContent ?? '';
  }

  /** Have what has ended before what the page began with. */
  async #ask() {
    this.#earlier.disabled = true;
    this.board.before(await askHistory({}));
    this.#earlier.disabled = false;
    this.app.changed();
  }

  /** Have what is hidden, too. */
  async #askHidden() {
    if (this.#also.checked) this.#before = await askHistory({ all: 'true' });
    this.app.changed();
  }

  /** @param {HistoryItem} item */
  #show(item) {
    const hides = this.app.may('queue_hide_history') && this.board.shownHistory().includes(item);
    showItem(item, this.kinds, hides ? () => void this.editor.run(`Hide up to ${planName(item.entry.plan)}`, 'queue_hide_history', { until: item.entry.uid }) : null);
  }

  async #askHide() {
    const said = await askFor({
      title: 'Begin the view of the history anew?',
      text: 'For everybody. Nothing is lost: what is hidden is still shown on demand, and exported.',
      fields: [{ name: 'keep', label: 'So many last ones stay', type: 'number', value: '0', required: true }],
      yes: 'Hide the others',
    });
    if (said) await this.editor.run('Hide the history', 'queue_hide_history', { keep: Number(said.keep) });
  }

  async #askExport() {
    const hidden = !this.#hidden.hidden;
    const shown = new Set(this.#items.map((item) => item.entry.uid));
    const said = await askFor({
      title: 'Export the history',
      fields: [
        { name: 'form', label: 'As', type: 'choice', choices: [['csv', 'CSV', 'for spreadsheets'], ['jsonl', 'JSON lines', 'an object in each line']] },
        { name: 'by', label: 'A line for each', type: 'choice', choices: [['plan', 'plan', ''], ['run', 'run', 'of its phases'], ['action', 'action', 'of the shots that are still kept']] },
        ...(shown.size < this.#of ? [/** @type {const} */ ({ name: 'shown', label: `only the ${shown.size} that the filter shows`, type: 'tick', value: '1' })] : []),
        ...(hidden ? [/** @type {const} */ ({ name: 'all', label: 'also what is hidden', type: 'tick', value: this.#also.checked ? '1' : '' })] : []),
      ],
      yes: 'Export',
    });
    if (!said) return;
    const { form, by } = said;
    const { status, text } = await getText('queue_history.txt', { form, by, all: said.all ? 'true' : undefined });
    if (status === 200) download(`history-${by}.${form}`, said.shown ? linesAbout(text, form, shown) : text);
    else tell('Export', failed(status, text));
  }
}

/** Return all that has ended, the latest last, or as much of it as is told. @param {Record<string, string>} how @returns {Promise<HistoryItem[]>} */
async function askHistory(how) {
  /** @type {HistoryItem[]} */
  const items = [];
  /** @type {number|undefined} */
  let since = 0;
  while (since !== undefined) {
    const { status, data } = await get('queue_history', { ...how, since });
    if (status !== 200) {
      tell('History', failed(status, String(data?.message ?? data)));
      break;
    }
    items.push(...(data.result.items ?? []));
    since = data.result.next ?? undefined;
  }
  return items;
}

/** Return ended plans with later ones behind them, each once. @param {HistoryItem[]} items @param {HistoryItem[]} later */
function together(items, later) {
  const known = new Set(later.map((item) => item.entry.uid));
  return [...items.filter((item) => !known.has(item.entry.uid)), ...later];
}

/** Offer values in a select, without touching it while they are the same. @param {HTMLSelectElement} select @param {string[]} values */
function offer(select, values) {
  const sorted = [...new Set(values)].filter(Boolean).sort(byName);
  const chosen = select.value;
  select.replaceChildren(h('option', { value: '' }, 'all'), ...sorted.map((value) => h('option', { value }, plain(value))));
  select.value = sorted.includes(chosen) ? chosen : '';
}

/** @param {HistoryItem} item */
function shotName({ result }) {
  return result.shot ? `${plain(result.tree ?? '')}/${result.shot}` : '';
}

/** @param {HistoryItem} item */
function shotLink({ result }) {
  return result.shot ? shotAddress(result.tree, result.shot) : null;
}

/** Show all that is known of an ended plan. @param {HistoryItem} item @param {Kinds} kinds @param {(() => void)|null} hide hides it and what is before it */
function showItem(item, kinds, hide) {
  const { entry, result } = item;
  const { symbol, look } = RESULTS[result.exit_status];
  /** @type {[string, string][]} */
  const facts = [
    ['Result', `${symbol} ${result.exit_status}${result.message ? `: ${plain(result.message)}` : ''}`],
    ['Plan', planDetails(entry.plan, kinds.of(entry.plan.kind)) || '—'],
    ['Shot', shotName(item) || 'none was made'],
    ['Time', `${moment(result.began_at)} to ${moment(result.ended_at)}, ${duration(result.ended_at - result.began_at)}`],
    ['Who', [whoWords(entry), result.ended_by && `ended by ${plain(result.ended_by)}`].filter(Boolean).join(', ') || '—'],
    ['Added', moment(entry.added_at)],
    ['Entry', entry.uid + (entry.copy_of ? `, a copy of ${entry.copy_of}` : '')],
  ];
  const runs = (result.runs ?? []).map((run) => {
    const { success = 0, failed = 0, server_off: off = 0 } = run.counts ?? {};
    const names = (run.failed ?? []).map((one) => `${plain(one.path)} ${plain(one.cause || one.state)}${one.reason ? `: ${plain(one.reason)}` : ''}`);
    return h('li', {}, h('strong', {}, plain(run.phase)), ` run ${run.run}, ${run.outcome || 'open'}, ${duration(run.duration_s)}: ${success} done, ${failed + off} failed`,
      names.length > 0 && h('ul', {}, ...names.map((name) => h('li', {}, name))));
  });
  const dialog = h('dialog', { class: 'ask history-item', 'aria-label': planName(entry.plan) },
    h('h2', { class: look }, planName(entry.plan)),
    h('table', { class: 'keys' }, ...facts.map(([name, text]) => h('tr', {}, h('th', {}, name), h('td', {}, text)))),
    runs.length > 0 && h('ul', { class: 'ask-items' }, ...runs),
    h('form', { method: 'dialog', class: 'ask-buttons' },
      hide && h('button', { class: 'quiet', title: 'it, and what has ended before it; nothing is lost', onclick: hide }, 'Hide up to this one'),
      h('button', { class: 'primary', autofocus: true }, 'Close')));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** What waits for somebody's approval. */
export class ProposalsPane extends Pane {
  /** @type {(entry: Entry|null, how: 'add'|'change') => void} */ form = () => {};
  #list = h('ul', { class: 'proposals' });
  #empty = h('p', { class: 'empty' }, 'Nothing is proposed.');
  #made = new Made();

  build() {
    this.append(this.#list, this.#empty);
  }

  draw() {
    const entries = this.board.of(this.board.proposals);
    const may = ['queue_approve', 'queue_update', 'queue_remove'].map((verb) => this.app.may(verb));
    if (!this.#made.changed(this.kinds.version, ...may, ...entries)) return;
    this.#empty.hidden = entries.length > 0;
    this.#list.replaceChildren(...entries.map((entry) => this.#row(entry, may)));
  }

  /** @param {Entry} entry @param {boolean[]} may */
  #row(entry, [approves, changes, removes]) {
    const name = planName(entry.plan);
    const { editor } = this;
    /** @param {string} position */
    const approve = (position) => void editor.run(`Approve ${name}`, 'queue_approve', { uids: [entry.uid], position }, { version: this.board.number });
    return h('li', { 'data-uid': entry.uid },
      h('div', {}, h('strong', {}, name), ` ${planDetails(entry.plan, this.kinds.of(entry.plan.kind))}`),
      h('div', { class: 'proposal-who' }, `${whoWords(entry)} at ${clock(entry.added_at)}`),
      h('div', { class: 'proposal-buttons' },
        h('button', { class: 'small primary', disabled: !approves, onclick: () => approve('back') }, 'Approve'),
        h('button', { class: 'small', disabled: !approves, onclick: () => approve('front') }, 'Approve to the front'),
        h('button', { class: 'small', disabled: !changes, onclick: () => this.form(entry, 'change') }, 'Change'),
        h('button', { class: 'small', disabled: !removes, onclick: () => void editor.remove([entry]) }, 'Reject')));
  }
}

/** Who did what, the latest first. */
export class ChangesPane extends Pane {
  #list = h('ol', { class: 'changes', tabIndex: 0, 'aria-label': 'who did what' });
  #empty = h('p', { class: 'empty' }, 'Nobody has changed anything since the monitor looks.');
  #made = new Made();

  build() {
    this.append(this.#list, this.#empty);
  }

  draw() {
    const { changes } = this.board;
    if (!this.#made.changed(changes)) return;
    this.#empty.hidden = changes.length > 0;
    this.#list.hidden = changes.length === 0;
    let shown = '';
    this.#list.replaceChildren(...[...changes].reverse().flatMap((one) => {
      const date = day(one.time);
      const head = date !== shown && shown !== '' ? [h('li', { class: 'change-day' }, date)] : [];
      shown = date;
      return [...head, changeRow(one)];
    }));
  }
}

/** @param {QueueChange} change */
function changeRow({ time, by, text }) {
  return h('li', {}, h('time', {}, clock(time)), h('strong', {}, plain(by) || 'the queue'), h('span', {}, plain(text)));
}

customElements.define('queue-history', HistoryPane);
customElements.define('queue-proposals', ProposalsPane);
customElements.define('queue-changes', ChangesPane);
