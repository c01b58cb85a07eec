// --- the whole model on one screen ----------------------------------------------------------------
// trace.checkup: where gradients vanish, explode, break off or are wrong.
function drawDoctor() {
  if (tab !== 'doctor') return;
  const {checkup} = trace, {breaks, dead_ends, unreached, wrong} = checkup;
  const counts = [say('rules_agree', checkup.agree), checkup.not_finite ? say('rules_not_finite', checkup.not_finite) : '',
                  checkup.unchecked ? say('rules_unchecked', checkup.unchecked) : ''].filter(text => text).join(say('comma'));
  redraw(byId('doctor'),
    make('ul', {class: 'findings'},
         findingOf(breaks, say('breaks'), say('breaks_none'), say('breaks_some')),
         findingOf(dead_ends, say('dead_ends'), say('dead_ends_none'), say('dead_ends_some')),
         findingOf(unreached, say('unreached'), say('unreached_none'), say('unreached_some')),
         findingOf(wrong, say('rules'), counts, `${say('rules_wrong')} (${counts})`, checkup.agree > 0)),
    make('h2', {}, say('norms')), ...normsOf(checkup.layers));
}

function findingOf(found, name, sound, what, isKnown = true) {
  const most = 30, isSound = found.length === 0;
  const item = ({node: n, backward}) => make('li', {}, placeButton(n, backward, `${titleOf(nodes[n])} #${n}`),
    make('span', {class: 'where'}, [nodes[n].path, nodes[n].time >= 0 ? `t = ${nodes[n].time}` : '', say(backward ? 'backward' : 'forward')].filter(text => text).join(say('comma'))));
  return make('li', {class: isSound ? 'finding' : 'finding unsound'},
              make('span', {class: 'sign', role: 'img', 'aria-label': say(!isSound ? 'unsound' : isKnown ? 'sound' : 'unknown')}, !isSound ? '✗' : isKnown ? '✓' : '?'),
              make('b', {}, name), make('span', {}, isSound ? sound : what),
              isSound ? null : make('ul', {}, ...found.slice(0, most).map(item), found.length > most ? make('li', {}, say('more', found.length - most)) : null));
}

function placeButton(n, backward, ...content) {
  return make('button', {class: 'link', onclick: () => {
    reveal(n);
    go(backward && backwardPosition.has(n) ? backwardPosition.get(n) : n);
  }}, ...content);
}

/// A layer per row, a time step per column; what is outside of time stands in the first one.
function normsOf(layers) {
  const norm = n => [tensor(nodes[n].gradient).norm, Infinity, NaN][worst(nodes[n].gradient)];
  const rows = layers.map(({layer, nodes}) => ({layer, cells: new Map(nodes.map(([time, n]) => [time, {n, norm: norm(n)}]))}));
  const times = [...new Set(rows.flatMap(row => [...row.cells.keys()]))].sort((a, b) => a - b);
  const finite = rows.flatMap(row => [...row.cells.values()]).map(cell => Math.log(cell.norm)).filter(Number.isFinite);
  if (times.length === 0) return [make('p', {class: 'note'}, say('norms_none'))];
  const least = Math.min(...finite), most = Math.max(...finite);
  const cellOf = cell => {
    if (!cell) return make('td');
    const at = cell.norm === 0 ? 0 : !Number.isFinite(cell.norm) ? NaN : most > least ? 0.06 + 0.94 * (Math.log(cell.norm) - least) / (most - least) : 1;
    const colour = shade(at, 0, 1), button = placeButton(cell.n, true, cell.norm === 0 ? '0' : numberText(cell.norm, 2));
    button.style.background = css(colour);
    button.style.color = inkOn(colour);
    button.title = `${titleOf(nodes[cell.n])} #${cell.n}: ${numberText(cell.norm)}`;
    return make('td', {}, button);
  };
  return [make('p', {class: 'note'}, finite.length > 0 ? say('norms_note', numberText(Math.exp(least), 3), numberText(Math.exp(most), 3)) : ''),
          make('div', {class: 'scroll norms', tabindex: 0}, make('table', {},
            make('thead', {}, make('tr', {}, make('td'), ...times.map(time => make('th', {scope: 'col'}, time < 0 ? '' : `t = ${time}`)))),
            make('tbody', {}, ...rows.map(({layer, cells}) => make('tr', {}, make('th', {scope: 'row'}, layer || say('no_layer')), ...times.map(time => cellOf(cells.get(time)))))))),
         ];
}
