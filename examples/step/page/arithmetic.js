// --- a formula with its numbers -------------------------------------------------------------------
// What a formula gives for one element, from the recorded operands. It is shown only where it agrees
// with what was recorded.
const functions = Object.assign(Object.create(null), {
  exp: Math.exp, log: Math.log, tanh: Math.tanh, sin: Math.sin, cos: Math.cos, tan: Math.tan, sign: Math.sign, max: Math.max, min: Math.min,
  relu: x => Math.max(0, x), sigmoid: x => 1 / (1 + Math.exp(-x)), softplus: x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  where: (condition, a, b) => condition ? a : b, asin: Math.asin, acos: Math.acos, atan: Math.atan, sinh: Math.sinh, cosh: Math.cosh,
  asinh: Math.asinh, acosh: Math.acosh, atanh: Math.atanh,
  erf: x => {  // Abramowitz and Stegun 7.1.26
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const rest = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-x * x);
    return Math.sign(x) * (1 - rest);
  },
});
const comparisons = {'=': (a, b) => a === b, '>': (a, b) => a > b, '≥': (a, b) => a >= b, '<': (a, b) => a < b, '≤': (a, b) => a <= b, '≠': (a, b) => a !== b};

const mostReads = 400000;  // of numbers, for one formula
const sizeOf = shape => shape.reduce((a, b) => a * b, 1);
function indexAt(shape, element) {
  const index = Array(shape.length);
  for (let axis = shape.length - 1; axis >= 0; --axis) {
    index[axis] = element % shape[axis];
    element = Math.floor(element / shape[axis]);
  }
  return index;
}
function elementAt(shape, index) { return shape.reduce((sum, size, axis) => sum * size + index[axis], 0); }

/// A tree's value at an index of `full`, and how it reads: texts, and {text, link, index} for numbers.
/// `full` is the shape of the whole computation, `reduced` the axes of it that y and g do not have.
class Reading {
  constructor(node, symbols) {
    this.symbols = symbols;  // letter -> a tensor whose numbers are there
    this.reads = 0;
    const attribute = name => (node.attributes.find(([key]) => key === name) || [])[1];
    const shapes = node.inputs.map(input => tensor(nodes[input].value).shape), own = tensor(node.value).shape;
    const first = shapes[0] || [];
    const wanted = attribute('axes') ?? attribute('axis');
    this.axes = wanted === undefined ? first.map((_, axis) => axis) : [wanted].flat().map(axis => (axis + first.length) % first.length);
    this.full = sizeOf(first) > sizeOf(own) && node.inputs.length === 1 ? first : own;
    this.reduced = this.full === first && first.length > own.length ? new Set(this.axes) : new Set();
  }

  /// An index of the input that is summed into this one of the result.
  unreduced(index) {
    let k = 0;
    return this.full.map((_, axis) => this.reduced.has(axis) ? 0 : index[k++]);
  }

  number(name, index) {
    const x = this.symbols[name];
    if (!x) throw null;
    const {shape} = x;
    let at = (name === 'y' || name === 'g') && this.reduced.size > 0 ? index.filter((_, axis) => !this.reduced.has(axis)) : index;
    if (shape.length > at.length) throw null;
    at = at.slice(at.length - shape.length).map((i, axis) => shape[axis] === 1 ? 0 : i);
    if (at.some((i, axis) => i >= shape[axis])) throw null;
    return this.piece(name, x, at);
  }
  piece(name, x, index) {
    if (++this.reads > mostReads) throw null;
    const value = numbersOf(x)[elementAt(x.shape, index)];
    return {value, pieces: [{value, link: name, index}]};
  }

