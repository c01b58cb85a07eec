// --- lines over x, as SVG --------------------------------------------------------------------------
function svgElement(name, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/// lines: [{name, x, y}], with a style of their own each: full, dashed, dotted. `log` for a logarithmic
/// axis; `at`, an x to point out; `pick(x)` when the reader points at one.
function plot(lines, {label, log = false, at = null, pick = null, height = 220}) {
  const width = 640, left = 62, right = 12, top = 10, bottom = 26;
  const scaled = v => log ? Math.log10(v) : v;
  const points = lines.flatMap(({x, y}) => y.map((v, i) => [x[i], scaled(v)]).filter(([, v]) => Number.isFinite(v)));
  const figure = make('figure', {class: 'plot'});
  if (points.length === 0) return figure;
  const range = k => points.reduce(([low, high], p) => [Math.min(low, p[k]), Math.max(high, p[k])], [Infinity, -Infinity]);
  let [x0, x1] = range(0), [y0, y1] = range(1);
  if (x0 === x1) x1 = x0 + 1;
  if (y0 === y1) [y0, y1] = [y0 - 0.5, y1 + 0.5];
  const px = v => left + (v - x0) / (x1 - x0) * (width - left - right), py = v => top + (y1 - v) / (y1 - y0) * (height - top - bottom);
  const svg = svgElement('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${label}: ${lines.map(({name, y}) => `${name} ${numberText(y[0])} → ${numberText(y[y.length - 1])}`).join('; ')}`});
  for (const part of [0, 0.5, 1]) {
    const v = y0 + part * (y1 - y0);
    svg.append(svgElement('line', {x1: left, x2: width - right, y1: py(v), y2: py(v), class: 'grid'}),
               svgElement('text', {x: left - 8, y: py(v) + 4, 'text-anchor': 'end'}, numberText(log ? 10 ** v : v, 3)),
               svgElement('text', {x: px(x0 + part * (x1 - x0)), y: height - 6, 'text-anchor': part === 0 ? 'start' : part === 1 ? 'end' : 'middle'}, numberText(x0 + part * (x1 - x0), 4)));
  }
  lines.forEach(({x, y}, i) => {
    let path = '', pen = 'M';
    y.forEach((v, k) => {
      if (!Number.isFinite(scaled(v))) pen = 'M';
      else { path += `${pen}${px(x[k]).toFixed(1)} ${py(scaled(v)).toFixed(1)}`; pen = 'L'; }
    });
    svg.append(svgElement('path', {d: path, class: `line line_${i % 4}`}));
  });
  if (at !== null) svg.append(svgElement('line', {x1: px(at), x2: px(at), y1: top, y2: height - bottom, class: 'at'}));
  if (pick) {
    svg.style.cursor = 'pointer';
    svg.addEventListener('click', event => {
      const box = svg.getBoundingClientRect();
      pick(x0 + ((event.clientX - box.left) / box.width * width - left) / (width - left - right) * (x1 - x0));
    });
  }
  const legend = make('figcaption', {}, ...lines.map(({name}, i) => make('span', {class: `key key_${i % 4}`}, name)));
  figure.append(svg, legend);
  return figure;
}
