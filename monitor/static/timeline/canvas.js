/**
 * The timeline drawn: lanes, bars, medians, arrows, the ruler. Only what is seen is drawn.
 */

/** @import {Bar, Layout, Span} from '../model/timeline.js' */
import { inkOn, mixed } from '../model/contrast.js';
import { hasFailed } from '../model/shot.js';
import { beyond, ticks, timesUsual } from '../model/timeline.js';
import { times } from '../model/format.js';
import { SYMBOLS, plain } from '../model/words.js';
import { nodeOf } from '../model/table.js';

const FAINT = 0.15;
const SENT = 0.45; // of its colour a bar has that has not begun
const TO_COME = 0.45; // of the ground is over what is still to come
/** However short an action was, it is seen; what has failed stands out. */
const LEAST = 4;
const LEAST_FAILED = 9;
const CHARACTER = 0.66; // of the font's size: about the width of a capital, as most of a name is
const COLOURS = ['blue', 'orange', 'green', 'red', 'grey', 'text', 'muted', 'line', 'lane', 'panel', 'accent', 'critical'];

/**
 * What is drawn, and where.
 * @typedef {object} Scene
 * @property {Layout} drawn
 * @property {Span} span
 * @property {number} now
 * @property {number} origin
 * @property {number} top how far it is scrolled
 * @property {string|null} selected
 * @property {string|null} hovered
 * @property {Set<string>} slow
 * @property {Set<string>} critical
 * @property {boolean} open the run goes on
 * @property {import('../model/types.js').Category|null} category the others are faint; null: none is
 */

/** @typedef {{path: string, x: number, y: number, width: number, height: number}} Rect */

