// --- a tensor as numbers, as a heat map, and in figures -----------------------------------------
/// options: label and caption above it; `link`, the letter that stands for its node; `key`,
/// what the formulas call it; `mark`, the index of an
/// element to point out; `pick(index)` is called with the one that the reader chooses.
function tensorFigure(place, options = {}) {
  const x = tensor(place);
  const figure = make('figure', {class: 'tensor', 'data-link': options.link});
  figure.append(make('figcaption', {}, options.label ? make('b', {}, options.label) : null,
                     make('span', {class: 'what'}, options.what || ''), options.from || null,
                     make('span', {class: 'shape'}, `${shapeText(x)} ${x.dtype}`)));
  const values = numbersOf(x);
  if (values === null) figure.append(make('p', {class: 'from'}, say('summary_only')));
  else if (x.count === 1) figure.append(make('p', {class: 'scalar', 'data-of': options.key, 'data-at': x.shape.map(() => 0).join()}, numberText(values[0], 7)));
  else if (x.count > 0) figure.append(pictureOf(x, values, options));
  if (x.count !== 1 || values === null) figure.append(figuresOf(x));
  return figure;
}

/// A tensor in a few words: its number, or its norm.
function briefly(place) {
  const x = tensor(place), values = x.count === 1 ? numbersOf(x) : null;
  return values ? numberText(values[0]) : `${shapeText(x)}${say('comma')}${say('norm')} ${numberText(x.norm, 3)}`;
}

/// The last two axes as rows and columns, with a field for the index of each axis before them.
function pictureOf(x, values, {mark, key, pick}) {
  const rank = x.shape.length;
  const columns = x.sketch ? x.sketch[1] : rank > 0 ? x.shape[rank - 1] : 1;
  const rows = x.sketch ? x.sketch[0] : rank > 1 ? x.shape[rank - 2] : 1;
  const leading = x.sketch ? [] : x.shape.slice(0, Math.max(0, rank - 2));
  const at = leading.map((_, axis) => mark ? mark[axis] : 0);
  const box = make('div');
  const body = make('div');
  let asNumbers = false;

  const slice = () => {
    const offset = at.reduce((sum, index, axis) => sum * leading[axis] + index, 0) * rows * columns;
    return values.subarray(offset, offset + rows * columns);
  };
  const marked = () => mark && at.every((index, axis) => index === mark[axis])
    ? [rank > 1 ? mark[rank - 2] : 0, mark[rank - 1]] : null;
  const indexOf = (i, j) => [...at, ...(rank > 1 ? [i] : []), j];
  const draw = () => {
    const small = columns <= 8 && rows <= 10;
    const toggle = make('button', {class: 'quiet', onclick: () => { asNumbers = !asNumbers; draw(); }},
                        say(asNumbers ? 'heat' : 'numbers'));
    body.replaceChildren(...(small ? cellsOf(x, slice(), rows, columns, marked(), {indexOf, key, pick})
      : asNumbers ? tableOf(slice(), rows, columns, toggle)
      : heatMap(x, slice(), rows, columns, marked(), {indexOf, key, pick}, toggle)));
  };
  if (leading.some(size => size > 1)) {
    const fields = leading.map((size, axis) => {
      if (size === 1) return '0, ';
      const field = make('input', {class: 'axis', type: 'number', min: 0, max: size - 1, value: at[axis],
        'aria-label': `${say('axis')} ${axis}`, oninput: () => {
          at[axis] = Math.min(size - 1, Math.max(0, Math.round(Number(field.value)) || 0));
          draw();
        }});
      return make('span', {}, field, ', ');
    });
    box.append(make('p', {class: 'axes'}, '[', ...fields, ':, :]'));
  }
  draw();
  box.append(body);
  return box;
}

const arrows = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};

function cellsOf(x, values, rows, columns, mark, {indexOf, key, pick}) {
  const [low, high] = rangeOf(x);
  const table = make('table', {class: 'cells', role: pick ? 'grid' : false, 'aria-label': pick ? say('cell_grid') : false});
  for (let i = 0; i < rows; ++i) {
    const row = table.insertRow();
    for (let j = 0; j < columns; ++j) {
      const colour = shade(values[i * columns + j], low, high), isMarked = mark && mark[0] === i && mark[1] === j;
      const cell = make('td', {class: isMarked ? 'marked' : false, 'data-of': key, 'data-at': indexOf(i, j).join(), role: pick ? 'gridcell' : false,
        tabindex: pick ? ((mark ? isMarked : i + j === 0) ? 0 : -1) : false, 'aria-selected': pick ? String(Boolean(isMarked)) : false,
        onclick: pick && (() => pick(indexOf(i, j))), onkeydown: pick && (event => {
          if (event.key === 'Enter' || event.key === ' ') pick(indexOf(i, j));
          else if (arrows[event.key]) table.rows[i + arrows[event.key][0]]?.cells[j + arrows[event.key][1]]?.focus();
          else return;
          event.preventDefault();
          event.stopPropagation();
        })}, numberText(values[i * columns + j], columns > 5 ? 3 : 4));
      cell.style.background = css(colour);
      cell.style.color = inkOn(colour);
      row.append(cell);
    }
  }
  return [make('div', {class: 'scroll'}, table)];
}

