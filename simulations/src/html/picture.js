'use strict';
// An error of this script is shown in the page, and the test finds it there.
addEventListener('error', (event) => { document.documentElement.dataset.error = event.message; });

const NS = 'http://www.w3.org/2000/svg';
const ROW = 22, GAP = 5, PAD = 6, TOP = 46, MIN_SPAN_US = 200;

function svg(name, attributes, parent, text) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

function html(name, parent, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  parent.append(element);
  return element;
}

const ms = (us) => (us / 1000).toFixed(us % 1000 ? 3 : 0) + ' ms';
const laneKey = (lane) => lane.kind + lane.number;
const laneName = (lane) => lane.kind + ' ' + lane.number;
const clientColour = (number) => 'var(--c' + (number % 8) + ')';

/// Tokens are long and differ in their last digits: only these are drawn.
function shortTokens(timeline) {
  const all = [];
  for (const { what } of [...timeline.spans, ...timeline.marks]) if (what.token !== undefined) all.push(String(what.token));
  const sample = all[0] || '';
  let same = 0;
  while (same < sample.length - 2 && all.every((one) => one.length === sample.length && one.startsWith(sample.slice(0, same + 1)))) same += 1;
  // A token that stands alone, or hardly differs, keeps its last two digits.
  return { short: (token) => (same > 3 ? '…' + String(token).slice(same) : String(token)), prefix: same > 3 ? sample.slice(0, same) : '' };
}

const KINDS = { lease: 'lease', foreign_hold: 'lease', fault: 'fault', paused: 'paused', lock: 'lock', rest: 'rest' };

/// A sentence for everything that is drawn.
function describe(thing) {
  const { what, lane } = thing, where = laneName(lane);
  const lasts = thing.to_us === undefined ? '' : ' from ' + ms(thing.from_us) + ' until ' + ms(thing.to_us) + ', for ' + ms(thing.to_us - thing.from_us);
  const at = thing.at_us === undefined ? '' : ' at ' + ms(thing.at_us);
  switch (thing.span ? what.kind : 'mark ' + what.kind) {
    case 'lease': return where + ' believes in its lease of ' + what.resource + ', token ' + what.token + ',' + lasts;
    case 'foreign_hold': return where + ', of another library, believes in its lock of ' + what.resource + lasts;
    case 'fault': return 'Fault: ' + what.long + ',' + lasts;
    case 'paused': return where + ' is paused, with all its tasks,' + lasts;
    case 'lock': return where + (what.reserved ? ' keeps ' : ' has the lock of ') + what.resource + ' for client ' + what.holder.slice(1) + (what.reserved ? ' to come' : '') + lasts;
    case 'rest': return where + ' rests, and gives no votes,' + lasts;
    case 'mark sent': return where + ' sends a write with token ' + what.token + at + '; it arrives at ' + ms(what.arrives_us);
    case 'mark written': return where + ' admits the write with token ' + what.token + at;
    case 'mark refused': return where + ' refuses the write with the stale token ' + what.token + at;
    case 'mark failed': return where + ' did not acquire' + at + ': ' + what.why;
    case 'mark fault': return 'Fault: ' + what.long + at;
    case 'mark void': return 'Not promised any more' + at + ': ' + what.why;
  }
  return what.kind;
}

/// The layout from top to bottom: things that overlap in a lane get separate rows.
function layOut(timeline, things) {
  const order = { fault: 0, paused: 0, rest: 0, lease: 1, foreign_hold: 1, lock: 1 };
  const lanes = timeline.lanes.map((lane) => ({ lane, key: laneKey(lane) }));
  let y = TOP;
  for (const lane of lanes) {
    const mine = things.filter((thing) => laneKey(thing.lane) === lane.key);
    const rows = [];
    for (const level of [0, 1]) {
      const first = rows.length;
      for (const thing of mine.filter((one) => one.span && order[one.what.kind] === level)) {
        let row = first;
        while (rows[row] !== undefined && rows[row] > thing.from_us) row += 1;
        rows[row] = thing.to_us;
        thing.row = row;
      }
    }
    const marks = mine.filter((thing) => !thing.span);
    lane.marksRow = marks.length || !rows.length ? rows.length : -1;
    for (const mark of marks) mark.row = lane.marksRow;
    lane.y = y;
    lane.height = 2 * PAD + (rows.length + (lane.marksRow >= 0 ? 1 : 0)) * (ROW + GAP) - GAP;
    y += lane.height;
    for (const thing of mine) thing.y = lane.y + PAD + thing.row * (ROW + GAP);
  }
  return { lanes, bottom: y };
}