  /// The tree's value at this index, element by element.
  at(tree, index) {
    const one = part => this.at(part, index);
    const of = (value, ...pieces) => ({value, pieces: pieces.flat()});
    switch (tree.type) {
      case 'number': return of(tree.value, tree.text);
      case 'symbol': return this.number(tree.name, index);
      case 'minus': { const x = one(tree.of); return of(-x.value, '−', guarded(x)); }
      case 'brackets': { const x = one(tree.of); return of(x.value, '(', x.pieces, ')'); }
      case 'abs': { const x = one(tree.of); return of(Math.abs(x.value), '|', x.pieces, '|'); }
      case 'floor': { const x = one(tree.of); return of(Math.floor(x.value), '⌊', x.pieces, '⌋'); }
      case 'ceil': { const x = one(tree.of); return of(Math.ceil(x.value), '⌈', x.pieces, '⌉'); }
      case 'root': { const x = one(tree.of); return of(Math.sqrt(x.value), '√(', x.pieces, ')'); }
      case 'power': { const [a, b] = [one(tree.left), one(tree.right)]; return of(a.value ** b.value, guarded(a), '^', guarded(b)); }
      case 'compare': { const [a, b] = [one(tree.left), one(tree.right)]; return of(Number(comparisons[tree.sign](a.value, b.value)), '[', a.pieces, ` ${tree.sign} `, b.pieces, ']'); }
      case 'super': {
        if (tree.script === 'ˣ') { const x = this.number('x', index); return of(Math.exp(x.value), 'e^', guarded(x)); }
        const power = {'²': 2, '³': 3, '⁻¹': -1}[tree.script];
        if (power === undefined) throw null;
        const x = one(tree.of);
        return of(x.value ** power, guarded(x), tree.script);
      }
      case 'call': case 'prefix': {
        if (!functions[tree.name] || tree.type === 'prefix' && tree.name !== 'log') throw null;
        const parts = tree.of.map(one);
        return of(functions[tree.name](...parts.map(part => part.value)), `${tree.name}(`, parts.flatMap((part, i) => [i ? ', ' : '', ...part.pieces]), ')');
      }
      case 'sum': {
        const sizes = this.axes.map(axis => this.full[axis]);
        return total(sizeOf(sizes), k => {
          const at = [...index];
          indexAt(sizes, k).forEach((i, axis) => { at[this.axes[axis]] = i; });
          return this.at(tree.of, at);
        });
      }
      default: {
        const [a, b] = [one(tree.left), one(tree.right)], {sign} = tree;
        const value = sign === '+' ? a.value + b.value : sign === '−' ? a.value - b.value : sign === '·' ? a.value * b.value : a.value / b.value;
        return of(value, a.pieces, ` ${sign} `, guarded(b));
      }
    }
  }

  /// The tree's value as a matrix, in row i and column j behind the leading indices: rows times columns.
  product(tree, index) {
    if (tree.type === 'binary' && tree.sign === '+') {
      const a = this.product(tree.left, index), b = this.at(tree.right, index);
      return {value: a.value + b.value, pieces: [...a.pieces, ' + ', ...guarded(b)]};
    }
    if (tree.type !== 'binary' || tree.sign !== '·') throw null;
    const lead = index.slice(0, -2), [i, j] = index.slice(-2);
    const left = this.matrix(tree.left, lead), right = this.matrix(tree.right, lead);
    if (left.columns !== right.rows || i >= left.rows || j >= right.columns) throw null;
    return total(left.columns, k => {
      const a = left.at(i, k), b = right.at(k, j);
      return {value: a.value * b.value, pieces: [...a.pieces, ' · ', ...guarded(b)]};
    }, false);
  }
  matrix(tree, lead) {
    const isTurned = tree.type === 'super' && tree.script === 'ᵀ', {name} = isTurned ? tree.of : tree, x = this.symbols[name];
    if (!x || x.shape.length < 2) throw null;
    const {shape} = x, last = shape[shape.length - 1], isFlat = lead.length === 0;  // then leading axes are rows, too
    const height = isFlat ? x.count / last : shape[shape.length - 2];
    const before = lead.slice(lead.length - (shape.length - 2)).map((i, axis) => shape[axis] === 1 ? 0 : i);
    const at = (i, j) => this.piece(name, x, isFlat ? indexAt(shape, i * last + j) : [...before, i, j]);
    return isTurned ? {rows: last, columns: height, at: (i, j) => at(j, i)} : {rows: height, columns: last, at};
  }

