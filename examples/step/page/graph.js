// --- the graph ----------------------------------------------------------------------------------
// Every group was laid out by itself, with its groups collapsed: which row a part is in, and where
// in the row. Here rows are set again, because a group that is expanded needs more room, and views,
// which are labels of edges, need none.
const gap = {across: 22, along: 42}, padding = {side: 16, top: 36, bottom: 16};
let places = new Map();  // part -> {x, y, width, height}
let boxes = new Map();   // visible part -> its element: a box, a frame, or the label that stands for a view
let edges = [];          // {from, to, views, element, label, fan}
let taken = [];          // where boxes, titles and labels are
let zoom = 1, isZoomed = false;

/// Positions of what is in a group, from its upper left corner, and its size.
function arrange(part, outer) {
  if (part[0] === 'n') return {part, size: trace.sizes.node, inside: []};
  const group = groups[numberOf(part)];
  if (!expanded.has(part)) return {part, size: outer && outer.over_time ? trace.sizes.time : trace.sizes.group, inside: []};
  const along = group.over_time ? 0 : 1, across = 1 - along;  // axes: 0 is x, 1 is y
  const rows = new Map();
  group.parts.forEach((name, i) => {
    if (name[0] === 'n' && labels.has(numberOf(name))) return;
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
  places = new Map();
  boxes = new Map();
  settle(arrange('g0', null), 0, 0);
  const all = places.get('g0');
  const canvas = make('div', {class: 'canvas'});
  canvas.style.width = `${all.width}px`;
  canvas.style.height = `${all.height}px`;
  const svg = svgElement('svg', {width: all.width, height: all.height, 'aria-hidden': 'true'});
  for (const [id, size] of [['tip', 8], ['near_tip', 11]])
    svg.append(svgElement('marker', {id, viewBox: '0 0 8 8', refX: 7, refY: 4, markerUnits: 'userSpaceOnUse', markerWidth: size,
                                     markerHeight: size, orient: 'auto-start-reverse'}, svgElement('path', {d: 'M0 0L8 4L0 8z'})));
  const frames = [], items = [];
  taken = [];
  for (const [part, place] of places) {
    if (part === 'g0') continue;
    const isFrame = part[0] === 'g' && expanded.has(part), element = isFrame ? frameOf(part) : boxElement(part);
    (isFrame ? frames : items).push(element);
    Object.assign(element.style, {left: `${place.x}px`, top: `${place.y}px`, width: `${place.width}px`, height: `${place.height}px`});
    boxes.set(part, element);
    if (!isFrame) taken.push(place);
    else {
      const title = titleOfFrame(part);
      Object.assign(title.style, {left: `${place.x + 7}px`, top: `${place.y + 5}px`, maxWidth: `${place.width - 14}px`});
      items.push(title);
      taken.push({x: place.x + 7, y: place.y + 5, width: Math.min(place.width - 14, 40 + 8 * partName(part).length), height: 24});
    }
  }
  edges = edgesBetween();
  const obstacles = [...taken];
  for (const edge of edges) {
    const bow = route(places.get(edge.from), places.get(edge.to), obstacles);
    edge.bow = bow;
    edge.element = svgElement('path', {d: `M${bow[0]}C${bow.slice(1).join(' ')}`});
    svg.append(edge.element);
    if (edge.views.length > 0) items.push(edge.label = labelOf(edge, bow));
  }
  canvas.append(...frames, svg, ...items);
  redraw(byId('graph'), canvas);
  byId('changed_note').hidden = tab !== 'graph' || changed.size === 0;
  fit();
  markGraph();
}

/// The visible box that a node's value comes from, and the views on the way.
function originOf(n, views = []) {
  return boxOf(n) === 'n' + n && labels.has(n) ? originOf(nodes[n].inputs[0], [n, ...views]) : {box: boxOf(n), views};
}

function edgesBetween() {
  const found = new Map();
  for (const {number, inputs} of nodes) {
    const to = boxOf(number);
    if (to === 'n' + number && labels.has(number)) continue;
    for (const input of inputs) {
      const {box: from, views} = originOf(input), name = `${from} ${to}`;
      if (from === to && views.length === 0) continue;
      if (!found.has(name)) found.set(name, {from, to, views: new Set()});
      views.forEach(view => found.get(name).views.add(view));
    }
  }
  // A weight that is used at every time step would cover everything with its edges.
  const uses = new Map();
  for (const {from} of found.values()) uses.set(from, (uses.get(from) || 0) + 1);
  return [...found.values()].map(({from, to, views}) => ({from, to, views: [...views],
    fan: from[0] === 'n' && nodes[numberOf(from)].kind !== 'op' && uses.get(from) > 3}));
}

/// The views that an edge goes through, as a button on it, where nothing else stands if possible.
function labelOf({views}, bow) {
  const names = [...new Set(views.map(n => nodes[n].op))];
  const text = names.slice(0, 2).map(name => {
    const count = views.filter(n => nodes[n].op === name).length;
    return count > 1 ? `${name} × ${count}` : name;
  }).join(' · ') + (names.length > 2 ? ' …' : '');
  const place = spotOn(bow, 6.7 * text.length + 14, 18);
  const label = make('button', {class: 'view_label', 'data-views': views.join(), title: views.map(n => `#${n} ${titleOf(nodes[n])} ${shapeText(tensor(nodes[n].value))}`).join('\n'),
    onclick: () => select(views[(views.indexOf(positions[position].node) + 1) % views.length])}, text);
  Object.assign(label.style, {left: `${place.x}px`, top: `${place.y}px`, width: `${place.width}px`});
  views.forEach(n => boxes.has('n' + n) || boxes.set('n' + n, label));
  return label;
}

function boxElement(part) {
  if (part[0] === 'n') {
    const node = nodes[numberOf(part)], sign = signOf(node);
    return make('button', {class: `box ${node.kind}`, 'data-part': part, title: `#${node.number} ${titleOf(node)}`,
                           onclick: () => select(node.number)},
                make('span', {class: 'head'}, make('b', {}, titleOf(node).split('.').pop()),  // the group around it says the rest
                     make('small', {}, tensor(node.value).shape.length ? shapeText(tensor(node.value)) : '')),
                inBox('y', node.value, node.kind !== 'op' && node.users.length > 3 ? make('small', {class: 'uses'}, `→${node.users.length}`) : ''), node.gradient === null ? null : inBox('g', node.gradient),
                sign ? make('span', {class: 'sign', 'aria-label': say(sign === '✗' ? 'disagrees' : 'has_bad')}, sign) : null);
  }
  const group = groups[numberOf(part)], inside = members[numberOf(part)], outer = groups[group.parent];
  const steps = group.over_time ? group.parts.filter(part => part[0] === 'g').length : 0;
  const sign = inside.map(n => signOf(nodes[n])).find(sign => sign) || '';
  return make('button', {class: group.is_stack ? 'box group stack' : 'box group', 'data-part': part, 'aria-expanded': 'false', title: groupName(group),
                         onclick: () => toggle(part)},
              make('b', {}, outer.over_time ? null : make('span', {class: 'caret', 'aria-hidden': 'true'}, '▸'), groupName(group)),
              make('small', {}, steps > 0 ? say('steps', steps) : say('nodes', inside.length)),
              make('span', {class: 'bar'}),
              sign ? make('span', {class: 'sign'}, sign) : null);
}

/// A tensor within a box: its number, or a strip of its first rows.
function inBox(letter, place, note = '') {
  const x = tensor(place), values = numbersOf(x);
  const content = x.count === 1 && values ? numberText(values[0]) : values && x.count > 0 ? stripOf(x, values) : `${say('norm')} ${numberText(x.norm, 3)}`;
  return make('span', {class: `number_in ${letter}`}, make('i', {}, letter), content, note);
}

function stripOf(x, values) {
  const most = {across: 54, down: 5};
  const columns = x.sketch ? x.sketch[1] : x.shape[x.shape.length - 1];
  const [width, height] = columns === 1 ? [values.length, 1] : [columns, values.length / columns];
  const across = Math.min(width, most.across), down = Math.min(height, most.down), shown = new Float32Array(across * down);
  for (let i = 0; i < down; ++i) shown.set(values.subarray(i * width, i * width + across), i * across);
  return painted(shown, across, down, ...rangeOf(x), {class: 'strip'});
}

function frameOf(part) {
  return make('div', {class: groupsAround(part).length % 2 ? 'frame inner' : 'frame', 'data-part': part});
}
function titleOfFrame(part) {
  return make('button', {class: groupsAround(part).length % 2 ? 'title inner' : 'title', 'data-part': part, 'aria-expanded': 'true', onclick: () => toggle(part)},
              make('span', {class: 'caret', 'aria-hidden': 'true'}, '▾'), partName(part));
}

function toggle(part) {
  if (expanded.has(part)) expanded.delete(part);
  else expanded.add(part);
  drawStructure();
}

/// Colours the boxes and edges for the current place.
function markGraph() {
  const {node: here, backward} = positions[position];
  const around = new Set(groupsAround('n' + here));
  const mark = (element, inside) => {
    const {state, share} = progress(inside);
    element.classList.remove('waiting', 'done', 'current');
    element.classList.add(state);
    element.classList.toggle('changed', inside.some(n => changed.has(n)));
    if (state === 'current') element.setAttribute('aria-current', 'step');
    else element.removeAttribute('aria-current');
    return share;
  };
  for (const element of byId('graph').querySelectorAll('.frame, .title')) element.classList.toggle('holds', around.has(element.dataset.part));
  for (const [part, element] of boxes) {
    if (!element.classList.contains('box')) continue;
    const share = mark(element, nodesIn(part));
    if (part[0] === 'g') element.querySelector('.bar').style.width = `${100 * share}%`;
    else element.classList.toggle('has_gradient', backward && numberOf(part) >= here);
    element.setAttribute('aria-label', labelOfBox(part, element));
  }
  // Forward, a node reads its inputs; backward, it sends gradients to them.
  const near = boxOf(here);
  const inputs = new Set(nodes[here].inputs.filter((_, i) => !backward || tensor(nodes[here].sent[i]) !== null).map(input => originOf(input).box));
  for (const {from, to, views, element, label, fan} of edges) {
    const isNear = views.includes(here) || to === near && inputs.has(from);
    element.setAttribute('class', isNear ? 'near' : fan ? 'fan' : '');
    element.setAttribute(backward ? 'marker-start' : 'marker-end', isNear ? 'url(#near_tip)' : 'url(#tip)');
    element.removeAttribute(backward ? 'marker-end' : 'marker-start');
    if (isNear) element.parentNode.append(element);
    if (!label) continue;
    mark(label, views);
    label.hidden = fan && !isNear;
  }
  keepInView(byId('graph'), boxes.get(near));
  drawMinimap();
}

function labelOfBox(part, element) {
  const {classList} = element, state = say(classList.contains('current') ? 'current' : classList.contains('done') ? 'done' : 'not_yet');
  if (part[0] === 'g') return [partName(part), say('nodes', nodesIn(part).length), state].join(say('comma'));
  const node = nodes[numberOf(part)], sign = signOf(node);
  return [`${titleOf(node)} #${node.number}`, shapeText(tensor(node.value)), `y = ${briefly(node.value)}`, classList.contains('has_gradient') && node.gradient !== null ? `g = ${briefly(node.gradient)}` : '',
          sign && say(sign === '✗' ? 'disagrees' : 'has_bad'), state].filter(text => text).join(say('comma'));
}

function keepInView(view, element) {
  if (!element || view.hidden) return;
  const outer = view.getBoundingClientRect(), inner = element.getBoundingClientRect();
  const margin = 50;
  const shift = (low, high, from, to) => low < from + margin || high > to - margin ? (low + high - from - to) / 2 : 0;
  view.scrollBy(shift(inner.left, inner.right, outer.left, outer.right), shift(inner.top, inner.bottom, outer.top, outer.bottom));
}
