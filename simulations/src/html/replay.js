/// What the shapes mean; only those that this picture has.
function drawLegend(parent, picture) {
  const things = picture.things, has = (test) => things.some(test);
  const of = (span, kind) => (thing) => thing.span === span && thing.what.kind === kind;
  const entry = (text, draw) => {
    const box = html('span', parent), image = svg('svg', { viewBox: '0 0 30 18', 'aria-hidden': 'true' }, box);
    draw(image);
    box.append(text);
  };
  const bar = (className, fill) => (image) => {
    const group = svg('g', { class: className }, image), { defs, ids } = definePatterns(image);
    image.prepend(defs);
    svg('rect', { x: 1, y: 2, width: 28, height: 14, rx: 3, class: 'shape', ...(fill ? { fill: fill(ids) } : {}) }, group);
  };
  const mark = (kind) => (image) => glyph(kind, svg('g', { class: 'mark ' + (kind === 'fault' ? 'instant' : kind) }, image), 15, 9);
  if (has(of(true, 'lease'))) entry('a client believes in its lease (with its token)', bar('lease', () => 'var(--c0)'));
  if (has(of(true, 'foreign_hold'))) entry('a client of another library believes in its lock', bar('lease', () => 'var(--c1)'));
  if (has(of(true, 'lock'))) entry('a node has the lock for a client (c0: client 0)', bar('lock'));
  if (has(of(true, 'fault'))) entry('a fault that lasts', bar('fault', (ids) => `url(#${ids.hatch})`));
  if (has(of(false, 'fault'))) entry('a fault that is over at once', mark('fault'));
  if (has(of(true, 'paused'))) entry('a process is paused', bar('paused', (ids) => `url(#${ids.stand})`));
  if (has(of(true, 'rest'))) entry('a node rests: no votes', bar('rest', (ids) => `url(#${ids.rest})`));
  if (has(of(false, 'sent'))) entry('a write is sent; the line ends where it arrives', mark('sent'));
  if (has(of(false, 'written'))) entry('a write is admitted', mark('written'));
  if (has(of(false, 'refused'))) entry('a stale write is refused', mark('refused'));
  if (has(of(false, 'failed'))) entry('an acquire fails', mark('failed'));
  if (has(of(false, 'void'))) entry('an assumption of a promise is broken', mark('void'));
  if (picture.broken()) entry('a promise is broken', (image) => svg('rect', { x: 2, y: 2, width: 26, height: 14, class: 'frame' }, image));
  if (picture.tokens.prefix) html('span', parent, '“…” in a token stands for ' + picture.tokens.prefix);
}

function drawSection(data, number) {
  const section = document.getElementById('section').content.firstElementChild.cloneNode(true);
  document.getElementById('sections').append(section);
  const find = (selector) => section.querySelector(selector), { timeline } = data;
  section.id = 'run-' + number;
  find('h2').textContent = data.heading;
  find('.verdict').textContent = timeline.violation ? 'BROKEN: ' + timeline.violation : 'Every promise held.';
  find('.verdict').classList.toggle('bad', Boolean(timeline.violation));
  for (const paragraph of data.story) html('p', find('.story'), paragraph);
  for (const [what, seen] of data.expectations) html('li', find('.expectations'), what, seen ? 'yes' : 'no');
  const lanes = (kind) => timeline.lanes.filter((lane) => lane.kind === kind).length;
  const count = (kind) => lanes(kind) + ' ' + kind + (lanes(kind) === 1 ? '' : 's');
  const facts = [
    ['seed', data.seed],
    ['protocol', data.mutant ? 'a wrong one: ' + data.mutant : 'the shipped one'],
    ['size', count('client') + ', ' + count('node') + ', ' + count('resource') + ', time to live ' + data.ttl_ms + ' ms'],
  ];
  for (const [term, what] of facts) { html('dt', find('.facts'), term); html('dd', find('.facts'), what); }
  html('dt', find('.facts'), 'again');
  html('code', html('dd', find('.facts')), data.command);
  find('.plan pre').textContent = data.plan;
  const picture = new Reach(section, data);
  drawLegend(find('.legend'), picture);
  for (const thing of picture.things) {
    const row = html('tr', find('.events tbody'));
    html('td', row, (thing.starts / 1000).toFixed(3));
    html('td', row, laneName(thing.lane));
    html('td', row, thing.text);
  }
}

function drawPage() {
  const page = JSON.parse(document.getElementById('data').textContent);
  document.getElementById('title').textContent = page.title;
  if (page.sections.length > 1) {
    const list = html('ol', document.getElementById('contents'));
    page.sections.forEach((data, number) => { html('a', html('li', list), data.heading).href = '#run-' + number; });
  } else document.getElementById('contents').remove();
  page.sections.forEach(drawSection);
  // A page of one run says its name once.
  if (page.sections[0] && page.sections[0].heading === page.title) document.querySelector('h2').hidden = true;
  document.documentElement.dataset.drawn = page.sections.length;
}

// Plans are long: on paper they are written out, on a screen they are folded away.
let opened = [];
addEventListener('beforeprint', () => { opened = [...document.querySelectorAll('details.plan:not([open])')]; for (const one of opened) one.open = true; });
addEventListener('afterprint', () => { for (const one of opened) one.open = false; });
drawPage();
