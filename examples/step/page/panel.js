// --- the node at the current place --------------------------------------------------------------
function linkTo(n) {
  const node = nodes[n];
  return make('span', {}, make('button', {class: 'link', onclick: () => select(n)}, titleOf(node)), ' ',
              make('span', {class: 'number'}, `#${n}`), ' ', make('span', {class: 'shape'}, shapeText(tensor(node.value))));
}

function derivativeOf(node, input) {
  const text = node.derivatives[input];
  return text ? `dL/d${node.operands[input]} = ${text}` : '';
}

function derivativesOf(node) {
  return node.inputs.map((_, i) => derivativeOf(node, i)).filter(text => text);
}

/// The element whose arithmetic is written out: of 'y', 'g' or 'dL/da'.
let picked = {node: -1, key: '', index: []};

function pick(key, index) {
  picked = {node: positions[position].node, key, index};
  drawPanel();
  markSenders();
  lightUp(null);
  const cell = byId('panel').querySelector('.marked[tabindex], .heat canvas[data-picked]');
  if (cell) cell.focus({preventScroll: true});
}

/// Which element of a tensor the reader chose, in its cells or on an attention map; or null.
function chosenIn(n, key, x) {
  if (picked.node === n && picked.key === key && picked.index.length === x.shape.length) return picked.index;
  if (attention.chosen && attention.chosen.node === n && (key === 'y' || key === 'g')) return attention.chosen.index;
  return null;
}

/// The chosen element, else the largest one.
function elementOf(n, key, x) {
  let largest = 0;
  const values = numbersOf(x) || [];
  for (let k = 1; k < values.length; ++k) if (Math.abs(values[k]) > Math.abs(values[largest])) largest = k;
  return chosenIn(n, key, x) || indexAt(x.shape, x.sketch ? 0 : largest);
}

/// A formula, and under it its numbers for the chosen element.
function formulaOf(node, input) {
  const isForward = input < 0, text = isForward ? node.formula : node.derivatives[input];
  if (!text) return [];
  const head = isForward ? 'y' : `dL/d${node.operands[input]}`, x = tensor(isForward ? node.value : node.sent[input]);
  const lines = [formulaLine(head, text, node)];
  if (x === null || x.count === 0) return lines;
  const index = elementOf(node.number, head, x), pieces = writtenOut(node, input, index);
  if (pieces === null) return lines;
  const where = x.shape.length > 0 ? `${head}[${index.join(', ')}] = ` : '= ';
  const number = piece => typeof piece === 'string' ? piece
    : make('span', {'data-of': piece.link, 'data-at': piece.index.join(), hidden: piece.hidden ? '' : false}, piece.hidden ? '' : numberText(piece.value));
  const isPassedOn = pieces.length === 1;
  return [...lines, make('p', {class: 'arithmetic'}, where, ...(isPassedOn ? [] : [...pieces.map(number), ' = ']),
                         make('b', {'data-of': head, 'data-at': index.join()}, numberText(numbersOf(x)[elementAt(x.shape, index)])))];
}

/// Which users sent how much of the chosen element of the node's gradient.
function sendersOf(node) {
  const x = tensor(node.gradient), values = x.sketch ? null : numbersOf(x);
  if (!values || x.count === 0 || node.users.length === 0) return null;
  const index = elementOf(node.number, 'g', x), element = elementAt(x.shape, index);
  const parts = [];
  for (const user of node.users)
    nodes[user].inputs.forEach((input, i) => {
      const sent = input === node.number ? tensor(nodes[user].sent[i]) : null;
      if (sent !== null) parts.push({user, amount: sent.sketch || !numbersOf(sent) ? NaN : numbersOf(sent)[element]});
    });
  const sum = parts.reduce((sum, part) => sum + part.amount, 0), most = Math.max(...parts.map(part => Math.abs(part.amount)));
  return parts.length > 0 && agrees(sum, values[element]) ? {index, parts, sum: values[element], most} : null;
}

function sendersFigure(node) {
  const found = sendersOf(node);
  if (found === null) return null;
  const {index, parts, sum, most} = found, many = 12;
  const bar = amount => {
    const part = make('i', {class: 'amount', 'aria-hidden': 'true'});
    part.style.width = `${most > 0 ? 64 * Math.abs(amount) / most : 0}px`;
    return part;
  };
  return make('section', {class: 'senders'},
    make('h3', {}, say('senders', index.length ? `g[${index.join(', ')}]` : 'g', numberText(sum))),
    listOfSome([...parts].sort((a, b) => Math.abs(b.amount) - Math.abs(a.amount)).slice(0, parts.length > many ? many : undefined),
               ({user, amount}) => [bar(amount), make('span', {class: 'sum'}, numberText(amount)), ` ${say('from')} `, linkTo(user)]));
}

