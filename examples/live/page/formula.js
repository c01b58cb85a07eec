// --- type a formula ------------------------------------------------------------------------------
let typedFormula = 'x * sigmoid(x)', describedFormula = null, replaceable = [], putNote = () => '';

async function readOps() {
  replaceable = (await ask({do: 'ops'})).ops;
  drawFormulaTab();
}

async function describeFormula() {
  try {
    describedFormula = await ask({do: 'formula', text: typedFormula});
  } catch (error) {
    describedFormula = {error};
  }
  drawFormulaAnswer();
}

function drawFormulaAnswer() {
  if (!byId('formula_answer') || !describedFormula) return;
  if (describedFormula.error) return complain(byId('formula_answer'), describedFormula.error);
  const {formula, derivative, verdict, plot: {x, y, slope}} = describedFormula;
  byId('formula_answer').replaceChildren(
    make('div', {class: 'formula', tabindex: 0, role: 'group', 'aria-label': say('formula')}, ...[['y', formula], ['dL/dx', derivative]].map(([head, text]) => formulaLine(head, text, null, false))),
    make('p', {class: `verdict ${verdict}`}, make('span', {class: 'sign', 'aria-hidden': 'true'}, {agrees: '✓', disagrees: '✗', unknown: '?', 'not finite': '∞'}[verdict]),
         make('b', {}, say(verdict))),
    plot([{name: 'y', x, y}, {name: 'dy/dx', x, y: slope}], {label: formula, width: 640, height: 240}));
}

async function putFormula() {
  try {
    const answer = await ask({do: 'put', text: typedFormula, instead_of: byId('instead_of').value});
    putNote = () => say('was_put', answer.count);
    present(answer);
    await readOps();
  } catch (error) {
    complain(byId('put_answer'), error);
  }
}

function drawFormulaTab() {
  const view = byId('formula');
  if (tab !== 'formula') return redraw(view);
  const isReady = engineState === 'ready';
  const field = make('input', {id: 'formula_text', type: 'text', value: typedFormula, spellcheck: 'false', autocomplete: 'off', 'aria-label': say('formula'), 'aria-describedby': 'formula_hint'});
  field.addEventListener('input', () => { typedFormula = field.value; });
  field.addEventListener('keydown', event => event.key === 'Enter' && isReady && describeFormula());
  const chosen = byId('instead_of') && byId('instead_of').value;
  redraw(view,
    make('h2', {}, say('formula_title')), make('p', {class: 'note', id: 'formula_hint'}, say('formula_hint')), withoutEngine(),
    make('div', {class: 'fields'}, make('span', {class: 'mono'}, 'y ='), field, make('button', {id: 'formula_go', class: 'main', disabled: isReady ? false : '', onclick: describeFormula}, say('differentiate'))),
    make('div', {id: 'formula_answer', role: 'status'}),
    replaceable.length > 0 ? make('div', {class: 'fields'}, make('label', {}, say('in_place_of'), ' ',
      make('select', {id: 'instead_of'}, ...replaceable.map(op => make('option', {value: op, selected: op === chosen ? '' : false}, op)))),
      make('button', {id: 'formula_put', disabled: isReady ? false : '', onclick: putFormula}, say('put_it'))) : make('p', {class: 'note'}, say('nothing_to_replace')),
    make('p', {id: 'put_answer', role: 'status'}, changes > 0 ? putNote() : ''));
  drawFormulaAnswer();
}
