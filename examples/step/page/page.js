// --- the node at the current place --------------------------------------------------------------
/// A formula with its single letters in italics.
function formulaText(text) {
  return text.split(/(?<![\p{Lu}\p{Ll}\d_])([a-z])(?![\p{Lu}\p{Ll}\d_(])/u).map((piece, i) => i % 2 ? make('i', {}, piece) : piece);
}

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

function drawPanel() {
  const panel = byId('panel');
  const {node: n, backward} = positions[position], node = nodes[n];
  const forwardPlaces = nodes.length;
  const chosen = attention.chosen && attention.chosen.node === n ? attention.chosen.index : null;
  const parts = [];
  parts.push(make('p', {class: 'phase'}, backward ? say('phase', true, position - forwardPlaces + 1, positions.length - forwardPlaces)
                                                  : say('phase', false, position + 1, forwardPlaces)));
  parts.push(make('h2', {}, titleOf(node), make('span', {class: 'number'}, `#${n}`)));
  parts.push(layersOf(node));
  if (node.formula || node.derivatives.length > 0) {
    const formula = make('div', {class: 'formula'});
    if (!backward && node.formula) formula.append(make('p', {}, ...formulaText(`y = ${node.formula}`)));
    if (backward)
      for (const part of derivativesOf(node)) formula.append(make('p', {}, ...formulaText(part)));
    if (formula.children.length > 0) parts.push(formula);
  }
  if (node.attributes.length > 0)
    parts.push(make('p', {class: 'attributes', 'aria-label': say('attributes')}, node.attributes.map(attributeText).join(', ')));
  if (node.inputs.length > 0)
    parts.push(make('dl', {class: 'given', 'aria-label': say('inputs')}, ...node.inputs.flatMap((input, i) =>
      [make('dt', {}, node.operands[i]), make('dd', {}, linkTo(input))])));
  const value = () => tensorFigure(node.value, {label: node.inputs.length ? 'y' : '', what: say('value'), mark: chosen});
  if (!backward) {
    parts.push(...besideOther(n, 'value', value()));
    if (node.inputs.length > 0)
      parts.push(folded('inputs', () => node.inputs.map((input, i) =>
        tensorFigure(nodes[input].value, {label: node.operands[i], what: titleOf(nodes[input])}))));
  } else {
    parts.push(...besideOther(n, 'gradient', tensorFigure(node.gradient, {label: node.inputs.length ? 'g' : '', mark: chosen,
      what: say(node.kind === 'parameter' ? 'gradient_of_parameter' : 'gradient')})));
    node.inputs.forEach((input, i) => {
      if (tensor(node.sent[i]) === null) return;
      parts.push(tensorFigure(node.sent[i], {label: `dL/d${node.operands[i]}`,
        from: make('span', {class: 'from'}, `${say('sent_to')} ${titleOf(nodes[input])} #${input}`)}));
    });
    if (node.kind === 'op' && node.sent.every(sent => sent === null)) parts.push(make('p', {class: 'jump'}, say('no_rule')));
    parts.push(folded('value_of', () => [value()]));
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
  panel.replaceChildren(...parts.filter(part => part !== null));
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
  const details = make('details', {open: opened.has(key) ? '' : false}, make('summary', {}, say(key)));
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
    make('p', {class: 'formula'}, ...formulaText(backward ? derivativesOf(part).join(', ') : part.formula && `y = ${part.formula}`)),
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
  const line = ([file, number, name]) => make('li', {}, make('code', {}, `${file}:${number}`), name ? ` ${name}` : '');
  const box = make('div', {class: 'source'}, make('h3', {}, say('source')), make('ul', {}, line(node.source[0])));
  if (node.source.length > 1)
    box.append(folded('calls', () => [make('ul', {}, ...node.source.slice(1).map(line))]));
  return box;
}

// --- stepping -----------------------------------------------------------------------------------
function go(to) {
  position = Math.min(positions.length - 1, Math.max(0, to));
  const {backward} = positions[position];
  document.body.classList.toggle('backward', backward);
  const slider = byId('slider');
  slider.value = position;
  byId('place').textContent = say('place', position + 1, positions.length);
  for (const id of ['first', 'back', 'over_back']) byId(id).disabled = position === 0;
  for (const id of ['last', 'next', 'over']) byId(id).disabled = position === positions.length - 1;
  drawPanel();
  markGraph();
  markList();
  const node = nodes[positions[position].node];
  const text = [byId('panel').firstChild.textContent, `${titleOf(node)} #${node.number}`, node.path,
                backward ? derivativesOf(node).join(', ') : node.formula && `y = ${node.formula}`, shapeText(tensor(node.value)),
                node.verdict ? say(node.verdict.result) : '', changed.size > 0 ? say('changed', changed.size) : ''].filter(part => part).join(', ');
  slider.setAttribute('aria-valuetext', text);
  byId('live').textContent = text;
}

/// Goes to a node in the current pass, if the pass comes by it.
function select(n) {
  reveal(n);
  go(positions[position].backward && backwardPosition.has(n) ? backwardPosition.get(n) : n);
}

/// To the next place that another box stands for: past a layer that is collapsed.
function over(direction) {
  const here = positions[position], box = boxOf(here.node);
  let to = position + direction;
  while (positions[to] && positions[to].backward === here.backward && boxOf(positions[to].node) === box) to += direction;
  go(to);
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || nodes.length === 0) return;
  if (event.target.matches('input:not([type="range"]), select')) return;
  const direction = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (direction) {
    event.preventDefault();
    if (event.shiftKey) over(direction);
    else go(position + direction);
  } else if (event.key === 'Home' || event.key === 'End') {
    event.preventDefault();
    go(event.key === 'Home' ? 0 : positions.length - 1);
  } else if (event.key === '/') {
    event.preventDefault();
    byId('search').focus();
  }
}

// --- search -------------------------------------------------------------------------------------
let results = [], chosenResult = 0;

function search() {
  const text = byId('search').value.trim().toLowerCase();
  const list = byId('results');
  const hide = text === '';
  list.hidden = hide;
  byId('search').setAttribute('aria-expanded', String(!hide));
  if (hide) return;
  results = nodes.filter(node => [`#${node.number}`, node.op, node.name, node.path, node.time >= 0 ? `t = ${node.time}` : '',
    node.formula, ...node.source.map(line => `${line[0]}:${line[1]} ${line[2]}`)].some(part => part.toLowerCase().includes(text)));
  const exact = results.findIndex(node => `#${node.number}` === text);
  if (exact > 0) results.unshift(...results.splice(exact, 1));
  const shown = results.slice(0, 40);
  chosenResult = 0;
  list.replaceChildren(...shown.map((node, i) => make('li', {role: 'option', id: `result_${i}`, onclick: () => take(i)},
    make('span', {class: 'number'}, `#${node.number}`), make('span', {}, titleOf(node)),
    make('span', {class: 'where'}, node.path + (node.time >= 0 ? ` t = ${node.time}` : '')))),
    make('li', {class: 'count'}, results.length > shown.length ? say('found_first', results.length, shown.length) : say('found', results.length)));
  markResult();
}

function markResult() {
  const items = byId('results').querySelectorAll('[role="option"]');
  items.forEach((item, i) => item.setAttribute('aria-selected', String(i === chosenResult)));
  if (items[chosenResult]) {
    items[chosenResult].scrollIntoView({block: 'nearest'});
    byId('search').setAttribute('aria-activedescendant', `result_${chosenResult}`);
  }
}

function take(i) {
  if (!results[i]) return;
  byId('results').hidden = true;
  byId('search').setAttribute('aria-expanded', 'false');
  select(results[i].number);
}

function onSearchKey(event) {
  const shown = Math.min(results.length, 40);
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    event.preventDefault();
    chosenResult = Math.min(shown - 1, Math.max(0, chosenResult + (event.key === 'ArrowDown' ? 1 : -1)));
    markResult();
  } else if (event.key === 'Enter') {
    take(chosenResult);
    byId('search').blur();
  } else if (event.key === 'Escape') {
    byId('search').value = '';
    search();
    byId('search').blur();
  }
}

