// --- attention maps -----------------------------------------------------------------------------
// trace.attention: the softmaxes that weigh values, and the nodes around each.
let around;
let maps;  // one per layer and number of keys; its rows are the queries of all its softmaxes in turn
const attention = {map: 0, sample: 0, shows: 'weights', chosen: null};

function readAttention() {
  around = new Map(trace.attention.map(part => [part.weights, part]));
  maps = [];
  for (const {weights} of trace.attention) {
    const node = nodes[weights];
    if (tensor(node.value).shape.length < 2) continue;
    const shape = tensor(node.value).shape, keys = shape[shape.length - 1], queries = shape[shape.length - 2];
    const samples = shape.slice(0, -2).reduce((a, b) => a * b, 1);
    let map = maps.find(map => map.path === node.path && map.keys === keys && map.samples === samples);
    if (!map) maps.push(map = {path: node.path, keys, samples, rows: []});
    for (let q = 0; q < queries; ++q) map.rows.push({node: node.number, query: q, queries});
  }
  const map = maps[attention.map], {chosen} = attention;
  if (!map || attention.sample >= map.samples) Object.assign(attention, {map: 0, sample: 0, chosen: null});
  else if (chosen && !(map.rows[chosen.q] && map.rows[chosen.q].node === chosen.node && chosen.k < map.keys)) attention.chosen = null;
}

function queryName(i) { return trace.queries && trace.queries[i] !== undefined ? trace.queries[i] : String(i); }
function keyName(i) { return trace.keys && trace.keys[i] !== undefined ? trace.keys[i] : String(i); }

/// Draws the map where it is seen: what nobody looks at takes no time.
function drawAttention() {
  if (maps.length === 0 || tab !== 'attention') return;
  const map = maps[attention.map];
  const view = byId('attention');
  const choice = (key, names, current, set) => names.length < 2 ? null : make('label', {}, say(key),
    make('select', {'data-choice': key, onchange: event => { set(event.target.selectedIndex); drawAttention(); }},
         ...names.map((name, i) => make('option', {selected: i === current ? '' : false}, name))));
  redraw(view, make('div', {class: 'choices'},
    choice('map', maps.map((map, i) => map.path || `${i + 1}`), attention.map,
           i => Object.assign(attention, {map: i, sample: 0, chosen: null})),
    choice('sample', Array.from({length: map.samples}, (_, i) => String(i)), attention.sample,
           i => Object.assign(attention, {sample: i, chosen: null})),
    choice('shows', [say('weights'), say('weight_gradients')], attention.shows === 'weights' ? 0 : 1,
           i => Object.assign(attention, {shows: i === 0 ? 'weights' : 'gradients'}))));
  const cells = numbersOfMap(map);
  if (cells === null) {
    view.append(make('p', {}, say('unkept')));
    return;
  }
  let least = 0, size = 0;  // of the finite numbers
  for (const v of cells) {
    if (!Number.isFinite(v)) continue;
    if (v < least) least = v;
    if (Math.abs(v) > size) size = Math.abs(v);
  }
  const [low, high] = least < 0 ? [-size, size] : [0, size];
  const drawn = (map.keys * map.rows.length <= 1600 ? tableOfMap : canvasOfMap)(map, cells, low, high);
  view.append(make('div', {class: 'beside'}, make('div', {}, ...drawn, make('div', {class: 'under'}, legendOf(low, high))), behindCell()));
}

function cellText(map, cells, q, k) {
  return `${say('cell', queryName(q), keyName(k))}: ${numberText(cells[q * map.keys + k])}`;
}

/// A button for each cell.
function tableOfMap(map, cells, low, high) {
  const large = map.keys <= 12;
  const table = make('table', {class: large ? 'map large' : 'map', 'aria-label': say('attention')});
  const head = table.createTHead().insertRow();
  head.append(make('td'));
  for (let k = 0; k < map.keys; ++k) head.append(make('th', {scope: 'col', lang: langOf(keyName(k))}, make('span', {}, keyName(k))));
  const body = table.createTBody();
  map.rows.forEach((_, q) => {
    const row = body.insertRow();
    row.append(make('th', {scope: 'row', lang: langOf(queryName(q))}, queryName(q)));
    for (let k = 0; k < map.keys; ++k) {
      const v = cells[q * map.keys + k], text = cellText(map, cells, q, k);
      const button = make('button', {'aria-label': text, title: text, 'data-cell': `${q} ${k}`, tabindex: q + k === 0 ? 0 : -1,
        'aria-pressed': attention.chosen && attention.chosen.q === q && attention.chosen.k === k ? 'true' : 'false',
        onclick: () => chooseCell(q, k), onkeydown: event => walkCells(event, q, k)});
      const colour = shade(v, low, high);
      button.style.background = css(colour);
      button.style.color = inkOn(colour);
      if (large) button.textContent = attention.shows === 'weights' && Number.isFinite(v) ? v.toFixed(2) : numberText(v, 2);
      row.insertCell().append(button);
    }
  });
  return [table];
}

