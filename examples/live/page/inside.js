// --- what an op is made of, and what its rule is worth --------------------------------------------
let outside = [];  // for each op that was opened, the node and the place from which

/// Opens the current op into the ops that define it: they are the page's computation until closed.
async function openOp(n) {
  try {
    const answer = await ask({do: 'into', node: n});
    outside.push({node: n, name: titleOf(nodes[n]), place: position});
    position = 0;
    presentInside(answer);
  } catch (error) {
    complain(byId('inside_error'), error);
  }
}

async function closeOp() {
  const answer = await ask({do: 'out'}), {place} = outside.pop();
  presentInside(answer);
  go(place);
}

function presentInside(answer) {
  present(answer, true);
  expandUpTo(40);
  drawStructure();
  showTab('graph');
}

async function checkRules() {
  present(await ask({do: 'check'}));
}

/// Below a node's value: its op can be opened, the one that is open closed, and all rules be checked.
function insideButtons(node) {
  if (engineState !== 'ready') return null;
  const button = (id, text, onclick) => make('button', {id, onclick}, text), last = outside[outside.length - 1];
  return make('div', {class: 'fields'},
    node.kind === 'op' ? button('open_op', say('open_op'), () => openOp(node.number)) : null,
    last ? button('close_op', say('close_op', `${last.name} #${last.node}`), closeOp) : null,
    nodes.some(one => one.kind === 'op' && !one.verdict) ? button('check_rules', say('check_rules'), checkRules) : null,
    make('span', {id: 'inside_error'}));
}

panelParts.push(insideButtons);