// --- language, theme, tabs ----------------------------------------------------------------------
function remember(key, value) {
  try { localStorage.setItem(`gradus.${key}`, value); } catch { /* a browser may forbid it to files */ }
}
function recall(key) {
  try { return localStorage.getItem(`gradus.${key}`); } catch { return null; }
}

const dark = matchMedia('(prefers-color-scheme: dark)');
let theme = ['light', 'dark'].includes(recall('theme')) ? recall('theme') : 'auto';
function drawTheme() {
  document.documentElement.dataset.theme = theme === 'auto' ? (dark.matches ? 'dark' : 'light') : theme;
  const button = byId('theme');
  button.textContent = {auto: '◐', light: '☼', dark: '☾'}[theme];
  button.setAttribute('aria-label', say(`theme_${theme}`));
  button.title = say(`theme_${theme}`);
}

let tab = 'graph';
function drawTabs() {
  const names = ['graph', 'list', ...(maps.length ? ['attention'] : []), ...(trace.other ? ['differences'] : [])];
  if (!names.includes(tab)) tab = 'graph';
  byId('tabs').replaceChildren(...names.map(name => make('button', {role: 'tab', id: `tab_${name}`, 'aria-controls': name,
    'aria-selected': String(name === tab), onclick: () => { tab = name; drawTabs(); drawAttention(); drawDifferences(); go(position); }}, say(name))));
  for (const name of ['graph', 'list', 'attention', 'differences']) byId(name).hidden = name !== tab;
  byId('tools').hidden = tab !== 'graph' && tab !== 'list';
  document.querySelector('.zoom').hidden = tab !== 'graph';
}