/// What scripts that add to this page put below a node's value: each gets the node and whether the place
/// is in the backward pass, and gives an element or null.
const panelParts = [];

function drawPanel() {
  redraw(byId('panel'), ...panelOf(positions[position]));
  markParts();
}

function panelOf({node: n, backward}) {
  const node = nodes[n], forwardPlaces = nodes.length;
  const parts = [];
  parts.push(make('p', {class: 'phase'}, backward ? say('phase', true, backwardPosition.get(n) - forwardPlaces + 1, positions.length - forwardPlaces)
                                                  : say('phase', false, n + 1, forwardPlaces)));
  parts.push(make('h2', {tabindex: -1}, titleOf(node), make('span', {class: 'number'}, `#${n}`)));
  parts.push(layersOf(node));
  const formulas = (backward ? node.inputs.map((_, i) => i) : [-1]).flatMap(input => formulaOf(node, input));
  if (formulas.length > 0) parts.push(make('div', {class: 'formula'}, ...formulas));
  if (node.attributes.length > 0)
    parts.push(make('p', {class: 'attributes', 'aria-label': say('attributes')}, node.attributes.map(attributeText).join(', ')));
  if (node.inputs.length > 0)
    parts.push(make('dl', {class: 'given', 'aria-label': say('inputs')}, ...node.inputs.flatMap((input, i) =>
      [make('dt', {'data-link': node.operands[i]}, node.operands[i]), make('dd', {}, linkTo(input))])));
  const figure = (place, key, link, options = {}) => tensorFigure(place, {label: key, key, link, mark: chosenIn(n, key, tensor(place)), pick: index => pick(key, index), ...options});
  const value = () => figure(node.value, 'y', 'y', {label: node.inputs.length ? 'y' : '', what: say('value')});
  const inputs = () => node.inputs.map((input, i) => tensorFigure(nodes[input].value, {label: node.operands[i], key: node.operands[i], link: node.operands[i], what: titleOf(nodes[input])}));
  if (!backward) {
    parts.push(...besideOther(n, 'value', value()), ...panelParts.map(part => part(node, backward)));
    if (node.inputs.length > 0) parts.push(folded('inputs', inputs));
  } else {
    parts.push(...besideOther(n, 'gradient', figure(node.gradient, 'g', 'g', {label: node.inputs.length ? 'g' : '',
      what: say(node.kind === 'parameter' ? 'gradient_of_parameter' : 'gradient')})));
    parts.push(sendersFigure(node));
    node.inputs.forEach((input, i) => {
      if (tensor(node.sent[i]) === null) return;
      parts.push(figure(node.sent[i], `dL/d${node.operands[i]}`, node.operands[i], {
        from: make('span', {class: 'from'}, `${say('sent_to')} ${titleOf(nodes[input])} #${input}`)}));
    });
    if (node.kind === 'op' && node.sent.every(sent => sent === null)) parts.push(make('p', {class: 'jump'}, say('no_rule')));
    parts.push(folded('value_of', () => [value(), ...inputs()]));
  }
  if (node.verdict) parts.push(verdictOf(node));
  if (node.opened) parts.push(folded('opened', () => partsOf(node, backward)));
  if (node.source.length > 0) parts.push(sourceOf(node));
  if (node.kept.length > 0) {
    const reader = ({by, for: inputs}) => [linkTo(by), inputs.length ? ` ${say('kept_for', inputs.map(i => `dL/d${nodes[by].operands[i]}`).join(', '))}` : ''];
    parts.push(make('h3', {class: 'kept'}, say('kept')), listOfSome(node.kept, reader));
  }
  parts.push(make('h3', {}, say('users')));
  parts.push(node.users.length ? listOfSome(node.users, user => [linkTo(user)]) : make('p', {}, say('nobody')));
  const other = backward ? n : backwardPosition.get(n);
  parts.push(make('p', {class: 'jump'}, other === undefined ? say('no_gradient')
    : make('button', {class: 'link', id: 'other_pass', onclick: () => go(other)}, say(backward ? 'see_forward' : 'see_backward'))));
  return parts.filter(part => part);
}

