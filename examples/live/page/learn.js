// --- watch it learn ------------------------------------------------------------------------------
let runs = [];  // {options, steps: [[loss, gradient norm, weight norms]], kept, names}
let isLearning = false, chosenStep = [0, 0];  // run, step
let trainingOptions = {optimizer: 'SGD', rate: 0.1, clip: 0, seed: 0};

function forgetTraining() { isLearning = false; runs = []; chosenStep = [0, 0]; }

function readTrainingForm() {
  const number = id => Math.max(0, Number(byId(id).value) || 0);
  trainingOptions = {optimizer: byId('optimizer').value, rate: number('rate'), clip: number('clip'), seed: Math.round(number('seed'))};
}

/// `steps` more of the last run, or of a new one.
async function learn(steps, isNew) {
  if (isLearning) { isLearning = false; return; }
  readTrainingForm();
  isLearning = true;
  let left = steps, starts = isNew || runs.length === 0;
  try {
    do {
      const answer = await ask({do: 'train', steps: Math.min(left, 100), milliseconds: 60, new: starts, ...trainingOptions});
      if (starts) runs.push({options: trainingOptions, steps: []});
      starts = false;
      const run = runs[answer.run];
      run.steps.splice(answer.from, Infinity, ...answer.steps);
      Object.assign(run, {kept: answer.kept, names: answer.names});
      left -= Math.max(1, answer.steps.length - (answer.from === 0 ? 1 : 0));
      chosenStep = [answer.run, run.steps.length - 1];
      drawTraining();
      if (answer.stopped) { byId('training_error').textContent = say('training_stopped'); break; }
    } while (isLearning && left > 0);
  } catch (error) {
    complain(byId('training_error'), error);
  }
  isLearning = false;
  drawTraining();
}

/// The nearest step of a run that was kept.
function keptStep(run, step) {
  let at = Math.min(run.steps.length - 1, Math.max(0, Math.round(step)));
  while (at > 0 && !run.kept[at]) --at;
  return at;
}

async function openStep(beside) {
  const [run, step] = chosenStep, other = runs.length - 1 === run ? run - 1 : runs.length - 1;
  const request = {do: 'show', run, step: keptStep(runs[run], step)};
  if (beside) request.beside = [other, keptStep(runs[other], step)];
  try {
    present(await ask(request));
    if (beside) { tab = 'differences'; drawAll(); }
    byId('training_error').textContent = say('step_is_shown', request.step);
  } catch (error) {
    complain(byId('training_error'), error);
  }
}

function runName(run, i) {
  const {optimizer, rate, clip, seed} = run.options;
  return `${i + 1}: ${optimizer} ${rate}${clip ? `, ${say('clip')} ${clip}` : ''}${seed ? `, ${say('seed')} ${seed}` : ''}`;
}

function drawTraining() {
  const view = byId('training');
  if (tab !== 'training') return redraw(view);
  if (byId('learn_100')) readTrainingForm();
  const message = byId('training_error') ? [...byId('training_error').childNodes] : [];
  const isReady = engineState === 'ready', o = trainingOptions;
  const field = (id, value, step) => make('label', {}, say(id), ' ', make('input', {id, type: 'number', min: 0, step, value}));
  const button = (id, text, onclick, isOff = false) => make('button', {id, onclick, disabled: isReady && !isOff ? false : ''}, text);
  const parts = [make('h2', {}, say('training_title')), make('p', {class: 'note'}, say('training_hint')),
    make('div', {class: 'fields'}, make('label', {}, say('optimizer'), ' ', make('select', {id: 'optimizer'},
      ...['SGD', 'momentum', 'RMSprop', 'Adam'].map(name => make('option', {selected: name === o.optimizer ? '' : false}, name)))),
      field('rate', o.rate, 'any'), field('clip', o.clip, 'any'), field('seed', o.seed, 1)),
    make('div', {class: 'fields'}, button('learn_1', say('learn', 1), () => learn(1)), button('learn_100', say('learn', 100), () => learn(100)),
      button('learn_on', say(isLearning ? 'stop' : 'learn_on'), () => learn(1e9)), button('learn_new', say('new_run'), () => learn(100, true), isLearning || runs.length >= 8)),
    make('p', {id: 'training_error', role: 'status'}, ...message)];
  if (runs.length > 0) {
    const lines = k => runs.map((run, i) => ({name: runName(run, i), x: run.steps.map((_, n) => n), y: run.steps.map(step => step[k] === null ? NaN : step[k])}));
    const [r, s] = chosenStep, run = runs[r], pick = x => { chosenStep = [r, Math.min(run.steps.length - 1, Math.max(0, Math.round(x)))]; drawTraining(); };
    const slider = make('input', {id: 'timeline', type: 'range', min: 0, max: run.steps.length - 1, step: 1, value: s, 'aria-label': say('timeline')});
    slider.addEventListener('input', () => pick(Number(slider.value)));
    slider.addEventListener('keydown', event => event.stopPropagation());
    const [loss, gradient, weights] = run.steps[s];
    parts.push(make('h3', {}, say('loss')), plot(lines(0), {label: say('loss'), at: s, pick}),
      make('h3', {}, say('gradient_norm')), plot(lines(1), {label: say('gradient_norm'), log: true, at: s, pick, height: 150}),
      make('div', {class: 'fields'}, runs.length > 1 ? make('select', {id: 'run', 'aria-label': say('run'), onchange: event => { chosenStep = [Number(event.target.value), keptStep(runs[event.target.value], s)]; drawTraining(); }},
        ...runs.map((one, i) => make('option', {value: i, selected: i === r ? '' : false}, runName(one, i)))) : null, slider),
      make('p', {class: 'mono', id: 'step_text'}, `${say('step')} ${s}: ${say('loss')} ${numberText(loss === null ? NaN : loss, 6)}, ${say('gradient_norm')} ${numberText(gradient === null ? NaN : gradient, 4)}`),
      make('ul', {class: 'norms'}, ...run.names.map((name, i) => make('li', {}, `${name}: ‖w‖ = ${numberText(weights[i] === null ? NaN : weights[i], 4)}`))),
      make('div', {class: 'fields'}, button('open_step', say('open_step'), () => openStep(false), isLearning),
        runs.length > 1 ? button('compare_step', say('compare_step'), () => openStep(true), isLearning) : null));
  }
  redraw(view, ...parts);
}
