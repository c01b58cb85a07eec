// --- the trace, and the place in it --------------------------------------------------------------
const trace = JSON.parse(document.getElementById('trace').textContent);
const {nodes, groups, tensors} = trace;
const hasLayout = groups.every(group => group.places !== null) && nodes.length > 0;

const groupOf = new Map();  // 'n12' or 'g3' -> 'g1'
const members = groups.map(() => []);  // numbers of all nodes in and below a group
groups.forEach((group, g) => group.parts.forEach(part => groupOf.set(part, 'g' + g)));
// What is empty is left out of the JSON.
const empty = {op: '', formula: '', operands: [], derivatives: [], attributes: [], name: '', path: '', time: -1,
               source: [], inputs: [], users: [], kept: [], gradient: null, sent: [], verdict: null};
nodes.forEach((node, n) => {
  nodes[n] = {...empty, ...node, number: n};
  for (const group of groupsAround('n' + n)) members[numberOf(group)].push(n);
});

/// Forward through all nodes, then backward through those that a gradient reaches.
const positions = nodes.map((_, n) => ({node: n, backward: false}));
for (let n = nodes.length - 1; n >= 0; --n)
  if (nodes[n].gradient !== null) positions.push({node: n, backward: true});
const backwardPosition = new Map();
positions.forEach((at, i) => at.backward && backwardPosition.set(at.node, i));

let position = 0;

function numberOf(part) { return Number(part.slice(1)); }

/// From the innermost group to g0.
function groupsAround(part) {
  const around = [];
  for (let group = groupOf.get(part); group; group = groupOf.get(group)) around.push(group);
  return around;
}

const expanded = new Set(['g0']);

/// The box that stands for a node: itself, or the outermost group around it that is collapsed.
function boxOf(n) {
  let box = 'n' + n;
  for (const group of groupsAround(box)) if (!expanded.has(group)) box = group;
  return box;
}

/// 'waiting', 'done' or 'current', and which part of it is done.
function progress(part) {
  const {node: here, backward} = positions[position];
  const inside = part[0] === 'n' ? [numberOf(part)] : members[numberOf(part)];
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
function groupName(group) { return group.name || say('whole'); }
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
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined && child !== ''));
  return element;
}
function byId(id) { return document.getElementById(id); }