/** Draws scenes on a canvas, and knows what stands where. */
export class TimelineCanvas {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    /** @type {Rect[]} */
    this.rects = [];
    /** @type {Record<string, string>} */
    this.colours = {};
    this.width = 0;
    this.height = 0;
    this.font = 13;
    this.gutter = 110;
    this.ruler = 26;
    this.line = 24;
    this.gap = 8;
    /** Whether the bar that is being drawn is not looked at. */
    this.faint = false;
  }

  /** Take colours and sizes from the style sheets. */
  restyle() {
    const style = getComputedStyle(this.canvas);
    for (const name of COLOURS) this.colours[name] = style.getPropertyValue(`--${name}`).trim();
    this.font = parseFloat(style.fontSize) || 13;
    this.line = Math.round(this.font * 1.85);
    this.ruler = Math.round(this.font * 2);
    this.family = style.fontFamily;
  }

  /** @param {Layout} drawn */
  heightOf(drawn) {
    return this.ruler + drawn.lines * this.line + drawn.lanes.length * this.gap + this.gap;
  }

  /**
   * @param {number} x
   * @param {Span} span
   */
  timeAt(x, span) {
    return span.start + ((x - this.gutter) / Math.max(1, this.width - this.gutter)) * (span.end - span.start);
  }

  /**
   * @param {number} at
   * @param {Span} span
   */
  x(at, span) {
    return this.gutter + ((at - span.start) / (span.end - span.start)) * (this.width - this.gutter);
  }

  /**
   * Return the path of the bar at a point.
   * @param {number} x
   * @param {number} y
   * @returns {string|null}
   */
  pathAt(x, y) {
    if (x < this.gutter || y < this.ruler) return null;
    for (let index = this.rects.length - 1; index >= 0; index -= 1) {
      const rect = this.rects[index];
      if (x >= rect.x - 2 && x <= rect.x + rect.width + 2 && y >= rect.y && y <= rect.y + rect.height) return rect.path;
    }
    return null;
  }

  /** @param {Scene} scene */
  draw(scene) {
    this.#fit(scene.drawn);
    const { context } = this;
    context.clearRect(0, 0, this.width, this.height);
    context.font = `${this.font}px ${this.family}`;
    context.textBaseline = 'middle';
    this.rects = [];
    this.#lanes(scene);
    context.save();
    context.beginPath();
    context.rect(this.gutter, this.ruler, this.width - this.gutter, this.height - this.ruler);
    context.clip();
    this.#grid(scene);
    for (const bar of scene.drawn.bars) {
      if (!hasFailed(bar.row)) this.#bar(scene, bar);
    }
    // Above all others, which may be many.
    for (const bar of scene.drawn.failed) this.#bar(scene, bar);
    this.faint = false;
    this.#arrows(scene);
    this.#now(scene);
    context.restore();
    this.#ruler(scene);
  }

  /** @param {Layout} drawn */
  #fit(drawn) {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (this.width !== width || this.height !== height || canvas.width !== Math.round(width * ratio)) {
      this.width = width;
      this.height = height;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const longest = Math.max(6, ...drawn.lanes.map((lane) => lane.name.length));
    this.gutter = Math.min(this.width * 0.3, Math.round(longest * this.font * CHARACTER) + 24);
  }

  /**
   * @param {Scene} scene
   * @param {number} lane
   * @param {number} line
   */
  #y(scene, lane, line) {
    const top = scene.drawn.lanes[lane]?.top ?? 0;
    return this.ruler + this.gap + (top + line) * this.line + lane * this.gap - scene.top;
  }

  /** @param {Scene} scene */
  #lanes(scene) {
    const { context, colours } = this;
    for (const [index, lane] of scene.drawn.lanes.entries()) {
      const y = this.#y(scene, index, 0);
      const height = lane.lines * this.line;
      if (y + height < this.ruler || y > this.height) continue;
      context.fillStyle = colours.lane;
      context.fillRect(0, y - this.gap / 2, this.width, height + this.gap - 2);
      context.fillStyle = colours.text;
      context.fillText(this.#cut(plain(lane.name), this.gutter - 16), 10, y + this.line / 2);
      if (lane.failed === 0) continue;
      context.fillStyle = colours.red;
      context.fillRect(0, y - this.gap / 2, 5, height + this.gap - 2);
    }
  }

  /** @param {Scene} scene */
  #grid(scene) {
    const { context, colours } = this;
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.beginPath();
    for (const mark of this.#marks(scene)) {
      const x = Math.round(this.x(mark.at, scene.span)) + 0.5;
      context.moveTo(x, this.ruler);
      context.lineTo(x, this.height);
    }
    context.stroke();
  }

  /** @param {Scene} scene */
  #marks(scene) {
    return ticks(scene.span, scene.origin, (this.width - this.gutter) / (this.font * 7));
  }

  /** @param {Scene} scene */
  #ruler(scene) {
    const { context, colours } = this;
    context.fillStyle = colours.panel;
    context.fillRect(0, 0, this.width, this.ruler);
    context.fillStyle = colours.muted;
    for (const mark of this.#marks(scene)) {
      const x = this.x(mark.at, scene.span);
      if (x >= this.gutter - 1) context.fillText(mark.text, x + 4, this.ruler / 2);
    }
    context.fillRect(0, this.ruler - 1, this.width, 1);
    this.#flags(scene);
  }

  /** @param {Scene} scene @param {Bar} bar */
  #bar(scene, bar) {
    const { span } = scene;
    this.faint = scene.category !== null && bar.row.category !== scene.category;
    const end = bar.end ?? Math.max(scene.now, bar.start);
    if (end < span.start || bar.start > span.end) return;
    const y = this.#y(scene, bar.lane, bar.line) + 2;
    const height = this.line - 6;
    if (y + height < this.ruler || y > this.height) return;
    const x = Math.max(this.gutter - 4, this.x(bar.start, span));
    const right = Math.min(this.width + 4, this.x(end, span));
    const failed = hasFailed(bar.row);
    const width = Math.max(failed ? LEAST_FAILED : LEAST, right - x);
    const { path } = bar.row;
    this.rects.push({ path, x, y, width, height });
    this.#fill(bar, x, y, width, height);
    if (this.faint) return;
    if (failed) this.#outline(this.colours.text, x, y, width, height, 1.25);
    if (width > 3 || scene.slow.has(path)) this.#median(scene, bar, x, y, height);
    this.#labels(scene, bar, x, y, width, height);
    if (scene.critical.has(path)) this.#outline(this.colours.critical, x, y + height + 1, width, 0);
    if (scene.selected === path || scene.hovered === path) {
      this.#outline(scene.selected === path ? this.colours.text : this.colours.muted, x - 1.5, y - 1.5, width + 3, height + 3);
    }
  }

  /**
   * @param {Bar} bar
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   */
  #fill(bar, x, y, width, height) {
    const { context, colours } = this;
    const { row } = bar;
    const colour = colours[row.colour === 'grey-outlined' ? 'grey' : row.colour];
    context.fillStyle = colour;
    context.globalAlpha = this.faint ? FAINT : row.last.state === 'DISPATCHED' ? SENT : 1;
    context.fillRect(x, y, width, height);
    context.globalAlpha = 1;
    if (row.last.state === 'DOING' && row.progress !== null && width > 8) {
      context.fillStyle = colours.panel;
      context.globalAlpha = TO_COME;
      context.fillRect(x + width * row.progress, y, width * (1 - row.progress), height);
      context.globalAlpha = 1;
    }
  }

  /**
   * The usual duration: a bracket below the bar, dashed where it is still to come.
   * @param {Scene} scene
   * @param {Bar} bar
   * @param {number} x
   * @param {number} y
   * @param {number} height
   */
  #median(scene, bar, x, y, height) {
    if (!bar.median || !bar.row.last.started_at) return;
    const { context, colours } = this;
    const usual = this.x(bar.start + bar.median, scene.span);
    const end = this.x(bar.end ?? scene.now, scene.span);
    context.strokeStyle = colours.text;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(usual, y - 2);
    context.lineTo(usual, y + height + 2);
    context.stroke();
    context.lineWidth = 1;
    if (usual > end && bar.end === null) {
      context.strokeStyle = colours.muted;
      context.setLineDash([3, 3]);
      context.strokeRect(Math.max(x, end), y + 0.5, usual - Math.max(x, end), height - 1);
      context.setLineDash([]);
    } else if (scene.slow.has(bar.row.path) && end - usual > 2) {
      this.#hatch(usual, y, end - usual, height);
    }
  }

  /**
   * Mark what is beyond the usual.
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   */
  #hatch(x, y, width, height) {
    const { context, colours } = this;
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    context.strokeStyle = colours.panel;
    context.globalAlpha = 0.6;
    context.lineWidth = 2;
    context.beginPath();
    for (let at = Math.max(x, this.gutter) - height; at < Math.min(x + width, this.width); at += 7) {
      context.moveTo(at, y + height);
      context.lineTo(at + height, y);
    }
    context.stroke();
    context.restore();
  }

  /**
   * @param {Scene} scene
   * @param {Bar} bar
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   */
  #labels(scene, bar, x, y, width, height) {
    const { context, colours } = this;
    const middle = y + height / 2 + 0.5;
    if (width > this.font * 3) {
      const left = Math.max(x, this.gutter) + 5;
      const text = this.#cut(`${SYMBOLS[bar.row.colour]} ${plain(nodeOf(bar.row))}`, x + width - left - 4);
      for (const [from, to, ground] of this.#grounds(bar, x, width)) this.#inked(text, left, middle, from, to, ground);
    }
    if (!scene.slow.has(bar.row.path)) return;
    const factor = timesUsual(bar, scene.now);
    context.fillStyle = colours.critical;
    context.fillText(`▲ ${factor === null ? 'slow' : times(factor)}`, x + width + 5, middle);
  }

  /**
   * Return what a bar's label stands on: from, to, and the colour there.
   * @param {Bar} bar
   * @param {number} x
   * @param {number} width
   * @returns {[number, number, string][]}
   */
  #grounds({ row }, x, width) {
    const { colours } = this;
    const colour = colours[row.colour === 'grey-outlined' ? 'grey' : row.colour];
    if (row.last.state === 'DISPATCHED') return [[x, x + width, mixed(colour, colours.lane, SENT)]];
    if (row.last.state !== 'DOING' || row.progress === null) return [[x, x + width, colour]];
    const done = x + width * row.progress;
    return [[x, done, colour], [done, x + width, mixed(colours.panel, colour, TO_COME)]];
  }

  /**
   * Draw the part of a text that stands on one ground, readable there.
   * @param {string} text
   * @param {number} left
   * @param {number} middle
   * @param {number} from
   * @param {number} to
   * @param {string} ground
   */
  #inked(text, left, middle, from, to, ground) {
    const { context } = this;
    if (to <= left) return;
    context.save();
    context.beginPath();
    context.rect(from, middle - this.line, to - from, 2 * this.line);
    context.clip();
    context.fillStyle = inkOn(ground);
    context.fillText(text, left, middle);
    context.restore();
  }

  /** Return what is out of sight above and below. @param {Scene} scene */
  beyond(scene) {
    const place = /** @param {import('../model/timeline.js').Lane} lane @param {number} index */ (lane, index) => {
      const top = this.#y(scene, index, 0);
      return { top, end: top + lane.lines * this.line };
    };
    return beyond(scene.drawn, place, { top: this.ruler, end: this.height });
  }

  /** Return how far to scroll so that an action's bar is seen. @param {Layout} drawn @param {string} path */
  scrollTo(drawn, path) {
    const bar = drawn.byPath.get(path);
    if (!bar) return null;
    const lane = drawn.lanes[bar.lane];
    const top = this.gap + (lane.top + bar.line) * this.line + bar.lane * this.gap;
    return { top, end: top + this.line };
  }

  /** When something has failed, on the ruler: also where its lane is out of sight. @param {Scene} scene */
  #flags(scene) {
    const { context, colours } = this;
    context.fillStyle = colours.red;
    for (const bar of scene.drawn.failed) {
      const x = this.x(bar.end ?? scene.now, scene.span);
      if (x < this.gutter - 1 || x > this.width + 1) continue;
      context.beginPath();
      context.moveTo(x, this.ruler);
      context.lineTo(x - 5, this.ruler - 9);
      context.lineTo(x + 5, this.ruler - 9);
      context.fill();
    }
  }

  /**
   * @param {string} colour
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   * @param {number} [line]
   */
  #outline(colour, x, y, width, height, line = 2) {
    const { context } = this;
    if (height === 0) {
      context.fillStyle = colour;
      context.fillRect(x, y, width, 3);
      return;
    }
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(x, y, width, height);
  }

  /** The conditions of the selected action, and what waits for it. @param {Scene} scene */
  #arrows(scene) {
    const chosen = scene.selected ? scene.drawn.byPath.get(scene.selected) : undefined;
    if (!chosen) return;
    for (const path of chosen.row.view.references ?? []) {
      const from = scene.drawn.byPath.get(path);
      if (from) this.#arrow(scene, from, chosen, this.colours.text);
    }
    for (const bar of scene.drawn.bars) {
      if (bar !== chosen && (bar.row.view.references ?? []).includes(chosen.row.path)) {
        this.#arrow(scene, chosen, bar, this.colours.muted);
      }
    }
  }

  /**
   * @param {Scene} scene
   * @param {Bar} from
   * @param {Bar} to
   * @param {string} colour
   */
  #arrow(scene, from, to, colour) {
    const { context } = this;
    const x1 = this.x(from.end ?? scene.now, scene.span);
    const x2 = this.x(to.start, scene.span) - 1;
    const y1 = this.#y(scene, from.lane, from.line) + this.line / 2 - 1;
    const y2 = this.#y(scene, to.lane, to.line) + this.line / 2 - 1;
    const bend = Math.max(18, Math.abs(x2 - x1) / 2);
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 1.75;
    context.beginPath();
    context.moveTo(x1, y1);
    context.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2 - 5, y2);
    context.stroke();
    context.beginPath();
    context.moveTo(x2, y2);
    context.lineTo(x2 - 8, y2 - 4.5);
    context.lineTo(x2 - 8, y2 + 4.5);
    context.fill();
  }

  /** @param {Scene} scene */
  #now(scene) {
    if (!scene.open) return;
    const x = this.x(scene.now, scene.span);
    this.context.fillStyle = this.colours.accent;
    this.context.fillRect(x, this.ruler, 1.5, this.height);
  }

  /**
   * @param {string} text
   * @param {number} room
   */
  #cut(text, room) {
    const fits = Math.floor(room / (this.font * CHARACTER));
    if (text.length <= fits) return text;
    if (fits < 3) return '';
    if (fits < 8) return `${text.slice(0, fits - 1)}…`;
    // Names differ most at their end.
    const tail = Math.floor((fits - 1) / 2);
    return `${text.slice(0, fits - 1 - tail)}…${text.slice(-tail)}`;
  }
}