/// A picture, on which the pointer and the arrow keys choose a cell.
function canvasOfMap(map, cells, low, high) {
  const rows = map.rows.length, side = Math.min(14, Math.max(1, Math.floor(900 / Math.max(map.keys, rows))));
  const canvas = painted(cells, map.keys, rows, low, high, {class: 'map', tabindex: 0, role: 'application',
    'aria-label': `${say('attention')} ${rows} × ${map.keys}`});
  canvas.style.width = `${side * map.keys}px`;
  canvas.style.height = `${side * rows}px`;
  const output = make('output', {}, attention.chosen ? cellText(map, cells, attention.chosen.q, attention.chosen.k) : '');
  const cellAt = event => {
    const box = canvas.getBoundingClientRect(), inside = (x, size) => Math.min(size - 1, Math.max(0, Math.floor(x * size)));
    return [inside((event.clientY - box.top) / box.height, rows), inside((event.clientX - box.left) / box.width, map.keys)];
  };
  canvas.addEventListener('pointermove', event => { output.textContent = cellText(map, cells, ...cellAt(event)); });
  canvas.addEventListener('click', event => chooseCell(...cellAt(event)));
  canvas.addEventListener('keydown', event => {
    const step = arrows[event.key], {q, k} = attention.chosen || {q: 0, k: 0};
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    chooseCell(Math.min(rows - 1, Math.max(0, q + step[0])), Math.min(map.keys - 1, Math.max(0, k + step[1])));
  });
  const heat = make('div', {class: 'heat'}, canvas);
  if (attention.chosen) {
    const frame = make('span', {class: 'mark'}), width = Math.max(side, 3);
    Object.assign(frame.style, {left: `${side * attention.chosen.k}px`, top: `${side * attention.chosen.q}px`,
                                width: `${width}px`, height: `${width}px`});
    heat.append(frame);
  }
  return [make('div', {class: 'scroll'}, heat), make('p', {class: 'from'}, output)];
}

/// The numbers of all rows, or null where some were not kept.
function numbersOfMap(map) {
  const cells = new Float32Array(map.rows.length * map.keys);
  for (let q = 0; q < map.rows.length; ++q) {
    const row = rowOf(map, map.rows[q]);
    if (row === null) return null;
    cells.set(row, q * map.keys);
  }
  return cells;
}

/// The numbers of a row, or null where they were not kept.
function rowOf(map, row) {
  const x = tensor(attention.shows === 'weights' ? nodes[row.node].value : nodes[row.node].gradient);
  if (x === null) return new Float32Array(map.keys);
  const values = x.sketch ? null : numbersOf(x);
  const offset = (attention.sample * row.queries + row.query) * map.keys;
  return values && values.subarray(offset, offset + map.keys);
}

function indexOf(map, row, k) {
  const leading = tensor(nodes[row.node].value).shape.slice(0, -2), index = [];
  let rest = attention.sample;
  for (let axis = leading.length - 1; axis >= 0; --axis) {
    index.unshift(rest % leading[axis]);
    rest = Math.floor(rest / leading[axis]);
  }
  return [...index, row.query, k];
}

/// Goes to the softmax that made the weight, and lists the nodes behind it.
function chooseCell(q, k) {
  const map = maps[attention.map], row = map.rows[q];
  attention.chosen = {q, k, node: row.node, index: indexOf(map, row, k)};
  reveal(row.node);
  const backward = positions[position].backward && backwardPosition.has(row.node);
  go(backward ? backwardPosition.get(row.node) : row.node);
  drawAttention();
  byId('attention').querySelector(`[data-cell="${q} ${k}"], canvas.map`).focus({preventScroll: true});
}

function walkCells(event, q, k) {
  const step = arrows[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  const next = byId('attention').querySelector(`[data-cell="${q + step[0]} ${k + step[1]}"]`);
  if (next) next.focus();
}

function behindCell() {
  if (!attention.chosen) return make('p', {class: 'behind'}, say('cell_hint'));
  const {q, k, node} = attention.chosen, {score, between, context} = around.get(node);
  const list = make('dl');
  const add = (key, n) => list.append(make('dt', {}, say(key)), make('dd', {}, linkTo(n)));
  if (score !== null) {
    add('query', nodes[score].inputs[0]);
    add('key', nodes[score].inputs[1]);
    add('score', score);
  }
  between.forEach(n => add('between', n));
  add('weight', node);
  add('context', context);
  return make('section', {class: 'behind'}, make('h3', {}, say('behind', queryName(q), keyName(k))), list);
}
