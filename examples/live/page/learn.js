// --- watch it learn ------------------------------------------------------------------------------
let runs = [];  // {options, steps: [[loss, gradient norm, weight norms]], kept, names}
let isLearning = false, chosenStep = [0, 0];  // run, step
let trainingOptions = {optimizer: 'SGD', rate: 0.1, clip: 0, seed: 0};
let trainingNote = () => '';  // an element or a text, in the reader's language

function forgetTraining() { isLearning = false; runs = []; chosenStep = [0, 0]; trainingNote = () => ''; }

/// Throws Error for what is no number of 0 or more.
function readTrainingForm() {
  const number = id => {
    const value = readNumber(byId(id).value);
    if (!(value >= 0)) throw new Error(say('not_positive', say(id), byId(id).value));
    return value;
  };
  trainingOptions = {optimizer: byId('optimizer').value, rate: number('rate'), clip: number('clip'), seed: Math.round(number('seed'))};
}

function trainingComplains(error) { trainingNote = () => make('span', {class: 'bad', role: 'alert'}, error.message); }

/// `steps` more of the last run; of a new one where that is asked for, or with other options. In
/// slices of a few frames, so that the page draws, and can stop it.
async function learn(steps, isNew = false) {
  if (isLearning) { isLearning = false; return; }
  try {
    readTrainingForm();
    await leaveStep();
  } catch (error) {
    trainingComplains(error);
    return drawTraining();
  }
  isLearning = true;
  trainingNote = () => '';
  const mine = runs, last = runs[runs.length - 1];
  let left = steps, starts = isNew || !last || JSON.stringify(last.options) !== JSON.stringify(trainingOptions);
  try {
    do {
      const answer = await ask({do: 'train', steps: Math.min(left, 100), milliseconds: 40, new: starts, ...trainingOptions});
      if (runs !== mine) return;  // another lesson was opened
      if (starts) runs.push({options: trainingOptions, steps: []});
      starts = false;
      const run = runs[answer.run];
      run.steps.splice(answer.from, Infinity, ...answer.steps);
      Object.assign(run, {kept: answer.kept, names: answer.names});
      left -= Math.max(1, answer.steps.length - (answer.from === 0 ? 1 : 0));
      chosenStep = [answer.run, run.steps.length - 1];
      drawTraining();
      if (answer.stopped) { trainingNote = () => say('training_stopped'); break; }
      await new Promise(requestAnimationFrame);
    } while (isLearning && left > 0 && runs === mine);
  } catch (error) {
    trainingComplains(error);
  }
  if (runs !== mine) return;
  isLearning = false;
  if (runs.length > 0) chooseStep(...chosenStep);
  else drawTraining();
}

/// The nearest step of a run that was kept.
function keptStep(run, step) {
  let at = Math.min(run.steps.length - 1, Math.max(0, Math.round(step)));
  while (at > 0 && !run.kept[at]) --at;
  return at;
}

/// A step that only was looked at is no change: what comes next starts from before it.
async function leaveStep() {
  if (!isStepShown) return;
  isStepShown = false;
  changes = (await ask({do: 'undo'})).left;
}

/// The page follows the timeline; while the engine computes, the steps between are skipped.
let isFollowing = false;
async function followStep(beside = null) {
  if (isFollowing) return;
  isFollowing = true;
  const mine = runs;
  try {
    for (let shown = null; runs === mine && !isLearning && shown !== chosenStep;) {
      shown = chosenStep;
      const [run, step] = shown;
      await leaveStep();
      const answer = await ask({do: 'show', run, step: keptStep(runs[run], step), ...(beside ? {beside} : {})});
      if (runs !== mine) break;
      present(answer);
      isStepShown = true;
    }
  } catch (error) {
    trainingComplains(error);
    drawTraining();
  }
  isFollowing = false;
}

function chooseStep(run, step) {
  chosenStep = [run, keptStep(runs[run], step)];
  drawTraining();
  if (!isLearning) followStep();
}

/// The chosen step, and where the other run was then.
async function compareRuns() {
  const [run, step] = chosenStep, other = runs.length - 1 === run ? run - 1 : runs.length - 1;
  while (isFollowing) await new Promise(requestAnimationFrame);
  await followStep([other, keptStep(runs[other], step)]);
  if (trace.other) showTab('differences');
}

function runName(run, i) {
  const {optimizer, rate, clip, seed} = run.options;
  return `${i + 1}: ${optimizer} ${rate}${clip ? `, ${say('clip')} ${clip}` : ''}${seed ? `, ${say('seed')} ${seed}` : ''}`;
}

function orNan(number) { return number === null ? NaN : number; }

