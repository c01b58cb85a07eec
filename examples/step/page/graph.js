// --- the graph ----------------------------------------------------------------------------------
// Graphviz laid out every group by itself, with its groups collapsed: which row a part is in, and
// where in the row. Here rows are set again, because a group that is expanded needs more room.
const gap = {across: 22, along: 40}, padding = {side: 16, top: 34, bottom: 16};
let places = new Map();  // part -> {x, y, width, height}
let boxes = new Map();   // visible box -> its element
let edges = [];          // {from, to, element}
let zoom = 1;

/// Positions of what is in a group, from its upper left corner, and its size.
function arrange(part, outer) {
  if (part[0] === 'n') return {part, size: trace.sizes.node, inside: []};
  const group = groups[numberOf(part)];
  if (!expanded.has(part)) return {part, size: outer && outer.over_time ? trace.sizes.time : trace.sizes.group, inside: []};
  const along = group.over_time ? 0 : 1, across = 1 - along;  // axes: 0 is x, 1 is y
  const rows = new Map();
  group.parts.forEach((name, i) => {
    const place = group.places[i], key = Math.round(place[along]);
    if (!rows.has(key)) rows.set(key, []);
    rows.get(key).push({...arrange(name, group), wanted: place[across]});
  });
  let main = 0, least = Infinity, most = -Infinity;
  const inside = [];
  for (const key of [...rows.keys()].sort((a, b) => a - b)) {
    const row = rows.get(key).sort((a, b) => a.wanted - b.wanted);
    const thickness = Math.max(...row.map(item => item.size[along]));
    let end = -Infinity, shift = 0;
    for (const item of row) {
      item.begin = Math.max(item.wanted - item.size[across] / 2, end + gap.across);
      end = item.begin + item.size[across];
      shift += (item.wanted - item.begin - item.size[across] / 2) / row.length;
    }
    for (const item of row) {
      const cross = item.begin + shift, center = main + (thickness - item.size[along]) / 2;
      item.at = along === 1 ? [cross, center] : [center, cross];
      least = Math.min(least, cross);
      most = Math.max(most, cross + item.size[across]);
      inside.push(item);
    }
    main += thickness + gap.along;
  }
  const root = part === 'g0';
  const left = root ? 0 : padding.side, top = root ? 0 : padding.top;
  for (const item of inside) {
    item.at[across] -= least;
    item.at[0] += left;
    item.at[1] += top;
  }
  const content = along === 1 ? [most - least, main - gap.along] : [main - gap.along, most - least];
  return {part, inside, size: [content[0] + 2 * left, content[1] + top + (root ? 0 : padding.bottom)]};
}

function settle(item, x, y) {
  places.set(item.part, {x, y, width: item.size[0], height: item.size[1]});
  for (const inner of item.inside) settle(inner, x + inner.at[0], y + inner.at[1]);
}

function drawGraph() {
  const view = byId('graph');
  places = new Map();
  boxes = new Map();
  settle(arrange('g0', null), 0, 0);
  const all = places.get('g0');
  const canvas = make('div', {class: 'canvas'});
  canvas.style.width = `${all.width}px`;
  canvas.style.height = `${all.height}px`;
  canvas.style.zoom = zoom;
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('width', all.width);
  svg.setAttribute('height', all.height);
  svg.setAttribute('aria-hidden', 'true');
  for (const id of ['tip', 'near_tip']) {
    const marker = document.createElementNS('http://www.w3.org/2000/svg', 'marker');
    for (const [name, value] of Object.entries({id, viewBox: '0 0 8 8', refX: 7, refY: 4, markerUnits: 'userSpaceOnUse',
      markerWidth: id === 'tip' ? 8 : 11, markerHeight: id === 'tip' ? 8 : 11, orient: 'auto-start-reverse'}))
      marker.setAttribute(name, value);
    const tip = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    tip.setAttribute('d', 'M0 0L8 4L0 8z');
    marker.append(tip);
    svg.append(marker);
  }
  const frames = [], items = [];
  for (const [part, place] of places) {
    if (part === 'g0') continue;
    const element = part[0] === 'g' && expanded.has(part) ? frameOf(part) : boxElement(part);
    (element.className.startsWith('frame') ? frames : items).push(element);
    Object.assign(element.style, {left: `${place.x}px`, top: `${place.y}px`, width: `${place.width}px`, height: `${place.height}px`});
    boxes.set(part, element);
  }
  edges = [];
  const seen = new Set();
  for (const node of nodes)
    for (const input of node.inputs) {
      const from = boxOf(input), to = boxOf(node.number), name = `${from} ${to}`;
      if (from === to || seen.has(name)) continue;
      seen.add(name);
      const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
      path.setAttribute('d', curve(places.get(from), places.get(to)));
      edges.push({from, to, element: path, fan: false});
      svg.append(path);
    }
  // A weight that is used at every time step would cover everything with its edges.
  const uses = new Map();
  for (const {from} of edges) uses.set(from, (uses.get(from) || 0) + 1);
  for (const edge of edges) edge.fan = edge.from[0] === 'n' && nodes[numberOf(edge.from)].kind !== 'op' && uses.get(edge.from) > 3;
  canvas.append(...frames, svg, ...items);
  view.replaceChildren(canvas, changed.size > 0 ? make('p', {class: 'note'}, say('changed_note')) : '');
  markGraph();
}

