// --- lines over x, as SVG --------------------------------------------------------------------------
/// Round numbers between two others.
function ticks(low, high, most) {
  const raw = (high - low) / most, size = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].find(k => k * size >= raw) * size;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({length: Math.floor(high / step + 1e-9) - first + 1}, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/// The same on a logarithmic axis, of powers of ten.
function logTicks(low, high) {
  const digits = high - low >= 2 ? [1] : [1, 2, 5], powers = Array.from({length: Math.ceil(high) - Math.floor(low) + 1}, (_, i) => Math.floor(low) + i);
  const all = powers.flatMap(power => digits.map(digit => power + Math.log10(digit))).filter(v => v >= low && v <= high);
  return all.length < 2 ? ticks(low, high, 4) : all.filter((_, i) => i % Math.ceil(all.length / 6) === 0);
}

/// Which points a narrow picture can show of many: of each stretch the first, the least, the largest,
/// and one that is not finite.
function thinned(y, most = 400) {
  const size = Math.ceil(y.length / most), kept = [];
  for (let from = 0; from < y.length; from += size) {
    const stretch = new Set([from]);
    let least = from, largest = from;
    for (let k = from; k < Math.min(y.length, from + size); ++k) {
      if (!Number.isFinite(y[k])) stretch.add(k);
      if (!(y[k] >= y[least])) least = k;
      if (!(y[k] <= y[largest])) largest = k;
    }
    kept.push(...[...stretch.add(least).add(largest)].sort((a, b) => a - b).slice(0, 4));
  }
  if (y.length > 0 && kept[kept.length - 1] !== y.length - 1) kept.push(y.length - 1);
  return kept;
}

/// lines: [{name, x, y}], with a style of their own each: full, dashed, dotted. `log` for a logarithmic
/// axis; `at`, an x to point out; `pick(x)` when the reader points at one.
function plot(lines, {label, log = false, at = null, pick = null, width = 400, height = 210}) {
  width = Math.max(230, Math.min(width, byId(tab).clientWidth - 48));
  const left = 58, right = 14, top = 12, bottom = 28, scaled = v => log ? Math.log10(v) : v;
  const points = lines.map(({x, y}) => thinned(y).map(k => [x[k], scaled(y[k])]));
  const finite = points.flat().filter(([, v]) => Number.isFinite(v)), figure = make('figure', {class: 'plot'});
  if (finite.length === 0) return figure;
  const range = (k, among) => among.reduce(([low, high], p) => [Math.min(low, p[k]), Math.max(high, p[k])], [Infinity, -Infinity]);
  let [x0, x1] = range(0, points.flat()), [y0, y1] = range(1, finite);
  if (x0 === x1) x1 = x0 + 1;
  if (y1 - y0 < 1e-6 * Math.max(1e-6, Math.abs(y1))) [y0, y1] = [y0 - 0.5 * (Math.abs(y0) || 1), y1 + 0.5 * (Math.abs(y1) || 1)];
  [y0, y1] = [y0 - 0.03 * (y1 - y0), y1 + 0.03 * (y1 - y0)];
  const px = v => left + (v - x0) / (x1 - x0) * (width - left - right), py = v => top + (y1 - v) / (y1 - y0) * (height - top - bottom);
  const inWords = lines.map(({name, y}) => `${name} ${numberText(y[0])} → ${numberText(y[y.length - 1])}`).join('; ');
  const svg = svgElement('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${label}: ${inWords}`});
  for (const v of log ? logTicks(y0, y1) : ticks(y0, y1, 4))
    svg.append(svgElement('line', {x1: left, x2: width - right, y1: py(v), y2: py(v), class: 'grid'}),
               svgElement('text', {x: left - 8, y: py(v) + 4, 'text-anchor': 'end'}, numberText(log ? 10 ** v : v, 3)));
  for (const v of ticks(x0, x1, 5).filter(v => lines[0].y.length > 2 || Number.isInteger(v)))
    svg.append(svgElement('line', {x1: px(v), x2: px(v), y1: height - bottom, y2: height - bottom + 4, class: 'grid'}),
               svgElement('text', {x: px(v), y: height - 8, 'text-anchor': 'middle'}, numberText(v, 6)));
  points.forEach((line, i) => {
    let path = '', pen = 'M';
    for (const [x, v] of line) {
      if (!Number.isFinite(v)) pen = 'M';
      else { path += `${pen}${px(x).toFixed(1)} ${py(v).toFixed(1)}${pen === 'M' ? 'h1' : ''}`; pen = 'L'; }  // a dot, where it is alone
    }
    svg.append(svgElement('path', {d: path, class: `line line_${i % 8}`}));
    const lost = lines[i].y.findIndex(v => !Number.isFinite(v));
    if (lost >= 0) svg.append(svgElement('text', {x: px(lines[i].x[lost]), y: top + 12, 'text-anchor': lost > 0 ? 'end' : 'start', class: 'bad'}, numberText(lines[i].y[lost])));
  });
  if (at !== null && at <= x1) svg.append(svgElement('line', {x1: px(at), x2: px(at), y1: top, y2: height - bottom, class: 'at'}));
  if (pick) {
    svg.style.cursor = 'pointer';
    svg.addEventListener('click', event => {
      const box = svg.getBoundingClientRect();
      pick(x0 + ((event.clientX - box.left) / box.width * width - left) / (width - left - right) * (x1 - x0));
    });
  }
  const key = i => svgElement('svg', {width: 26, height: 8, 'aria-hidden': 'true'}, svgElement('path', {d: 'M0 4H26', class: `line line_${i % 8}`}));
  figure.append(svg, make('figcaption', {}, ...lines.map(({name}, i) => make('span', {class: 'key'}, key(i), name))));
  return figure;
}