  /// Element by element; where the tensor was repeated over others, summed over its repetitions.
  shared(tree, index, shape) {
    const {full} = this, offset = full.length - shape.length;
    const free = full.map((size, axis) => axis < offset || shape[axis - offset] === 1 && size > 1 ? axis : -1).filter(axis => axis >= 0);
    const at = full.map((_, axis) => axis < offset ? 0 : index[axis - offset]);
    if (offset < 0) throw null;
    if (free.length === 0) return this.at(tree, at);
    const sizes = free.map(axis => full[axis]);
    return total(sizeOf(sizes), k => {
      indexAt(sizes, k).forEach((i, axis) => { at[free[axis]] = i; });
      return this.at(tree, at);
    }, false);
  }
}

/// What may stand behind a sign: with brackets around a number below 0 at its beginning.
function guarded({pieces}) {
  const [first, ...others] = pieces;
  if (first === '−') return ['(', ...pieces, ')'];
  return typeof first === 'object' && (first.value < 0 || Object.is(first.value, -0)) ? ['(', first, ')', ...others] : pieces;
}

/// The sum of so many terms, of which only the first are written.
function total(count, term, withBrackets = true) {
  const shown = 5, pieces = [], unseen = [];
  let value = 0;
  for (let k = 0; k < count; ++k) {
    const part = term(k);
    value += part.value;
    if (k < shown) pieces.push(...(k > 0 ? [' + ', ...guarded(part)] : part.pieces));
    else unseen.push(...part.pieces.filter(piece => typeof piece === 'object').map(piece => ({...piece, hidden: true})));
  }
  if (count > shown) pieces.push(' + …', ...unseen);
  return {value, pieces: withBrackets && count > 1 ? ['(', ...pieces, ')'] : pieces};
}

const agrees = (a, b) => a === b || Math.abs(a - b) <= 1e-3 * Math.abs(b) + 1e-12 || Number.isNaN(a) && Number.isNaN(b);

/// The tensors that a node's letters stand for, as far as all their numbers are known.
function symbolsOf(node) {
  const symbols = Object.create(null);
  const add = (name, place) => {
    const x = tensor(place);
    if (x && !x.sketch && numbersOf(x)) symbols[name] = x;
  };
  node.inputs.forEach((input, i) => add(node.operands[i], nodes[input].value));
  add('y', node.value);
  add('g', node.gradient);
  return symbols;
}

/// How the formula makes one element of a node's value, or of what it sends to an input: pieces of
/// text, or null where it does not say so. To be sure which kind of product is meant, other elements
/// are computed as well.
function writtenOut(node, input, index) {
  const isForward = input < 0, text = isForward ? node.formula : node.derivatives[input];
  const result = tensor(isForward ? node.value : node.sent[input]), tree = text ? parseFormula(text) : null;
  const values = tree && result && !result.sketch && numbersOf(result);
  if (!values || result.count === 0 || result.count > 6144) return null;
  const reading = new Reading(node, symbolsOf(node)), {shape} = result;
  const ways = [at => isForward ? reading.at(tree, reading.unreduced(at)) : reading.shared(tree, at, shape), at => reading.product(tree, at)];
  const samples = Math.min(result.count, 48);
  for (const way of ways) {
    try {
      let holds = true;
      for (let s = 0; holds && s < samples && (s < 4 || reading.reads < mostReads / 4); ++s) {
        const k = Math.floor(s * result.count / samples);
        holds = agrees(way(indexAt(shape, k)).value, values[k]);
      }
      const here = holds && way(index);
      if (here && agrees(here.value, values[elementAt(shape, index)])) return here.pieces;
    } catch (error) {
      if (error !== null) throw error;
    }
  }
  return null;
}