/// From the bottom of a box to the top of one below it, or from side to side.
function curve(a, b) {
  const ax = a.x + a.width / 2, bx = b.x + b.width / 2, ay = a.y + a.height / 2, by = b.y + b.height / 2;
  if (b.y >= a.y + a.height) {
    const bend = Math.min(60, (b.y - a.y - a.height) / 2);
    return `M${ax} ${a.y + a.height}C${ax} ${a.y + a.height + bend} ${bx} ${b.y - bend} ${bx} ${b.y}`;
  }
  if (b.x >= a.x + a.width) {
    const bend = Math.min(60, (b.x - a.x - a.width) / 2);
    return `M${a.x + a.width} ${ay}C${a.x + a.width + bend} ${ay} ${b.x - bend} ${by} ${b.x} ${by}`;
  }
  const out = Math.max(a.x + a.width, b.x + b.width) + 34;
  return `M${a.x + a.width} ${ay}C${out} ${ay} ${out} ${by} ${b.x + b.width} ${by}`;
}

function boxElement(part) {
  if (part[0] === 'n') {
    const node = nodes[numberOf(part)], sign = signOf(node);
    return make('button', {class: `box ${node.kind}`, 'data-part': part, title: `#${node.number} ${titleOf(node)}`,
                           onclick: () => select(node.number)},
                make('b', {}, titleOf(node).split('.').pop()),  // the group around it says the rest
                make('small', {}, shapeText(tensor(node.value)) + (node.kind !== 'op' && node.users.length > 3 ? ` → ${node.users.length}` : '')),
                sign ? make('span', {class: 'sign', 'aria-label': say(sign === '✗' ? 'disagrees' : 'has_bad')}, sign) : null);
  }
  const group = groups[numberOf(part)], inside = members[numberOf(part)];
  const sign = inside.map(n => signOf(nodes[n])).find(sign => sign) || '';
  return make('button', {class: 'box group', 'data-part': part, 'aria-expanded': 'false', title: groupName(group),
                         onclick: () => toggle(part)},
              make('b', {}, groups[group.parent].over_time ? null : make('span', {class: 'caret', 'aria-hidden': 'true'}, '▸'),
                   groupName(group)),
              make('small', {}, say('nodes', inside.length)), make('span', {class: 'bar'}),
              sign ? make('span', {class: 'sign'}, sign) : null);
}

function frameOf(part) {
  const depth = groupsAround(part).length;
  return make('div', {class: depth % 2 ? 'frame inner' : 'frame', 'data-part': part},
              make('button', {'aria-expanded': 'true', onclick: () => toggle(part)},
                   make('span', {class: 'caret', 'aria-hidden': 'true'}, '▾'), groupName(groups[numberOf(part)])));
}

function toggle(part) {
  if (expanded.has(part)) expanded.delete(part);
  else expanded.add(part);
  drawStructure();
  const element = boxes.get(part);
  if (element) (element.matches('button') ? element : element.firstChild).focus({preventScroll: true});
}

/// Colours the boxes and edges for the current place.
function markGraph() {
  const {node: here, backward} = positions[position];
  const near = boxOf(here);
  const around = new Set(groupsAround('n' + here));
  for (const [part, element] of boxes) {
    if (element.classList.contains('frame')) {
      element.classList.toggle('holds', around.has(part));
      continue;
    }
    const {state, share} = progress(part);
    element.classList.remove('waiting', 'done', 'current');
    element.classList.add(state);
    element.classList.toggle('changed', part[0] === 'n' ? changed.has(numberOf(part)) : members[numberOf(part)].some(n => changed.has(n)));
    if (state === 'current') element.setAttribute('aria-current', 'step');
    else element.removeAttribute('aria-current');
    if (part[0] === 'g') element.querySelector('.bar').style.width = `${100 * share}%`;
  }
  // Forward, a node reads its inputs; backward, it sends gradients to them.
  const inputs = new Set(nodes[here].inputs.filter((_, i) => !backward || tensor(nodes[here].sent[i]) !== null).map(boxOf));
  for (const {from, to, element, fan} of edges) {
    const isNear = to === near && inputs.has(from);
    element.setAttribute('class', isNear ? 'near' : fan ? 'fan' : '');
    element.setAttribute(backward ? 'marker-start' : 'marker-end', isNear ? 'url(#near_tip)' : 'url(#tip)');
    element.removeAttribute(backward ? 'marker-end' : 'marker-start');
    if (isNear) element.parentNode.append(element);
  }
  keepInView(byId('graph'), boxes.get(near));
}