/// Shows a trace, which JSON describes, at the place of the last one as far as it has it. `changed`
/// holds the numbers of nodes that are to be pointed out.
function load(data, options = {}) {
  const mark = bookmark();
  readTrace(data);
  readAttention();
  returnTo(mark);
  changed = options.changed || new Set();
  document.title = trace.title ? `${trace.title} – Gradus` : 'Gradus';
  byId('title').textContent = trace.title;
  byId('slider').max = Math.max(0, positions.length - 1);
  drawAll();
}

function drawAll() {
  document.documentElement.lang = language === 'zh' ? 'zh-Hans' : 'en';
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', say(element.dataset.label));
    if (element.matches('button')) element.title = say(element.dataset.label);
  }
  for (const element of document.querySelectorAll('[data-hint]')) element.placeholder = say(element.dataset.hint);
  byId('language').textContent = say('language');
  byId('language').lang = language === 'zh' ? 'en' : 'zh-Hans';
  drawTheme();
  document.body.classList.toggle('empty', nodes.length === 0);
  if (nodes.length === 0) {
    byId('panel').textContent = say('empty');
    return;
  }
  drawTabs();
  drawTrack();
  drawAttention();
  drawDifferences();
  drawStructure();
  go(position);
}

/// Under the slider: the two passes, and where something is wrong.
function drawTrack() {
  const forward = nodes.length / positions.length;
  byId('forward_half').textContent = `${say('forward')} →`;
  byId('backward_half').textContent = `${say('backward')} →`;
  byId('forward_half').style.flex = `${forward} 1 0`;
  byId('backward_half').style.flex = `${1 - forward} 1 0`;
  byId('backward_half').hidden = forward === 1;
  const halves = document.querySelector('.halves');
  for (const mark of halves.querySelectorAll('i')) mark.remove();
  positions.forEach(({node, backward}, i) => {
    const bad = backward ? gradientBreaks(nodes[node]) || isWrong(nodes[node]) : valueBreaks(nodes[node]);
    if (!bad || halves.children.length > 300) return;
    const mark = make('i');
    mark.style.left = `${100 * i / positions.length}%`;
    halves.append(mark);
  });
}

function start() {
  language = recall('language') in words ? recall('language') : (navigator.language || '').startsWith('zh') ? 'zh' : 'en';
  byId('language').addEventListener('click', () => {
    language = language === 'zh' ? 'en' : 'zh';
    remember('language', language);
    drawAll();
  });
  byId('theme').addEventListener('click', () => {
    theme = {auto: 'light', light: 'dark', dark: 'auto'}[theme];
    remember('theme', theme);
    drawAll();
  });
  dark.addEventListener('change', drawAll);
  byId('slider').addEventListener('input', event => go(Number(event.target.value)));
  byId('slider').addEventListener('keydown', event => ['ArrowUp', 'ArrowDown'].includes(event.key) && event.preventDefault());
  byId('first').addEventListener('click', () => go(0));
  byId('last').addEventListener('click', () => go(positions.length - 1));
  byId('back').addEventListener('click', () => go(position - 1));
  byId('next').addEventListener('click', () => go(position + 1));
  byId('over').addEventListener('click', () => over(1));
  byId('over_back').addEventListener('click', () => over(-1));
  byId('expand').addEventListener('click', () => { expandUpTo(400, true); drawStructure(); });
  byId('collapse').addEventListener('click', () => { expanded.clear(); expanded.add('g0'); drawStructure(); });
  byId('zoom_in').addEventListener('click', () => setZoom(1.25));
  byId('zoom_out').addEventListener('click', () => setZoom(0.8));
  byId('search').addEventListener('input', search);
  byId('search').addEventListener('focus', search);
  byId('search').addEventListener('keydown', onSearchKey);
  document.addEventListener('pointerdown', event => {
    if (!event.target.closest('.search')) byId('results').hidden = true;
  });
  document.addEventListener('keydown', onKey);
  startCamera();
  load(JSON.parse(byId('trace').textContent));
}

start();
