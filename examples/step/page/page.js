// --- stepping -----------------------------------------------------------------------------------
function go(to) {
  position = Math.min(positions.length - 1, Math.max(0, to));
  const {backward} = positions[position];
  document.body.classList.toggle('backward', backward);
  const slider = byId('slider');
  slider.value = position;
  byId('place').textContent = say('place', position + 1, positions.length);
  for (const id of ['first', 'back', 'over_back']) byId(id).setAttribute('aria-disabled', String(position === 0));
  for (const id of ['last', 'next', 'over']) byId(id).setAttribute('aria-disabled', String(position === positions.length - 1));
  drawPanel();
  markGraph();
  markSenders();
  markList();
  const node = nodes[positions[position].node];
  const text = [byId('panel').firstChild.textContent, `${titleOf(node)} #${node.number}`, node.path,
                backward ? derivativesOf(node).join(', ') : node.formula && `y = ${node.formula}`, `${backward ? 'g' : 'y'} = ${briefly(backward ? node.gradient : node.value)}`,
                node.verdict ? say(node.verdict.result) : '', changed.size > 0 ? say('changed', changed.size) : ''].filter(part => part).join(', ');
  slider.setAttribute('aria-valuetext', text);
  byId('live').textContent = text;
  writeHash();
}

/// The address says where the reader is: #node=5, or #node=5&pass=backward. It is written when the
/// reader rests, since browsers refuse more than a few changes a second.
let hashTimer = 0;
function writeHash() {
  clearTimeout(hashTimer);
  const {node, backward} = positions[position], hash = `#node=${node}${backward ? '&pass=backward' : ''}`;
  if (position > 0 || location.hash !== '') hashTimer = setTimeout(() => history.replaceState(null, '', hash), 300);
}

/// Reads that, or #step=12.
function readHash() {
  const wanted = new URLSearchParams(location.hash.slice(1)), n = Number(wanted.get('node') ?? NaN), step = Number(wanted.get('step') ?? NaN);
  const to = nodes[n] ? (wanted.get('pass') === 'backward' && backwardPosition.get(n)) || n : step - 1;
  if (!positions[to]) return;
  reveal(positions[to].node);
  go(to);
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
  document.documentElement.dataset.theme = isPrinting ? 'light' : theme === 'auto' ? (dark.matches ? 'dark' : 'light') : theme;
  const button = byId('theme');
  button.textContent = {auto: '◐', light: '☼', dark: '☾'}[theme];
  button.setAttribute('aria-label', say(`theme_${theme}`));
  button.title = say(`theme_${theme}`);
}

/// Larger letters, for a room.
let isLarge = recall('size') === 'large';
function drawSize() {
  document.documentElement.dataset.size = isLarge ? 'large' : '';
  byId('size').setAttribute('aria-pressed', String(isLarge));
}

/// Tabs of scripts that add to this page: {name, draw}, each with an element of that id.
const moreTabs = [];

let tab = 'graph';
function drawTabs() {
  const names = ['graph', 'list', ...(maps.length ? ['attention'] : []), 'doctor', ...(lessonText() ? ['lesson'] : []), ...(trace.other ? ['differences'] : []), ...moreTabs.map(({name}) => name)];
  if (!names.includes(tab)) tab = 'graph';
  redraw(byId('tabs'), ...names.map(name => make('button', {role: 'tab', id: `tab_${name}`, 'aria-controls': name,
    'aria-selected': String(name === tab), tabindex: name === tab ? 0 : -1, onclick: () => { tab = name; drawTabs(); drawAttention(); drawDoctor(); drawLesson(); drawDifferences(); moreTabs.forEach(({draw}) => draw()); go(position); }}, say(name))));
  for (const name of ['graph', 'list', 'attention', 'doctor', 'lesson', 'differences', ...moreTabs.map(({name}) => name)]) byId(name).hidden = name !== tab;
  byId('tools').hidden = tab !== 'graph' && tab !== 'list';
  document.querySelector('.zoom').hidden = tab !== 'graph';
  byId('changed_note').hidden = tab !== 'graph' || changed.size === 0;
}

/// Shows a trace, which JSON describes, at the place of the last one as far as it has it. `changed`
/// holds the numbers of nodes that are to be pointed out.
function load(data, options = {}) {
  const mark = bookmark();
  readTrace(data);
  readAttention();
  returnTo(mark);
  changed = options.changed || new Set();
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
  const [, title] = lessonText().match(/^# (.*)/) || [null, trace.title];
  document.title = title ? `${title} – Gradus` : 'Gradus';
  byId('title').textContent = title;
  byId('language').textContent = say('language');
  byId('language').lang = language === 'zh' ? 'en' : 'zh-Hans';
  drawTheme();
  drawSize();
  document.body.classList.toggle('empty', nodes.length === 0);
  if (nodes.length === 0) {
    byId('panel').textContent = say('empty');
    return;
  }
  drawTabs();
  drawTrack();
  drawAttention();
  drawDoctor();
  drawLesson();
  drawDifferences();
  for (const {draw} of moreTabs) draw();
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
  readLesson();
  const ofBrowser = (navigator.language || '').startsWith('zh') ? 'zh' : 'en';
  language = [recall('language'), lesson.language, ofBrowser].find((known) => known in words);
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
  byId('size').addEventListener('click', () => {
    isLarge = !isLarge;
    remember('size', isLarge ? 'large' : '');
    drawAll();
  });
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
  byId('tabs').addEventListener('keydown', onTabKey);
  window.addEventListener('hashchange', readHash);
  startCamera();
  startLinks();
  startPrint();
  load(JSON.parse(byId('trace').textContent));
  readHash();
}

start();