function drawTraining() {
  const view = byId('training');
  if (tab !== 'training') return redraw(view);
  const isReady = engineState === 'ready', o = trainingOptions;
  const typed = (id, value) => byId(id) && !isLearning ? byId(id).value : value;
  const field = (id, value, step) => make('label', {}, say(id), ' ', make('input', {id, type: 'number', min: 0, step, value: typed(id, value)}));
  const button = (id, text, onclick, isOff = false) => make('button', {id, onclick: () => isReady && !isOff && onclick(), 'aria-disabled': String(!isReady || isOff)}, text);
  const isFull = runs.length >= 8;
  redraw(view, make('h2', {}, say('training_title')), make('p', {class: 'note'}, say('training_hint')),
    make('div', {class: 'fields'}, make('label', {}, say('optimizer'), ' ', make('select', {id: 'optimizer'},
      ...['SGD', 'momentum', 'RMSprop', 'Adam'].map(name => make('option', {selected: name === typed('optimizer', o.optimizer) ? '' : false}, name)))),
      field('rate', o.rate, 'any'), field('clip', o.clip, 'any'), field('seed', o.seed, 1)),
    make('div', {class: 'fields'}, button('learn_1', say('learn', 1), () => learn(1), isLearning), button('learn_100', say('learn', 100), () => learn(100), isLearning),
      button('learn_on', say(isLearning ? 'stop' : 'learn_on'), () => learn(1e9)), button('learn_new', say('new_run'), () => learn(100, true), isLearning || isFull)),
    make('p', {id: 'training_error', role: 'status'}, trainingNote()), ...(runs.length > 0 ? runParts(button) : []));
}

/// The timeline, and what it points at: losses and gradients of all runs, weights of the chosen one.
function runParts(button) {
  const [r, s] = chosenStep, run = runs[r], [loss, gradient, weights] = run.steps[s], pick = x => chooseStep(r, x);
  const slider = make('input', {id: 'timeline', type: 'range', min: 0, max: run.steps.length - 1, step: 1, value: s, 'aria-label': say('timeline'),
    'aria-valuetext': `${s}: ${say('loss')} ${numberText(orNan(loss))}`});
  slider.addEventListener('input', () => pick(Number(slider.value)));
  slider.addEventListener('keydown', event => event.stopPropagation());
  const steps = run => run.steps.map((_, n) => n);
  const lines = k => runs.map((run, i) => ({name: runName(run, i), x: steps(run), y: run.steps.map(step => orNan(step[k]))}));
  const titled = (title, figure) => make('section', {}, make('h3', {}, title), figure);
  const choice = make('select', {id: 'run', 'aria-label': say('run'), onchange: event => chooseStep(Number(event.target.value), s)},
    ...runs.map((one, i) => make('option', {value: i, selected: i === r ? '' : false}, runName(one, i))));
  return [
    make('div', {class: 'fields timeline'}, runs.length > 1 ? choice : null, slider,
      runs.length > 1 ? button('compare_step', say('compare_step'), compareRuns, isLearning) : null, button('open_step', say('open_step'), () => showTab('graph'), isLearning)),
    make('p', {class: 'mono', id: 'step_text'}, `${say('step')} ${s}: ${say('loss')} ${numberText(orNan(loss), 6)}, ${say('gradient_norm')} ${numberText(orNan(gradient), 4)}`),
    make('div', {class: 'plots'},
      titled(say('loss'), plot(lines(0), {label: say('loss'), at: s, pick})),
      titled(say('gradient_norm'), plot(lines(1), {label: say('gradient_norm'), log: true, at: s, pick})),
      titled(say('weight_norms'), run.names.length > 6 ? '' : plot(run.names.map((name, i) => ({name, x: steps(run), y: run.steps.map(step => orNan(step[2][i]))})), {label: say('weight_norms'), at: s, pick})),
      isLearning || maps.length === 0 ? '' : titled(say('attention'), make('div', {}, ...maps.map(attentionOfMap)))),
    make('ul', {class: 'weights'}, ...run.names.map((name, i) => make('li', {}, `‖${name}‖ = ${numberText(orNan(weights[i]), 4)}`)))];
}

/// The weights of the attention at the step that is on the page.
function attentionOfMap(map) {
  const rows = map.rows.map(row => Array.from(tensor(nodes[row.node].value).sketch ? [] : numbersOf(tensor(nodes[row.node].value)).slice(row.query * map.keys, (row.query + 1) * map.keys)));
  const names = (count, name) => Array.from({length: count}, (_, i) => name(i));
  return attentionTable({words: names(map.keys, keyName), tokens: names(map.rows.length, queryName), attention: rows});
}