function tableOf(values, rows, columns, toggle) {
  const shown = Math.max(1, Math.min(rows, Math.floor(4096 / columns)));
  const table = make('table', {class: 'cells plain'});
  const head = table.createTHead().insertRow();
  head.append(make('th'));
  for (let j = 0; j < columns; ++j) head.append(make('th', {scope: 'col'}, String(j)));
  for (let i = 0; i < shown; ++i) {
    const row = table.insertRow();
    row.append(make('th', {scope: 'row'}, String(i)));
    for (let j = 0; j < columns; ++j) row.insertCell().textContent = numberText(values[i * columns + j]);
  }
  return [shown < rows ? make('p', {class: 'from'}, say('part_shown')) : '',
          make('div', {class: 'scroll', tabindex: 0}, table), make('div', {class: 'under'}, toggle)];
}

function heatMap(x, values, rows, columns, mark, {indexOf, key, pick}, toggle) {
  const [low, high] = rangeOf(x);
  const wrap = rows === 1 && columns > 64 ? 64 : columns;  // long vectors in several rows
  const across = wrap, down = Math.ceil(rows * columns / wrap);
  const canvas = painted(values, across, down, low, high, {role: 'img',
    'aria-label': `${say('heat')} ${shapeText(x)}: ${say('min')} ${numberText(x.min)}, ${say('max')} ${numberText(x.max)}, ${say('mean')} ${numberText(x.mean)}`});
  const room = Math.max(240, byId('panel').clientWidth - 60);
  const cell = Math.min(24, room / across);
  const height = Math.min(cell, down > 1 ? Math.max(300 / down, 1) : 24);
  canvas.style.width = `${cell * across}px`;
  canvas.style.height = `${(down === 1 ? Math.max(height, 20) : height) * down}px`;
  const output = make('output');
  const elementUnder = event => {
    const box = canvas.getBoundingClientRect();
    const i = Math.floor((event.clientY - box.top) / box.height * down), j = Math.floor((event.clientX - box.left) / box.width * across);
    const k = i * across + j;
    return k >= 0 && k < values.length && j >= 0 && j < across ? k : -1;
  };
  const indexOfElement = k => indexOf(Math.floor(k / columns), k % columns);
  canvas.addEventListener('pointermove', event => {
    const k = elementUnder(event);
    output.textContent = k < 0 ? '' : `${x.sketch ? '' : `[${indexOfElement(k).join(', ')}] = `}${numberText(values[k], 6)}`;
  });
  if (pick && !x.sketch) {
    Object.assign(canvas.dataset, mark ? {picked: ''} : {});
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    canvas.addEventListener('click', event => elementUnder(event) >= 0 && pick(indexOfElement(elementUnder(event))));
    canvas.addEventListener('keydown', event => {
      const step = arrows[event.key], k = mark ? mark[0] * columns + mark[1] + (step ? step[0] * across + step[1] : 0) : 0;
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      if (k >= 0 && k < values.length) pick(indexOfElement(k));
    });
  }
  const heat = make('div', {class: 'heat', 'data-of': key}, canvas);
  const frameAround = (name, elements) => {
    const rows = elements.map(k => Math.floor(k / across)), columns = elements.map(k => k % across);
    const [top, left, bottom, right] = [Math.min(...rows), Math.min(...columns), Math.max(...rows) + 1, Math.max(...columns) + 1];
    const frame = make('span', {class: name});
    Object.assign(frame.style, {left: `${100 * left / across}%`, top: `${100 * top / down}%`, width: `${100 * (right - left) / across}%`, height: `${100 * (bottom - top) / down}%`});
    heat.append(frame);
  };
  if (mark && !x.sketch) frameAround('mark', [mark[0] * columns + mark[1]]);
  heat.showParts = reads => {  // the cells that the arithmetic reads: a row, or a column
    const elements = Array.from(values.keys()).filter(k => reads.has(indexOfElement(k).join()));
    if (elements.length > 0 && across === columns) frameAround('mark read', elements);
  };
  const width = x.shape[x.shape.length - 1] || 1;
  const note = x.sketch
    ? say('sketch', Math.ceil(x.count / width / rows), Math.ceil(width / columns))
    : wrap < columns ? say('wrapped', wrap) : '';
  return [heat, make('div', {class: 'under'}, legendOf(low, high), note, output, x.sketch ? '' : toggle)];
}

function legendOf(low, high) {
  const scale = make('i');
  scale.style.background = `linear-gradient(to right, ${rampFor(low).map(css).join(', ')})`;
  return make('span', {class: 'legend', 'aria-hidden': 'true'}, numberText(low, 3), scale, numberText(high, 3));
}

function figuresOf(x) {
  const figure = (key, text, bad) => make('span', {class: bad ? 'bad' : false}, say(key) + ' ', make('b', {}, text));
  const line = make('div', {class: 'figures'});
  if (x.nans > 0) line.append(figure('nans', `${x.nans} / ${x.count}`, true));
  if (x.infinities > 0) line.append(figure('infinities', `${x.infinities} / ${x.count}`, true));
  if (isBad(x)) line.append(make('span', {}, say('others', x.count - x.nans - x.infinities)));
  if (x.nans + x.infinities < x.count || x.count === 0)
    for (const key of ['min', 'max', 'mean', 'norm']) line.append(figure(key, numberText(x[key])));
  if (x.zeros > 0) line.append(figure('zeros', `${x.zeros} / ${x.count}`));
  if (x.count > 8) line.append(histogramOf(x));
  return line;
}

function histogramOf(x) {
  const most = Math.max(1, ...x.histogram);
  const bars = x.histogram.map((count, i) => {
    const height = count === 0 ? 0 : 1 + 25 * count / most;
    return svgElement('rect', {x: 4 * i, y: 26 - height, width: 3, height, fill: 'currentColor'});
  });
  return svgElement('svg', {width: 64, height: 26, role: 'img', 'aria-label': `${say('histogram')}: ${x.histogram.join(', ')}`}, ...bars);
}
