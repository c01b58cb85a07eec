// --- search -------------------------------------------------------------------------------------
let results = [], chosenResult = 0;

function search() {
  const text = byId('search').value.trim().toLowerCase();
  const list = byId('results');
  const hide = text === '';
  list.hidden = hide;
  byId('search').setAttribute('aria-expanded', String(!hide));
  if (hide) return;
  results = nodes.filter(node => [`#${node.number}`, node.op, node.name, node.path, node.time >= 0 ? `t = ${node.time}` : '',
    node.formula, ...node.source.map(line => `${line[0]}:${line[1]} ${line[2]}`)].some(part => part.toLowerCase().includes(text)));
  const exact = results.findIndex(node => `#${node.number}` === text);
  if (exact > 0) results.unshift(...results.splice(exact, 1));
  const shown = results.slice(0, 40);
  chosenResult = 0;
  const count = results.length > shown.length ? say('found_first', results.length, shown.length) : say('found', results.length);
  list.replaceChildren(...shown.map((node, i) => make('li', {role: 'option', id: `result_${i}`, onclick: () => take(i)},
    make('span', {class: 'number'}, `#${node.number}`), make('span', {}, titleOf(node)),
    make('span', {class: 'where'}, node.path + (node.time >= 0 ? ` t = ${node.time}` : '')))),
    make('li', {class: 'count', role: 'none'}, count));
  byId('live').textContent = count;
  markResult();
}

function markResult() {
  const items = byId('results').querySelectorAll('[role="option"]');
  items.forEach((item, i) => item.setAttribute('aria-selected', String(i === chosenResult)));
  if (items[chosenResult]) {
    items[chosenResult].scrollIntoView({block: 'nearest'});
    byId('search').setAttribute('aria-activedescendant', `result_${chosenResult}`);
  }
}

function take(i) {
  if (!results[i]) return;
  byId('results').hidden = true;
  byId('search').setAttribute('aria-expanded', 'false');
  select(results[i].number);
  byId('panel').querySelector('h2').focus({preventScroll: true});
}

function onSearchKey(event) {
  const shown = Math.min(results.length, 40);
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    event.preventDefault();
    chosenResult = Math.min(shown - 1, Math.max(0, chosenResult + (event.key === 'ArrowDown' ? 1 : -1)));
    markResult();
  } else if (event.key === 'Enter') {
    take(chosenResult);
  } else if (event.key === 'Escape') {
    byId('search').value = '';
    search();
  }
}