/// Steps of a scale that people can read.
function ticks(from, to, width) {
  const wanted = (to - from) / Math.max(2, width / 90);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= wanted) || 10 * power;
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return found;
}

let patterns = 0;
function definePatterns(parent) {
  patterns += 1;
  const ids = { hatch: 'hatch' + patterns, stand: 'stand' + patterns, rest: 'rest' + patterns, clip: 'clip' + patterns };
  const defs = svg('defs', {}, parent);
  const hatch = svg('pattern', { id: ids.hatch, width: 7, height: 7, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' }, defs);
  svg('rect', { width: 7, height: 7, class: 'hatch-paper' }, hatch);
  svg('line', { x1: 0, y1: 0, x2: 0, y2: 7, class: 'hatch-line' }, hatch);
  const stand = svg('pattern', { id: ids.stand, width: 6, height: 6, patternUnits: 'userSpaceOnUse' }, defs);
  svg('rect', { width: 6, height: 6, class: 'stand-paper' }, stand);
  svg('line', { x1: 1, y1: 0, x2: 1, y2: 6, class: 'stand-line' }, stand);
  const rest = svg('pattern', { id: ids.rest, width: 7, height: 7, patternUnits: 'userSpaceOnUse' }, defs);
  svg('rect', { width: 7, height: 7, class: 'rest-paper' }, rest);
  svg('circle', { cx: 3, cy: 3, r: 1.2, class: 'rest-dot' }, rest);
  return { defs, ids };
}

/// The shape of a mark, around its middle.
function glyph(kind, group, x, y) {
  const path = (d, className) => svg('path', { d, class: className }, group);
  switch (kind) {
    case 'written': svg('circle', { cx: x, cy: y, r: 7, class: 'shape' }, group); path(`M${x - 3} ${y}l2.3 2.6l4-5`, 'glyph'); break;
    case 'refused': path(`M${x} ${y - 10}l10 10l-10 10l-10 -10z`, 'shape'); path(`M${x - 3.5} ${y - 3.5}l7 7m0 -7l-7 7`, 'glyph'); break;
    case 'sent': path(`M${x - 5} ${y - 5}h10l-5 10z`, 'shape'); break;
    case 'failed': svg('circle', { cx: x, cy: y, r: 5, class: 'shape' }, group); path(`M${x - 3.5} ${y + 3.5}l7 -7`, 'glyph'); break;
    case 'void': svg('circle', { cx: x, cy: y, r: 7, class: 'shape' }, group); svg('text', { x, y: y + 4, class: 'glyph' }, group, '?'); break;
    default: path(`M${x} ${y - 9}l9 16h-18z`, 'shape'); svg('text', { x, y: y + 5, class: 'glyph' }, group, '!');
  }
}

/// The space for a label within `width`.
function fitting(text, width, letter = 6.6) {
  const letters = Math.floor((width - 9) / letter);
  if (text.length <= letters) return text;
  return letters >= 4 ? text.slice(0, letters - 1) + '…' : '';
}

/// One run, drawn from a window of its time.
class Picture {
  constructor(section, data) {
    this.section = section;
    this.timeline = data.timeline;
    this.canvas = section.querySelector('.canvas');
    this.detail = section.querySelector('.detail');
    this.tokens = shortTokens(this.timeline);
    const spans = this.timeline.spans.map((span) => ({ ...span, span: true, starts: span.from_us }));
    const marks = this.timeline.marks.map((mark) => ({ ...mark, span: false, starts: mark.at_us }));
    this.things = [...spans, ...marks].sort((a, b) => a.starts - b.starts);
    this.things.forEach((thing, index) => { thing.index = index; thing.text = describe(thing); });
    this.layout = layOut(this.timeline, this.things);
    // The long time after the last event is left out.
    const last = Math.max(this.timeline.faults_end_us, 1000, ...this.things.map((thing) => (thing.span ? thing.to_us : thing.at_us)), this.timeline.violation_us || 0);
    this.whole = { from: 0, to: Math.min(this.timeline.ends_us, last) * 1.02 };
    this.view = { ...this.whole };
    this.current = 0;
    this.draw();
  }

  get width() { return this.fixed || Math.max(320, Math.round(this.canvas.clientWidth || 1000)); }
  get left() { return this.width < 560 ? 40 : 92; }
  x(us) { return this.left + ((us - this.view.from) / (this.view.to - this.view.from)) * (this.width - this.left - 10); }
  us(x) { return this.view.from + ((x - this.left) / (this.width - this.left - 10)) * (this.view.to - this.view.from); }

  draw() {
    const { timeline, layout, width } = this, height = layout.bottom + 18;
    const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'Timeline with ' + this.things.length + ' things' });
    const { defs, ids } = definePatterns(root);
    this.ids = ids;
    const clip = svg('clipPath', { id: ids.clip }, defs);
    svg('rect', { x: this.left, y: 0, width: width - this.left, height }, clip);
    this.drawLanes(root);
    const inside = svg('g', { 'clip-path': `url(#${ids.clip})` }, root);
    this.drawFrame(inside);
    for (const thing of this.things) if (thing.span) this.drawSpan(inside, thing);
    for (const thing of this.things) if (!thing.span && thing.what.kind === 'sent') this.drawFlight(inside, thing);
    for (const thing of this.things) if (!thing.span) this.drawMark(inside, thing);
    this.drawFlag(root);
    if (this.x(timeline.faults_end_us) >= this.left && this.x(timeline.faults_end_us) < width) {
      const x = this.x(timeline.faults_end_us);
      svg('line', { x1: x, x2: x, y1: TOP - 8, y2: layout.bottom, class: 'calm' }, inside);
      svg('text', { x: x - 4, y: layout.bottom + 12, 'text-anchor': 'end', class: 'calm-text' }, root, 'faults end');
    }
    this.canvas.replaceChildren(root);
    this.section.dataset.spans = this.things.filter((thing) => thing.span).length;
    this.section.dataset.marks = this.things.filter((thing) => !thing.span).length;
  }

  drawLanes(root) {
    const { layout, width } = this;
    layout.lanes.forEach(({ lane, y, height }, index) => {
      const before = layout.lanes[index - 1];
      svg('rect', { x: 0, y, width, height, class: 'lane ' + (index % 2 ? 'odd' : 'even'), 'data-lane': laneKey(lane) }, root);
      if (!before || before.lane.kind !== lane.kind) svg('line', { x1: 0, x2: width, y1: y, y2: y, class: 'group' }, root);
      const name = this.left < 60 ? lane.kind[0] + lane.number : laneName(lane);
      svg('text', { x: 10, y: y + PAD + ROW / 2 + 4, class: 'name' }, root, name);
    });
    for (const at of ticks(this.view.from, this.view.to, width)) {
      svg('line', { x1: this.x(at), x2: this.x(at), y1: TOP - 4, y2: layout.bottom, class: 'tick' }, root);
      svg('text', { x: this.x(at), y: 16, 'text-anchor': 'middle', class: 'tick-text' }, root, String(Math.round(at) / 1000));
    }
    svg('text', { x: 10, y: 16, class: 'unit' }, root, 'ms');
  }

  group(parent, thing, className) {
    const group = svg('g', { class: 'thing ' + className, tabindex: thing.index === this.current ? 0 : -1, role: 'img', 'aria-label': thing.text, 'data-index': thing.index }, parent);
    svg('title', {}, group, thing.text);
    return group;
  }

  drawSpan(parent, thing) {
    const { what, y } = thing, x1 = this.x(thing.from_us), x2 = Math.max(this.x(thing.to_us), x1 + 3), width = x2 - x1;
    const group = this.group(parent, thing, 'span ' + KINDS[what.kind]);
    const fills = { fault: `url(#${this.ids.hatch})`, paused: `url(#${this.ids.stand})`, rest: `url(#${this.ids.rest})`, lease: clientColour(thing.lane.number), foreign_hold: clientColour(thing.lane.number) };
    const shape = { x: x1, y, width, height: ROW, rx: what.kind === 'fault' ? 0 : 4, class: 'shape' };
    if (fills[what.kind]) shape.fill = fills[what.kind];
    svg('rect', shape, group);
    const labels = {
      lease: () => 'lease ' + (this.several() ? what.resource + ' ' : '') + this.tokens.short(what.token), fault: () => what.name, paused: () => 'is paused',
      foreign_hold: () => 'another library' + (this.several() ? ' ' + what.resource : ''),
      lock: () => what.holder + (what.reserved ? '?' : '') + (this.several() ? ' ' + what.resource : ''), rest: () => 'rest',
    };
    const from = Math.max(x1, this.left), label = fitting(labels[what.kind](), Math.min(x2, this.width) - from, KINDS[what.kind] === 'lease' ? 7.6 : 6.6);
    if (!label) return;
    // A label on a pattern gets a plain background.
    if (fills[what.kind] && KINDS[what.kind] !== 'lease') svg('rect', { x: from + 3, y: y + 4, width: label.length * 6.6 + 6, height: ROW - 8, rx: 2, class: 'backing' }, group);
    svg('text', { x: from + 6, y: y + ROW / 2 + 4, class: 'label' }, group, label);
  }

  drawMark(parent, thing) {
    const { what } = thing, x = this.x(thing.at_us), y = thing.y + ROW / 2;
    const group = this.group(parent, thing, 'mark ' + (what.kind === 'fault' ? 'instant' : what.kind));
    glyph(what.kind, group, x, y);
    const labels = { written: () => this.tokens.short(what.token), refused: () => 'refused ' + this.tokens.short(what.token), fault: () => what.name };
    // Only if there is room before the next one in this row.
    const next = this.things.find((other) => !other.span && other.index > thing.index && other.y === thing.y);
    const room = (next ? this.x(next.at_us) - 10 : this.width) - x - 12;
    const label = labels[what.kind] ? fitting(labels[what.kind](), room) : '';
    if (label) svg('text', { x: x + 13, y: y + 4, class: 'label' }, group, label);
  }

  /// A write on its way from its client to the resource.
  drawFlight(parent, thing) {
    const to = this.layout.lanes.find(({ key }) => key === laneKey(thing.what.to));
    if (!to) return;
    const x1 = this.x(thing.at_us), y1 = thing.y + ROW / 2, x2 = this.x(thing.what.arrives_us), y2 = to.y + 3;
    svg('line', { x1, y1, x2, y2, class: 'flight' }, parent);
    svg('path', { d: `M${x2 - 4} ${y2 - 5}h8l-4 7z`, class: 'flight-head' }, parent);
  }

  /// From when to when the broken promise shows, and in which lanes.
  broken() {
    const at = this.timeline.violation_us;
    if (at === null || at === undefined) return null;
    const believers = this.things.filter(({ what, from_us, to_us, span }) => span && KINDS[what.kind] === 'lease' && from_us <= at && to_us > at);
    const same = believers.filter((one) => believers.some((other) => other !== one && other.what.resource === one.what.resource));
    const ends = same.length > 1 ? same.map((thing) => thing.to_us).sort((a, b) => b - a)[1] : at;
    return { from: at, to: ends };
  }

  frame() {
    const broken = this.broken();
    if (!broken) return null;
    const x1 = this.x(broken.from), x2 = this.x(broken.to), wide = Math.max(x2 - x1, 18);
    return { x: x2 - x1 < 18 ? (x1 + x2) / 2 - 9 : x1, width: wide };
  }

  drawFrame(parent) {
    const frame = this.frame();
    if (!frame) return;
    svg('rect', { ...frame, y: TOP - 2, height: this.layout.bottom - TOP + 4, class: 'frame' }, parent);
  }

  drawFlag(root) {
    const frame = this.frame();
    if (!frame || frame.x > this.width || frame.x + frame.width < this.left) return;
    const text = 'BROKEN: ' + this.timeline.violation.split(' at ')[0], width = text.length * 7 + 14;
    const x = Math.min(Math.max(frame.x, this.left), this.width - width - 2);
    svg('rect', { x, y: 22, width, height: 18, rx: 3, class: 'flag' }, root);
    svg('text', { x: x + 7, y: 35, class: 'flag-text' }, root, text);
  }

  several() { return this.timeline.lanes.filter((lane) => lane.kind === 'resource').length > 1; }
}
