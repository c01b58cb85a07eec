// --- formulas: what they are made of, and how they are set ----------------------------------------
const superscripts = new Map([['ᵀ', 'T'], ['²', '2'], ['³', '3'], ['⁻¹', '−1'], ['ˣ', 'x'], ['′', '′']]);
const mostTokens = 500, deepest = 40;  // of a formula that is set and computed; longer ones stay text
const prefixes = new Set(['log', 'max', 'min']);  // "log x" without brackets

/// A tree of {type, …}, or null where the text is not (only) a formula: "x in another shape".
function parseFormula(text) {
  const tokens = text.match(/\s+|\d+(\.\d+)?(e[+-]?\d+)?|Σ|⁻¹|(?!Σ)[\p{Ll}\p{Lu}][\p{Ll}\p{Lu}\d_]*|./gu).filter(token => token.trim());
  if (tokens.length > mostTokens) return null;
  let at = 0, depth = 0;
  const next = token => tokens[at] === token && ++at > 0;
  const need = token => { if (!next(token)) throw null; };
  const expression = () => {
    let left = term();
    while (tokens[at] === '+' || tokens[at] === '−') left = {type: 'binary', sign: tokens[at++], left, right: term()};
    return left;
  };
  const term = () => {
    let left = factor();
    while (tokens[at] === '·' || tokens[at] === '/') left = {type: 'binary', sign: tokens[at++], left, right: factor()};
    return left;
  };
  const factor = () => {
    if (++depth > deepest) throw null;
    const result = signed();
    --depth;
    return result;
  };
  const signed = () => {
    if (next('−')) return {type: 'minus', of: factor()};
    if (next('Σ')) return {type: 'sum', of: term()};
    let base = atom();
    while (superscripts.has(tokens[at])) base = {type: 'super', of: base, script: tokens[at++]};
    return next('^') ? {type: 'power', left: base, right: factor()} : base;
  };
  const between = (type, end) => {
    const of = expression();
    need(end);
    return {type, of};
  };
  const atom = () => {
    const token = tokens[at++];
    if (token === undefined) throw null;
    if (/^\d/.test(token)) return {type: 'number', value: Number(token), text: token};
    if (token === '(') return between('brackets', ')');
    if (token === '|') return between('abs', '|');
    if (token === '⌊') return between('floor', '⌋');
    if (token === '⌈') return between('ceil', '⌉');
    if (token === '√') return {type: 'root', of: next('(') ? between('root', ')').of : atom()};
    if (token === '[') {
      const left = expression(), sign = tokens[at++];
      if (!['=', '>', '≥', '<', '≤', '≠'].includes(sign)) throw null;
      const right = expression();
      need(']');
      return {type: 'compare', sign, left, right};
    }
    if (!/^[\p{Ll}\p{Lu}]/u.test(token)) throw null;
    if (next('(')) {
      const of = [expression()];
      while (next(',')) of.push(expression());
      need(')');
      return {type: 'call', name: token, of};
    }
    if (prefixes.has(token)) return {type: 'prefix', name: token, of: [factor()]};
    return {type: 'symbol', name: token};
  };
  try {
    const tree = expression();
    return at === tokens.length ? tree : null;
  } catch (error) {
    if (error !== null) throw error;
    return null;
  }
}

function mathElement(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/1998/Math/MathML', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const mo = (sign, attributes = {}) => mathElement('mo', attributes, sign);
const row = (...children) => mathElement('mrow', {}, ...children);
const isSmall = tree => ['number', 'symbol', 'super', 'call', 'root', 'abs', 'prefix'].includes(tree.type) || tree.type === 'sum' && isSmall(tree.of);

/// Fractions stand on two lines where both parts are short. `symbol(name)` sets a letter.
function mathOf(tree, symbol) {
  const set = part => mathOf(part, symbol), fence = {stretchy: 'false'};
  const withoutBrackets = part => set(part.type === 'brackets' ? part.of : part);
  const around = (left, part, right) => row(mo(left, fence), set(part), mo(right, fence));
  switch (tree.type) {
    case 'number': return mathElement('mn', {}, tree.text);
    case 'symbol': return symbol(tree.name);
    case 'minus': return row(mo('−', {form: 'prefix'}), set(tree.of));
    case 'sum': return row(mo('∑', {largeop: 'false', rspace: '0.2em'}), set(tree.of));
    case 'brackets': return around('(', tree.of, ')');
    case 'abs': return around('|', tree.of, '|');
    case 'floor': return around('⌊', tree.of, '⌋');
    case 'ceil': return around('⌈', tree.of, '⌉');
    case 'root': return mathElement('msqrt', {}, set(tree.of));
    case 'compare': return row(mo('[', fence), set(tree.left), mo(tree.sign), set(tree.right), mo(']', fence));
    case 'super': return mathElement('msup', {}, set(tree.of), tree.script === 'ᵀ' ? mathElement('mi', {mathvariant: 'normal'}, 'T')
      : tree.script === 'ˣ' ? symbol('x') : mathElement('mn', {}, superscripts.get(tree.script)));
    case 'power': return mathElement('msup', {}, set(tree.left), withoutBrackets(tree.right));
    case 'prefix': return row(mathElement('mi', {}, tree.name), mo('\u2061'), set(tree.of[0]));
    case 'call': {
      const [first, ...others] = tree.of.map(set);
      return row(mathElement('mi', {}, tree.name), mo('\u2061'), mo('(', fence), first, ...others.flatMap(part => [mo(','), part]), mo(')', fence));
    }
    default:
      if (tree.sign === '/' && isSmall(tree.left) && (isSmall(tree.right) || tree.right.type === 'brackets' && isSmall(tree.right.of)))
        return mathElement('mfrac', {}, set(tree.left), withoutBrackets(tree.right));
      return row(set(tree.left), mo(tree.sign), set(tree.right));
  }
}

/// Browsers do not break a formula into lines: each term or factor is one of its own.
function lineOf(left, tree, symbol) {
  const parts = [];
  const add = (before, part) => {
    if (part.type === 'binary' && part.sign !== '/') {
      add(before, part.left);
      add([mo(part.sign, {form: 'infix', lspace: '0', rspace: '0.22em'})], part.right);
    } else {
      parts.push(mathElement('math', {}, row(...before, mathOf(part, symbol))));
    }
  };
  add([left, mo('=')], tree);
  return parts.flatMap((part, i) => i > 0 ? [' ', part] : [part]);
}

/// "y = a · b" as a line, in which each letter is linked with its tensor.
function formulaLine(head, text, node, isLinked = true) {
  const isOperand = name => isLinked && (node.operands.includes(name) || name === 'y' || name === 'g');
  const letter = (make, name) => isOperand(name) ? make({'data-link': name, tabindex: 0}, name) : make({}, name);
  const symbol = name => letter((attributes, text) => mathElement('mi', attributes, text), name);
  const tree = parseFormula(text);
  if (tree === null)
    return make('p', {'data-formula': `${head} = ${text}`}, ...`${head} = ${text}`.split(/(?<![\p{Lu}\p{Ll}\d_])([a-z])(?![\p{Lu}\p{Ll}\d_(])/u)
      .map((piece, i) => i % 2 ? letter((attributes, name) => make('i', attributes, name), piece) : piece));
  const left = head.startsWith('dL/d') ? row(mathElement('mi', {mathvariant: 'normal'}, 'dL/d'), symbol(head.slice(4))) : symbol(head);
  return make('p', {'data-formula': `${head} = ${text}`}, ...lineOf(left, tree, symbol));
}
