// --- exercises -----------------------------------------------------------------------------------
let exercises = [], exercise = 0, solved = new Set(), typedAnswers = [], marks = [];

async function readExercises(text) {
  try {
    exercises = (await ask(text === undefined ? {do: 'exercises'} : {do: 'exercises', text})).exercises;
    [exercise, solved, typedAnswers, marks] = [0, new Set(), [], []];
    drawExercises();
  } catch (error) {
    complain(byId('exercise_answer'), error);
  }
}

async function markAnswer() {
  const number = exercise;
  try {
    marks[number] = await ask({do: 'mark', number, text: typedAnswers[number] || ''});
    if (marks[number].right) solved.add(number);
  } catch (error) {
    marks[number] = {error};
  }
  drawExercises();
  byId('exercise_text')?.focus({preventScroll: true});
}

/// As formulas are set in print; products of matrices stay as they are typed.
function printed(text) { return text.replace(/\*/g, '·').replace(/-/g, '−').replace(/\^([23])(?!\d)/g, (_, n) => ({2: '²', 3: '³'})[n]); }

/// Numbers, lists or rows as a small table.
function knownTable(name, values) {
  const rows = Array.isArray(values) ? Array.isArray(values[0]) ? values : [values] : [[values]];
  const table = make('table', {class: 'cells plain known', 'aria-label': name});
  for (const row of rows) table.insertRow().append(...row.map(v => make('td', {}, numberText(v === null ? NaN : v, 4))));
  return make('figure', {class: 'known'}, make('figcaption', {}, make('b', {}, name)), table);
}

function drawExercises() {
  const view = byId('exercises');
  if (tab !== 'exercises') return redraw(view);
  const file = make('input', {id: 'exercise_file', class: 'hidden', type: 'file', accept: '.txt,text/plain', 'aria-label': say('exercise_file')});
  file.addEventListener('change', async () => {
    const text = file.files[0] && await file.files[0].text();
    file.value = '';  // the same file again is a change, too
    if (text !== undefined) readExercises(text);
  });
  const open = make('label', {class: 'file'}, say('exercise_file'), file);
  if (exercises.length === 0) {
    redraw(view, make('h2', {}, say('exercises')), make('p', {id: 'exercise_answer'}), withoutEngine() || open);
    if (engineState === 'ready') readExercises();
    return;
  }
  const {title, task, hint, y, find, answer, known} = exercises[exercise], mark = marks[exercise];
  const to = number => { exercise = number; drawExercises(); byId(`exercise_${number}`).focus({preventScroll: true}); };
  const field = make('input', {id: 'exercise_text', type: 'text', value: typedAnswers[exercise] || '', spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off', 'aria-label': `dL/d${find}`});
  field.addEventListener('input', () => { typedAnswers[exercise] = field.value; });
  field.addEventListener('keydown', event => event.key === 'Enter' && markAnswer());
  const verdict = !mark ? [] : mark.error ? [make('p', {class: 'bad', role: 'alert'}, mark.error.message)]
    : mark.right ? [make('p', {class: 'verdict agrees'}, make('span', {class: 'sign', 'aria-hidden': 'true'}, '✓'), make('b', {}, say('is_right'))),
       exercises[exercise + 1] ? make('button', {id: 'exercise_next', onclick: () => { to(exercise + 1); byId('exercise_text').focus(); }}, say('next_exercise')) : '']
    : [make('p', {class: 'verdict disagrees'}, make('span', {class: 'sign', 'aria-hidden': 'true'}, '✗'), make('b', {}, mark.hint[language])),
       make('div', {class: 'beside'}, knownTable(say('yours'), mark.given), knownTable(say('by_differences'), mark.wanted))];
  redraw(view, make('h2', {}, say('exercises'), ' ', make('small', {}, say('solved', solved.size, exercises.length))),
    make('ol', {class: 'exercise_list'}, ...exercises.map((one, i) => make('li', {}, make('button', {id: `exercise_${i}`, 'aria-current': i === exercise ? 'true' : false,
      onclick: () => to(i)}, solved.has(i) ? '✓ ' : '', one.title[language])))),
    make('h3', {}, `${exercise + 1}. ${title[language]}`), make('p', {}, task[language]),
    make('div', {class: 'formula'}, formulaLine('y', printed(y), null, false)),
    make('div', {class: 'beside'}, ...Object.entries(known).map(([name, values]) => knownTable(name === 'g' ? 'g = dL/dy' : name, values))),
    make('div', {class: 'fields'}, make('span', {class: 'mono'}, `dL/d${find} =`), field, make('button', {id: 'exercise_check', class: 'main', onclick: markAnswer}, say('check_answer'))),
    make('p', {class: 'note'}, say('exercise_help')), make('div', {id: 'exercise_answer', role: 'status'}, ...verdict),
    make('details', {}, make('summary', {}, say('hint')), make('p', {}, hint[language])),
    make('details', {}, make('summary', {}, say('solution')), make('p', {class: 'mono'}, `dL/d${find} = ${answer}`)),
    open);
}
