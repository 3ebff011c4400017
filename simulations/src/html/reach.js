/// A picture that can be moved with wheel, pointer and keys.
class Reach extends Picture {
  constructor(section, data) {
    super(section, data);
    this.listen();
  }


  /// Moves the window; it stays within the run.
  show(from, to) {
    const whole = this.whole.to - this.whole.from, span = Math.min(whole, Math.max(MIN_SPAN_US, to - from));
    const start = Math.min(Math.max(this.whole.from, (from + to - span) / 2), this.whole.to - span);
    this.view = { from: start, to: start + span };
    const focused = this.canvas.contains(document.activeElement);
    this.draw();
    if (focused) this.focus(this.current);
  }

  zoom(factor, around) {
    const { from, to } = this.view, middle = around === undefined ? (from + to) / 2 : around;
    this.show(middle - (middle - from) * factor, middle + (to - middle) * factor);
  }

  pan(part) {
    const step = (this.view.to - this.view.from) * part;
    this.show(this.view.from + step, this.view.to + step);
  }

  zoomTo(from, to) {
    const room = Math.max((to - from) * 0.6, 10000);
    this.show(from - room, to + room);
  }

  do(what) {
    const broken = this.broken();
    switch (what) {
      case 'in': return this.zoom(0.6);
      case 'out': return this.zoom(1 / 0.6);
      case 'left': return this.pan(-0.25);
      case 'right': return this.pan(0.25);
      case 'all': return this.show(this.whole.from, this.whole.to);
      case 'violation': return broken && this.zoomTo(broken.from, broken.to);
    }
  }

  element(index) { return this.canvas.querySelector(`[data-index="${index}"]`); }

  focus(index) {
    if (!this.things[index]) return;
    const before = this.element(this.current), after = this.element(index);
    if (before) before.setAttribute('tabindex', -1);
    this.current = index;
    after.setAttribute('tabindex', 0);
    after.focus({ preventScroll: true });
  }

  /// The next thing in time, or the nearest one in another lane.
  step(key) {
    const thing = this.things[this.current];
    if (key === 'ArrowRight' || key === 'ArrowLeft') {
      const index = this.current + (key === 'ArrowRight' ? 1 : -1);
      return this.reveal(Math.min(Math.max(index, 0), this.things.length - 1));
    }
    const down = key === 'ArrowDown';
    const others = this.things.filter((other) => (down ? other.y > thing.y : other.y < thing.y));
    if (!others.length) return undefined;
    const y = others.map((other) => other.y).reduce((a, b) => (down ? Math.min(a, b) : Math.max(a, b)));
    const row = others.filter((other) => other.y === y);
    const away = (other) => Math.abs(other.starts - thing.starts);
    return this.reveal(row.reduce((a, b) => (away(b) < away(a) ? b : a)).index);
  }

  /// Focuses a thing, and moves the window if it is outside.
  reveal(index) {
    const { starts } = this.things[index], { from, to } = this.view;
    if (starts < from || starts > to) this.show(starts - (to - from) / 2, starts + (to - from) / 2);
    this.focus(index);
  }

  listen() {
    const { canvas, detail, section } = this, things = this.things;
    const thingOf = (event) => { const group = event.target.closest('.thing'); return group && things[Number(group.dataset.index)]; };
    const say = (event) => { const thing = thingOf(event); if (thing) detail.textContent = thing.text + '.'; };
    canvas.addEventListener('pointerover', say);
    canvas.addEventListener('focusin', (event) => { const thing = thingOf(event); if (thing) this.current = thing.index; say(event); });
    canvas.addEventListener('keydown', (event) => {
      const keys = { '+': 'in', '=': 'in', '-': 'out', 0: 'all', v: 'violation' };
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const arrow = event.key.startsWith('Arrow');
      if (event.shiftKey && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) this.do(event.key === 'ArrowLeft' ? 'left' : 'right');
      else if (arrow) this.step(event.key);
      else if (event.key === 'Home') this.reveal(0);
      else if (event.key === 'End') this.reveal(things.length - 1);
      else if (event.key === 'Enter') { const thing = things[this.current]; this.zoomTo(thing.starts, thing.span ? thing.to_us : thing.starts); }
      else if (event.key === 'Escape') this.do('all');
      else if (keys[event.key]) this.do(keys[event.key]);
      else return;
      event.preventDefault();
    });
    for (const button of section.querySelectorAll('[data-do]')) button.addEventListener('click', () => this.do(button.dataset.do));
    section.querySelector('[data-do=violation]').hidden = !this.broken();
    this.listenToWheelAndDrag();
    // In the next frame: a picture that changes its height while sizes are observed would be observed again.
    let width = this.width;
    new ResizeObserver(() => requestAnimationFrame(() => { if (this.width !== width) { width = this.width; this.draw(); } })).observe(canvas);
    // The printed picture has another width, and shows the whole run.
    addEventListener('beforeprint', () => { this.kept = this.view; this.view = { ...this.whole }; this.fixed = 1040; this.draw(); });
    addEventListener('afterprint', () => { this.view = this.kept || this.view; this.fixed = 0; this.draw(); });
  }

  listenToWheelAndDrag() {
    const { canvas } = this;
    canvas.addEventListener('wheel', (event) => {
      const x = event.clientX - canvas.getBoundingClientRect().left;
      if (event.ctrlKey || event.metaKey || (canvas.contains(document.activeElement) && Math.abs(event.deltaY) > Math.abs(event.deltaX))) {
        this.zoom(Math.exp(event.deltaY * 0.002), this.us(x));
      } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(event.deltaX / this.width);
      else return;
      event.preventDefault();
    }, { passive: false });
    let drag = null;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      drag = { x: event.clientX, ...this.view };
      const group = event.target.closest('.thing');
      this.focus(group ? Number(group.dataset.index) : this.current);
      event.preventDefault();
    });
    addEventListener('pointermove', (event) => {
      if (!drag) return;
      canvas.classList.add('dragging');
      const moved = ((drag.x - event.clientX) / (this.width - this.left - 10)) * (drag.to - drag.from);
      if (moved) this.show(drag.from + moved, drag.to + moved);
    });
    addEventListener('pointerup', () => { drag = null; canvas.classList.remove('dragging'); });
  }
}
