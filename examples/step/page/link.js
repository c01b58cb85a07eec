// --- what belongs together lights up --------------------------------------------------------------
// A letter of a formula, the tensor that it stands for, that tensor's box and the edge from there; a
// number of the arithmetic and its cell; a source line and the boxes of all that it computed.
function nodeOf(link) {
  const node = nodes[positions[position].node], i = node.operands.indexOf(link);
  return i >= 0 ? node.inputs[i] : node.number;
}

function lightUp(link) {
  for (const element of document.querySelectorAll('.lit')) element.classList.remove('lit');
  if (link === null) return;
  const here = boxOf(positions[position].node);
  for (const element of byId('panel').querySelectorAll(`[data-link="${CSS.escape(link)}"]`)) element.classList.add('lit');
  const n = nodeOf(link), from = originOf(n).box;
  [boxes.get(boxOf(n)), boxes.get(from)].forEach(box => box && box.classList.add('lit'));
  for (const edge of edges) if (edge.from === from && edge.to === here) edge.element.classList.add('lit');
}

/// A number with its copies, and what it is part of.
function lightNumber(of, at) {
  lightUp(of.replace('dL/d', ''));
  for (const figure of byId('panel').querySelectorAll('figure.lit')) figure.classList.remove('lit');
  for (const element of byId('panel').querySelectorAll(`[data-of="${CSS.escape(of)}"][data-at="${at}"]`)) element.classList.add('lit');
}

function lightLine(line) {
  lightUp(null);
  for (const {number, source} of nodes)
    if (source.some(([file, at]) => `${file}:${at}` === line)) boxes.get(boxOf(number))?.classList.add('lit');
}

function lightBox(part) {
  lightUp(null);
  const node = nodes[positions[position].node], inside = new Set(nodesIn(part));
  node.operands.forEach((name, i) => inside.has(node.inputs[i]) && byId('panel').querySelectorAll(`[data-link="${CSS.escape(name)}"]`).forEach(e => e.classList.add('lit')));
  const lines = new Set([...inside].flatMap(n => nodes[n].source.slice(0, 1)).map(([file, at]) => `${file}:${at}`));
  for (const element of byId('panel').querySelectorAll('[data-line]')) element.classList.toggle('lit', lines.has(element.dataset.line));
}

/// Points out the cells that the arithmetic reads, and widens the edges by what users sent.
function markParts() {
  const panel = byId('panel'), reads = new Map();
  for (const {dataset} of panel.querySelectorAll('.arithmetic span[data-at]')) {
    if (!reads.has(dataset.of)) reads.set(dataset.of, new Set());
    reads.get(dataset.of).add(dataset.at);
  }
  for (const cell of panel.querySelectorAll('td[data-at]')) cell.classList.toggle('read', Boolean(reads.get(cell.dataset.of)?.has(cell.dataset.at)));
  for (const heat of panel.querySelectorAll('.heat[data-of]'))
    if (reads.has(heat.dataset.of)) heat.showParts(reads.get(heat.dataset.of));
}

function markSenders() {
  const {node: n, backward} = positions[position], found = backward ? sendersOf(nodes[n]) : null, here = boxOf(n), before = taken;
  for (const text of byId('graph').querySelectorAll('svg text')) text.remove();
  taken = [...before];  // amounts give way to each other, and make place for the next ones
  for (const {from, to, element, bow} of edges) {
    const sent = found && originOf(n).box === from && to !== here ? found.parts.filter(({user}) => boxOf(user) === to) : [];
    element.classList.toggle('sends', sent.length > 0);
    element.style.strokeWidth = '';
    if (sent.length === 0 || found.most === 0) continue;
    const amount = sent.reduce((sum, part) => sum + part.amount, 0), text = numberText(amount, 3);
    element.style.strokeWidth = 1 + 3.5 * Math.min(1, Math.abs(amount) / found.most);
    const place = spotOn(bow, 7.5 * text.length, 16);
    const isFlat = Math.abs(bow[3][0] - bow[0][0]) > Math.abs(bow[3][1] - bow[0][1]);  // then above it, else to its right
    element.parentNode.append(svgElement('text', isFlat ? {x: place.x, y: place.y + 2} : {x: place.x + place.width / 2 + 7, y: place.y + 12}, text));
  }
  taken = before;
}

function startLinks() {
  const panel = byId('panel'), graph = byId('graph');
  const show = event => {
    const element = event.target.closest('[data-at], [data-link], [data-line]');
    if (!element) lightUp(null);
    else if (element.dataset.line) lightLine(element.dataset.line);
    else if (element.dataset.at !== undefined) lightNumber(element.dataset.of, element.dataset.at);
    else lightUp(element.dataset.link);
  };
  for (const type of ['pointerover', 'focusin']) {
    panel.addEventListener(type, show);
    graph.addEventListener(type, event => {
      const box = event.target.closest('.box');
      if (box) lightBox(box.dataset.part);
      else lightUp(null);
    });
  }
  for (const view of [panel, graph])
    for (const type of ['pointerleave', 'focusout']) view.addEventListener(type, () => lightUp(null));
}
