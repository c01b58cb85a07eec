// --- change and see: a value of the current node -------------------------------------------------
let wantedChange = null, isChanging = false;

/// Sets the value that was asked for last; while the engine computes, those between are skipped.
async function change(request) {
  // Where the first of a drag is skipped, the next one is the first.
  wantedChange = {...request, again: Boolean(request.again) && (wantedChange === null || wantedChange.again)};
  if (isChanging) return;
  isChanging = true;
  while (wantedChange !== null) {
    const next = wantedChange;
    wantedChange = null;
    try {
      present(await ask({do: 'set', ...next}));
    } catch (error) {
      complain(byId('change_error'), error);
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

/// A slider that redrawing replaces while it is dragged: what is dragged is the pointer, not the element.
/// Its range stays, too, as long as the same element is chosen.
let dragged = null, range = {of: '', reach: 0};
function reachOf(of, now) {
  const size = Number.isFinite(now) ? Math.abs(now) : 1;
  if (range.of !== of || size > range.reach) range = {of, reach: Math.max(2, 2 * size)};
  return range.reach;
}
document.addEventListener('pointerdown', event => {
  if (event.target.id !== 'change_slider' || event.button !== 0) return;
  const box = event.target.getBoundingClientRect(), thumb = 8;
  dragged = {from: box.left + thumb, width: box.width - 2 * thumb, slider: event.target};
});
document.addEventListener('pointermove', event => {
  const slider = byId('change_slider');
  if (!dragged || !slider || dragged.slider === slider) return;  // the browser's own slider moves
  const share = Math.min(1, Math.max(0, (event.clientX - dragged.from) / dragged.width));
  slider.valueAsNumber = Number(slider.min) + share * (slider.max - slider.min);
  slider.dispatchEvent(new Event('input'));
});
for (const type of ['pointerup', 'pointercancel']) document.addEventListener(type, () => { dragged = null; });

/// Under the value of a node: its chosen element, to type or to drag.
function changeFields(node, backward) {
  const x = tensor(node.value), values = x === null || x.sketch ? null : numbersOf(x);
  if (backward || engineState !== 'ready' || values === null || x.count === 0 || !x.dtype.startsWith('float')) return null;
  const index = chosenIn(node.number, 'y', x) || x.shape.map(() => 0), element = elementAt(x.shape, index), now = values[element];
  const reach = reachOf(`${chapter} ${node.number} ${element}`, now);
  const field = make('input', {id: 'change_number', type: 'text', inputmode: 'decimal', value: numberText(now, 7), 'aria-label': say('new_value')});
  const slider = make('input', {id: 'change_slider', type: 'range', min: -reach, max: reach, step: reach / 200, value: Number.isFinite(now) ? now : 0,
                                'aria-label': say('new_value')});
  const error = make('p', {id: 'change_error', class: 'from'});
  const set = (value, again = false) => change({node: node.number, element, value, again});
  const typed = () => {
    const value = readNumber(field.value);
    if (value === null) complain(error, new Error(say('not_a_number', field.value)));
    else set(value);
  };
  field.addEventListener('keydown', event => event.key === 'Enter' && typed());
  slider.addEventListener('input', () => {  // what one drag does, one undo takes back
    field.value = slider.value;
    set(Number(slider.value), dragged !== null && dragged.sets);
    if (dragged) dragged.sets = true;
  });
  slider.addEventListener('keydown', event => event.stopPropagation());
  return make('section', {class: 'change'},
    make('h3', {}, say('change_value', x.shape.length ? `[${index.join(', ')}]` : '')),
    make('div', {class: 'fields'}, field, make('button', {id: 'change_set', onclick: typed}, say('set_it')), slider), error);
}

panelParts.push(changeFields);
