// --- the list: the same parts ------------------------------------------------------------------
function drawList() {
  const view = byId('list');
  redraw(view, make('p', {class: 'note'}, say('list_note')), listOf('g0'));
  markList();
}

function listOf(part) {
  return make('ul', {}, ...groups[numberOf(part)].parts.map(part => {
    if (part[0] === 'n') {
      const node = nodes[numberOf(part)];
      return make('li', {}, make('button', {'data-part': part, onclick: () => select(node.number)},
                                 make('span', {class: 'number'}, `#${node.number}`), make('span', {}, titleOf(node)),
                                 signOf(node) ? make('span', {class: 'bad'}, signOf(node)) : null,
                                 make('span', {class: 'shape'}, shapeText(tensor(node.value)))));
    }
    const details = make('details', {'data-part': part, open: expanded.has(part) ? '' : false},
                         make('summary', {}, groupName(groups[numberOf(part)]), make('small', {}, say('nodes', members[numberOf(part)].length))));
    if (details.open) details.append(listOf(part));
    details.addEventListener('toggle', () => {
      if (details.open === expanded.has(part)) return;
      if (details.open) expanded.add(part);
      else expanded.delete(part);
      if (details.open && details.children.length === 1) details.append(listOf(part));
      drawGraph();
      markList();
    });
    return make('li', {}, details);
  }));
}

function markList() {
  const view = byId('list');
  for (const old of view.querySelectorAll('[aria-current]')) old.removeAttribute('aria-current');
  const part = boxOf(positions[position].node);
  const here = view.querySelector(part[0] === 'n' ? `[data-part=${part}]` : `[data-part=${part}] > summary`);
  if (!here) return;
  here.setAttribute('aria-current', 'step');
  keepInView(view, here);
}

function drawStructure() {
  drawGraph();
  drawList();
}

/// Expands the groups around a node, so that it is on the stage.
function reveal(n) {
  const closed = groupsAround('n' + n).filter(group => !expanded.has(group));
  if (closed.length === 0) return;
  closed.forEach(group => expanded.add(group));
  drawStructure();
}

/// Expands layers, the outer ones first, as long as no more than `most` boxes are on the stage; and
/// stacks of equal ones where they are asked for.
function expandUpTo(most, stacks = false) {
  const queue = ['g0'];
  let visible = groups[0].parts.length;
  expanded.clear();
  expanded.add('g0');
  while (queue.length > 0) {
    for (const part of groups[numberOf(queue.shift())].parts) {
      if (part[0] !== 'g') continue;
      const size = groups[numberOf(part)].parts.length;
      if (groups[numberOf(part)].is_stack && !stacks) continue;
      if (visible + size > most) continue;
      visible += size - 1;
      expanded.add(part);
      queue.push(part);
    }
  }
}
