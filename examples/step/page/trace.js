// --- the trace, and the place in it --------------------------------------------------------------
let trace, nodes, groups, tensors;
let groupOf;  // 'n12' or 'g3' -> 'g1'
let members;  // numbers of all nodes in and below each group
let labels;   // views that the graph shows as labels of edges
let positions;  // forward through all nodes, then backward through those that a gradient reaches
let backwardPosition;
let position = 0;
let expanded = new Set(['g0']);
let changed = new Set();  // nodes that a caller of load() points out

// What is empty is left out of the JSON.
const empty = {op: '', formula: '', operands: [], derivatives: [], attributes: [], name: '', path: '', time: -1, is_view: false,
               source: [], inputs: [], users: [], kept: [], gradient: null, sent: [], verdict: null};

function readTrace(data) {
  trace = data;
  tensors = data.tensors;
  nodes = data.nodes.map((node, number) => ({...empty, ...node, number}));
  groups = data.groups.map(group => ({...group}));
  findMembers();
  foldViews();
  stackRepeats();
  findMembers();
  positions = nodes.map((_, n) => ({node: n, backward: false}));
  for (let n = nodes.length - 1; n >= 0; --n)
    if (nodes[n].gradient !== null) positions.push({node: n, backward: true});
  backwardPosition = new Map();
  positions.forEach((at, i) => at.backward && backwardPosition.set(at.node, i));
}

function findMembers() {
  groupOf = new Map();
  members = groups.map(() => []);
  groups.forEach((group, g) => group.parts.forEach(part => groupOf.set(part, 'g' + g)));
  for (const {number} of nodes)
    for (const group of groupsAround('n' + number)) members[numberOf(group)].push(number);
}

/// A view shows its input's memory in another shape: not a step of its own for the eye.
function foldViews() {
  const isLabel = part => part[0] === 'n' && nodes[numberOf(part)].is_view && nodes[numberOf(part)].name === '' &&
    nodes[numberOf(part)].inputs.length === 1 && nodes[numberOf(part)].users.length > 0;
  labels = new Set();
  for (const {parts} of groups)
    if (!parts.every(isLabel)) parts.filter(isLabel).forEach(part => labels.add(numberOf(part)));
}

/// Parts beside each other that do the same become one group, which the page shows as a stack.
function stackRepeats() {
  const fewest = 5;
  const likeness = part => {
    if (part[0] === 'g') {
      const inside = members[numberOf(part)];
      return `${groups[numberOf(part)].name.replace(/\d+/g, '#')} ${inside.map(n => nodes[n].op)}`;
    }
    const node = nodes[numberOf(part)];
    return node.kind === 'parameter' || node.name || labels.has(node.number) ? '' : `${node.op} ${node.inputs.length} ${shapeText(tensor(node.value))}`;
  };
  for (let g = groups.length - 1; g >= 0; --g) {
    const {parts, places, over_time} = groups[g];
    if (over_time) continue;
    const alike = new Map();
    parts.forEach((part, i) => {
      const key = likeness(part) && `${Math.round(places[i][1])} ${likeness(part)}`;
      if (key) alike.set(key, [...(alike.get(key) || []), i]);
    });
    for (const [key, same] of alike) {
      if (same.length < fewest) continue;
      const stack = {name: key, parent: g, over_time: false, is_stack: true, parts: same.map(i => parts[i]), places: same.map(i => [places[i][0], 0])};
      for (const part of stack.parts) if (part[0] === 'g') groups[numberOf(part)].parent = groups.length;
      const center = [same.reduce((sum, i) => sum + places[i][0], 0) / same.length, places[same[0]][1]];
      const others = groups[g].parts.map((part, i) => [part, groups[g].places[i]]).filter(([part]) => !stack.parts.includes(part));
      const at = groups[g].parts.indexOf(stack.parts[0]);
      others.splice(at, 0, ['g' + groups.length, center]);
      groups[g].parts = others.map(([part]) => part);
      groups[g].places = others.map(([, place]) => place);
      groups.push(stack);
    }
  }
}

/// What tells where the reader is in words that hold for another trace of the same program.
function bookmark() {
  if (!trace || nodes.length === 0) return null;
  const {node, backward} = positions[position];
  return {node, backward, name: nameForAll(nodes[node]), groups: new Map(groups.map((_, g) => [pathOf(g), expanded.has('g' + g)]))};
}
function nameForAll(node) { return JSON.stringify([node.op, node.name, node.path, node.time]); }
function pathOf(g) { return g <= 0 ? '' : `${pathOf(groups[g].parent)}/${groups[g].name}`; }