/// A list of the first items; `contents(item)` is what stands in its line.
function listOfSome(items, contents) {
  const most = 12;
  return make('ul', {}, ...items.slice(0, most).map(item => make('li', {}, ...contents(item))),
              items.length > most ? make('li', {}, `… ${say('nodes', items.length)}`) : null);
}

/// Shown when opened; whether it is open stays from place to place.
const opened = new Set(['inputs']);
function folded(key, contents) {
  const details = make('details', {open: opened.has(key) ? '' : false}, make('summary', {'data-fold': key}, say(key)));
  const fill = () => details.open && details.children.length === 1 && details.append(...contents());
  fill();
  details.addEventListener('toggle', () => {
    if (details.open) opened.add(key);
    else opened.delete(key);
    fill();
  });
  return details;
}

function layersOf(node) {
  const around = groupsAround('n' + node.number).filter(group => group !== 'g0').reverse();
  const line = make('p', {class: 'layers'});
  if (node.kind !== 'op') line.append(say(node.kind), around.length ? ' · ' : '');
  around.forEach((group, i) => {
    if (i > 0) line.append(' › ');
    line.append(make('button', {onclick: () => { reveal(node.number); keepInView(byId('graph'), boxes.get(group)); }}, groupName(groups[numberOf(group)])));
  });
  return line;
}

/// The ops that define the node's, in the order of the pass, and how far their figures are from its.
function partsOf({opened}, backward) {
  const all = opened.nodes.map((part, n) => ({...empty, ...part, number: n}));
  const name = part => part.kind === 'op' ? `${part.op} ${part.number}` : titleOf(part);
  const sections = all.filter(part => part.kind === 'op' && (!backward || part.gradient !== null)).map(part => make('section', {class: 'part'},
    make('h3', {}, name(part), part.time >= 0 ? ` t = ${part.time}` : ''),
    make('div', {class: 'formula'}, ...(backward ? part.inputs.map((_, i) => [`dL/d${part.operands[i]}`, part.derivatives[i]]) : [['y', part.formula]])
      .filter(([, text]) => text).map(([head, text]) => formulaLine(head, text, part, false))),
    make('p', {class: 'from'}, part.inputs.map((input, i) => `${part.operands[i]} = ${name(all[input])}`).join(', ')),
    backward ? tensorFigure(part.gradient, {label: 'g'}) : tensorFigure(part.value, {label: 'y'}),
    ...(backward ? part.sent : []).map((sent, i) => sent === null ? null
      : tensorFigure(sent, {label: `dL/d${part.operands[i]}`, what: `${say('sent_to')} ${name(all[part.inputs[i]])}`})),
    part.verdict ? verdictOf(part, all) : null));
  return [...(backward ? sections.reverse() : sections),
          make('p', {class: 'apart'}, say('apart', opened.apart.map(([what, most]) => `${what}: ${most === null ? '∞' : numberText(most, 2)}`).join(', ')))];
}

function verdictOf(node, all = nodes) {
  const v = node.verdict;
  const lines = [];
  const isChecked = v.result === 'agrees' || v.result === 'disagrees';
  lines.push(isChecked ? say('checked', v.checked, v.count) : '', v.reason);
  if (isChecked && v.input >= 0 && v.element < 0)
    lines.push(say('along', numberText(v.rule, 6), numberText(v.difference, 6)));
  if (isChecked && v.input >= 0 && v.element >= 0) {
    const where = indexIn(tensor(all[node.inputs[v.input]].value).shape, v.element);
    lines.push(say('worst', `dL/d${node.operands[v.input]}${where}`, numberText(v.rule, 6), numberText(v.difference, 6)));
  }
  return make('div', {class: `verdict ${v.result}`},
              make('span', {class: 'sign', 'aria-hidden': 'true'}, {agrees: '✓', disagrees: '✗', unknown: '?', 'not finite': '∞'}[v.result]),
              make('b', {}, say(v.result)), make('span', {}, lines.filter(line => line).join('; ')));
}

function sourceOf(node) {
  const line = ([file, number, name]) => make('li', {'data-line': `${file}:${number}`, tabindex: 0}, make('code', {}, `${file}:${number}`), name ? ` ${name}` : '');
  const box = make('div', {class: 'source'}, make('h3', {}, say('source')), make('ul', {}, line(node.source[0])));
  if (node.source.length > 1)
    box.append(folded('calls', () => [make('ul', {}, ...node.source.slice(1).map(line))]));
  return box;
}