function keepInView(view, element) {
  if (!element || view.hidden) return;
  const outer = view.getBoundingClientRect(), inner = element.getBoundingClientRect();
  const margin = 50;
  const shift = (low, high, from, to) => low < from + margin || high > to - margin ? (low + high - from - to) / 2 : 0;
  view.scrollBy(shift(inner.left, inner.right, outer.left, outer.right), shift(inner.top, inner.bottom, outer.top, outer.bottom));
}

function setZoom(factor) {
  zoom = Math.min(2, Math.max(0.3, zoom * factor));
  const canvas = byId('graph').firstChild;
  if (canvas && canvas.style) canvas.style.zoom = zoom;
  keepInView(byId('graph'), boxes.get(boxOf(positions[position].node)));
}

function dragToScroll(view) {
  let from = null;
  view.addEventListener('pointerdown', event => {
    if (event.button === 0 && !event.target.closest('button')) from = {x: event.clientX + view.scrollLeft, y: event.clientY + view.scrollTop};
  });
  window.addEventListener('pointermove', event => {
    if (!from) return;
    view.classList.add('dragging');
    view.scrollTo(from.x - event.clientX, from.y - event.clientY);
  });
  window.addEventListener('pointerup', () => { from = null; view.classList.remove('dragging'); });
}

/// Expands layers, the outer ones first, as long as no more than `most` boxes are on the stage.
function expandUpTo(most) {
  const queue = ['g0'];
  let visible = groups[0].parts.length;
  expanded.clear();
  expanded.add('g0');
  while (queue.length > 0) {
    for (const part of groups[numberOf(queue.shift())].parts) {
      if (part[0] !== 'g') continue;
      const size = groups[numberOf(part)].parts.length;
      if (visible + size > most) continue;
      visible += size - 1;
      expanded.add(part);
      queue.push(part);
    }
  }
}

// --- the list: the same parts ------------------------------------------------------------------
function drawList() {
  const view = byId('list');
  view.replaceChildren(make('p', {class: 'note'}, say('list_note')), listOf('g0'));
  markList();
}

function listOf(part) {
  return make('ul', {}, ...groups[numberOf(part)].parts.map(part => {
    if (part[0] === 'n') {
      const node = nodes[numberOf(part)];
      return make('li', {}, make('button', {'data-part': part, onclick: () => select(node.number)},
                                 make('span', {class: 'number'}, `#${node.number}`), make('span', {}, titleOf(node)),
                                 signOf(node) ? make('span', {class: 'bad'}, signOf(node)) : null,
                                 make('span', {class: 'shape'}, shapeText(tensor(node.value)))));
    }
    const details = make('details', {'data-part': part, open: expanded.has(part) ? '' : false},
                         make('summary', {}, groupName(groups[numberOf(part)]), make('small', {}, say('nodes', members[numberOf(part)].length))));
    if (details.open) details.append(listOf(part));
    details.addEventListener('toggle', () => {
      if (details.open === expanded.has(part)) return;
      if (details.open) expanded.add(part);
      else expanded.delete(part);
      if (details.open && details.children.length === 1) details.append(listOf(part));
      drawGraph();
      markList();
    });
    return make('li', {}, details);
  }));
}

function markList() {
  const view = byId('list');
  for (const old of view.querySelectorAll('[aria-current]')) old.removeAttribute('aria-current');
  const part = boxOf(positions[position].node);
  const here = view.querySelector(part[0] === 'n' ? `[data-part=${part}]` : `[data-part=${part}] > summary`);
  if (!here) return;
  here.setAttribute('aria-current', 'step');
  keepInView(view, here);
}

function drawStructure() {
  drawGraph();
  drawList();
}

/// Expands the groups around a node, so that it is on the stage.
function reveal(n) {
  const closed = groupsAround('n' + n).filter(group => !expanded.has(group));
  if (closed.length === 0) return;
  closed.forEach(group => expanded.add(group));
  drawStructure();
}
