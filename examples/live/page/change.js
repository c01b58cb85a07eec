// --- change and see: a value of the current node -------------------------------------------------
let wantedChange = null, isChanging = false;

/// Sets the value that was asked for last; while the engine computes, those between are skipped.
async function change(request) {
  wantedChange = request;
  if (isChanging) return;
  isChanging = true;
  while (wantedChange !== null) {
    const next = wantedChange;
    wantedChange = null;
    try {
      present(await ask({do: 'set', ...next}));
    } catch (error) {
      if (byId('change_error')) complain(byId('change_error'), error);
    }
  }
  isChanging = false;
}

/// "0.5", "−2", "nan", "inf", as they are typed; null where it is no number.
function readNumber(text) {
  const plain = text.trim().toLowerCase().replace(/−/g, '-').replace('∞', 'inf');
  if (['nan', 'inf', '-inf'].includes(plain)) return plain;
  return plain !== '' && Number.isFinite(Number(plain)) ? Number(plain) : null;
}

/// Under the value of a node: its chosen element, to type or to drag.
function changeFields(node, backward) {
  const x = tensor(node.value), values = x === null || x.sketch ? null : numbersOf(x);
  if (backward || engineState !== 'ready' || values === null || x.count === 0 || !x.dtype.startsWith('float')) return null;
  const index = chosenIn(node.number, 'y', x) || x.shape.map(() => 0), element = elementAt(x.shape, index), now = values[element];
  const reach = Math.max(2, 2 * Math.abs(Number.isFinite(now) ? now : 1));
  const field = make('input', {id: 'change_number', type: 'text', inputmode: 'decimal', value: numberText(now, 7), 'aria-label': say('new_value')});
  const slider = make('input', {id: 'change_slider', type: 'range', min: -reach, max: reach, step: reach / 200, value: Number.isFinite(now) ? now : 0,
                                'aria-label': say('new_value')});
  const error = make('p', {id: 'change_error', class: 'from'});
  const set = value => change({node: node.number, element, value});
  const typed = () => {
    const value = readNumber(field.value);
    if (value === null) complain(error, new Error(say('not_a_number', field.value)));
    else set(value);
  };
  field.addEventListener('keydown', event => event.key === 'Enter' && typed());
  slider.addEventListener('input', () => { field.value = slider.value; set(Number(slider.value)); });
  slider.addEventListener('keydown', event => event.stopPropagation());
  return make('section', {class: 'change'},
    make('h3', {}, say('change_value', x.shape.length ? `[${index.join(', ')}]` : '')),
    make('div', {class: 'fields'}, field, slider, make('button', {id: 'change_set', onclick: typed}, say('set_it'))), error);
}

panelParts.push(changeFields);
