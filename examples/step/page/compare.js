// --- beside another trace -----------------------------------------------------------------------
// trace.other: the nodes of the other trace, for each node of this one its counterpart there or −1,
// and what differs, first difference first.
function counterpart(n) { const {other} = trace; return other && other.pairs[n] >= 0 ? other.nodes[other.pairs[n]] : null; }
function indexIn(shape, element) { return `[${indexAt(shape, element).join(', ')}]`; }

/// This trace's tensor and the other one's side by side, or a word that they are the same.
function besideOther(n, which, figure) {
  const {other} = trace;
  if (!other) return [figure];
  const there = counterpart(n);
  if (!there) return [figure, make('p', {class: 'same'}, say('only_here'))];
  if (there[which] === nodes[n][which]) return [figure, make('p', {class: 'same'}, '= ', say('same'))];
  if (there[which] === null) return [figure, make('p', {class: 'same'}, say('none_there'))];
  const difference = other.differences.find(d => d.a === n && d.what === which);
  return [make('div', {class: 'pair'}, figure, tensorFigure(there[which], {what: say('there')})),
          difference ? make('p', {class: 'same'}, amountOf(difference)) : null];
}

function amountOf(difference) {
  if (difference.what !== 'value' && difference.what !== 'gradient') return '';
  const shape = tensor(nodes[difference.a].value).shape;
  return say('at_most', difference.largest === null ? '∞' : numberText(difference.largest, 3),
             difference.element >= 0 && shape.length > 0 ? indexIn(shape, difference.element) : '');
}

function drawDifferences() {
  const {other} = trace;
  if (!other || tab !== 'differences') return;
  const most = 1000;
  const rows = other.differences.slice(0, most).map((difference, i) => {
    const {what, a, b} = difference;
    const name = a >= 0 ? `${titleOf(nodes[a])} #${a}` : other.nodes[b].description;
    const go_there = () => {
      reveal(a);
      go(what === 'gradient' && backwardPosition.has(a) ? backwardPosition.get(a) : a);
    };
    return make('tr', {}, make('td', {class: 'number'}, String(i + 1)),
                make('td', {}, a >= 0 ? make('button', {class: 'link', onclick: go_there}, name) : name),
                make('td', {}, say(`differs_${what}`)), make('td', {}, amountOf(difference)),
                make('td', {class: 'where'}, a >= 0 ? nodes[a].path + (nodes[a].time >= 0 ? ` t = ${nodes[a].time}` : '') : ''));
  });
  const left = other.differences.length - rows.length;
  redraw(byId('differences'), make('p', {class: 'note'}, say('differences_note', other.differences.length)),
                                      make('table', {class: 'differences'}, make('tbody', {}, ...rows)),
                                      left > 0 ? make('p', {class: 'note'}, say('more', left)) : '');
}