/// To the same node and pass, with the same groups expanded, as far as the new trace has them.
function returnTo(mark) {
  const known = groups.filter((_, g) => g > 0 && mark && mark.groups.has(pathOf(g)));
  if (known.length > 0 || mark && groups.length === 1) expanded = new Set(['g0', ...groups.flatMap((_, g) => mark.groups.get(pathOf(g)) ? ['g' + g] : [])]);
  else expandUpTo(40);
  const isSame = node => node && nameForAll(node) === mark.name;
  const n = !mark ? -1 : isSame(nodes[mark.node]) ? mark.node : nodes.findIndex(isSame);
  position = n < 0 ? 0 : mark.backward && backwardPosition.has(n) ? backwardPosition.get(n) : n;
}

function numberOf(part) { return Number(part.slice(1)); }

/// From the innermost group to g0.
function groupsAround(part) {
  const around = [];
  for (let group = groupOf.get(part); group; group = groupOf.get(group)) around.push(group);
  return around;
}

/// The box that stands for a node: itself, or the outermost group around it that is collapsed.
function boxOf(n) {
  let box = 'n' + n;
  for (const group of groupsAround(box)) if (!expanded.has(group)) box = group;
  return box;
}

function nodesIn(part) { return part[0] === 'n' ? [numberOf(part)] : members[numberOf(part)]; }

/// 'waiting', 'done' or 'current', and which part of these nodes is done.
function progress(inside) {
  const {node: here, backward} = positions[position];
  let done = 0, of = 0, current = false;
  for (const n of inside) {
    if (backward && nodes[n].gradient === null) continue;
    of += 1;
    if (backward ? n >= here : n <= here) done += 1;
    if (n === here) current = true;
  }
  return {state: current ? 'current' : of > 0 && done === of ? 'done' : 'waiting', share: of ? done / of : 0};
}

function tensor(place) { return place === null || place === undefined ? null : tensors[place]; }
function shapeText(x) { return `(${x.shape.join(', ')})`; }
function titleOf(node) {
  if (node.kind === 'op') return node.name ? `${node.name} = ${node.op}` : node.op;
  return node.name || say(node.kind);
}
function partName(part) { return part[0] === 'n' ? titleOf(nodes[numberOf(part)]) : groupName(groups[numberOf(part)]); }
function groupName(group) {
  if (!group.is_stack) return group.name || say('whole');
  const [first, last] = [group.parts[0], group.parts[group.parts.length - 1]].map(partName), [begin] = first.split(' … ');
  return `${first === last ? first : `${begin} … ${last.split(' … ').pop()}`} × ${group.parts.length}`;
}
function isBad(x) { return x !== null && (x.nans > 0 || x.infinities > 0); }

/// 0 for finite numbers, 1 with infinities, 2 with NaN.
function worst(place) {
  const x = tensor(place);
  return x === null ? 0 : x.nans > 0 ? 2 : x.infinities > 0 ? 1 : 0;
}

/// Whether NaN or ∞ begins in this node: its value is worse than all that it was made of. A constant
/// may hold ∞ on purpose, as masks do.
function valueBreaks(node) {
  const here = worst(node.value);
  return node.kind === 'constant' ? here === 2 : here > 0 && node.inputs.every(input => worst(nodes[input].value) < here);
}

/// By its rule, which sends worse than it got; or in its gradient, as the sum of better parts.
function gradientBreaks(node) {
  if (node.gradient === null) return false;
  const here = worst(node.gradient);
  return node.sent.some(sent => worst(sent) > here) ||
    here > 0 && !node.users.some(user => nodes[user].sent.some((sent, i) => nodes[user].inputs[i] === node.number && worst(sent) >= here));
}
function isWrong(node) { return node.verdict !== null && node.verdict.result === 'disagrees'; }
function signOf(node) { return isWrong(node) ? '✗' : valueBreaks(node) || gradientBreaks(node) ? '!' : ''; }

function numbersOf(x) {
  if (!x.values && x.numbers !== undefined) {
    const bytes = Uint8Array.from(atob(x.numbers), c => c.charCodeAt(0));
    x.values = new Float32Array(bytes.buffer);
  }
  return x.values || null;
}

/// JSON has no NaN and no infinities: {number: 'inf'}.
const notFinite = {inf: Infinity, '-inf': -Infinity, nan: NaN};
function numberText(v, digits = 4) {
  if (v !== null && typeof v === 'object') v = notFinite[v.number];
  if (v === null || Number.isNaN(v)) return 'NaN';
  if (!Number.isFinite(v)) return v > 0 ? '∞' : '−∞';
  const size = Math.abs(v);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? v.toExponential(digits - 2) : String(Number(v.toPrecision(digits)));
  return text.replace(/-/g, '−').replace('e+', 'e');
}

/// What an op was asked for: "axis = 1", "shape = (2, 3)".
function attributeText([name, value]) {
  const text = Array.isArray(value) ? `(${value.join(', ')})`
             : typeof value === 'string' ? value : numberText(value, 7);
  return `${name} = ${text}`;
}

/// An element with attributes, listeners ('onclick') and children; texts never become markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) { if (value) element.addEventListener(name.slice(2), value); }
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined && child !== ''));
  return element;
}
function svgElement(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function byId(id) { return document.getElementById(id); }
