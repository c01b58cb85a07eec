// --- watch it learn ------------------------------------------------------------------------------
let runs = [];  // {options, steps: [[loss, gradient norm, weight norms]], stride, names}
let learning = null, chosenStep = [0, 0];  // run, step
let trainingOptions = {optimizer: 'SGD', rate: 0.1, clip: 0, seed: 0};
let rememberedStep = null;  // run, step: what others can be put beside
let trainingNote = () => '';  // an element or a text, in the reader's language

function forgetTraining() { learning = null; runs = []; chosenStep = [0, 0]; rememberedStep = null; trainingNote = () => ''; }

/// Throws Error for what is no number of 0 or more.
function readTrainingForm() {
  const number = id => {
    const value = readNumber(byId(id).value);
    if (!(Number.isFinite(value) && value >= 0)) throw new Error(say('not_positive', say(id), byId(id).value));
    return value;
  };
  trainingOptions = {optimizer: byId('optimizer').value, rate: number('rate'), clip: number('clip'), seed: Math.round(number('seed'))};
}

function trainingComplains(error) { trainingNote = () => make('span', {class: 'bad', role: 'alert'}, error.message); }

/// `steps` more of the last run; of a new one where that is asked for, or with other options. In
/// slices of a few frames, so that the page draws, and can stop it.
async function learn(steps, isNew = false) {
  if (learning) { learning = null; return drawTraining(); }
  try {
    readTrainingForm();
    await leaveStep();
  } catch (error) {
    trainingComplains(error);
    return drawTraining();
  }
  const mine = learning = {};
  trainingNote = () => '';
  const ours = runs, last = runs[runs.length - 1];
  let left = steps, drawn = 0, cost = 0, starts = isNew || !last || JSON.stringify(last.options) !== JSON.stringify(trainingOptions);
  try {
    do {
      const answer = await ask({do: 'train', steps: Math.min(left, 20), milliseconds: 40, new: starts, ...trainingOptions});
      if (runs !== ours) return;  // another lesson was opened
      if (starts) runs.push({options: trainingOptions, steps: []});
      starts = false;
      const run = runs[answer.run];
      run.steps.splice(answer.from, Infinity, ...answer.steps);
      Object.assign(run, {stride: answer.stride, names: answer.names});
      left -= Math.max(1, answer.steps.length - (answer.from === 0 ? 1 : 0));
      chosenStep = [answer.run, run.steps.length - 1];
      if (performance.now() - drawn > 9 * cost) {  // a tenth of the time, however long the lines are
        const begin = performance.now();
        drawTraining();
        drawn = performance.now();
        cost = drawn - begin;
      }
      if (answer.stopped) { trainingNote = () => answer.full ? say('training_full') : make('span', {class: 'bad'}, say('training_stopped')); break; }
      await new Promise(requestAnimationFrame);
    } while (learning === mine && left > 0);
  } catch (error) {
    trainingComplains(error);
  }
  if (runs !== ours || learning !== mine && learning) return;
  learning = null;
  if (runs.length > 0) chooseStep(...chosenStep);
  else drawTraining();
}

/// The last step up to this one that was kept.
function keptStep(run, step) {
  const at = Math.min(run.steps.length - 1, Math.max(0, Math.round(step)));
  return at - at % run.stride;
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
    for (let shown = null; runs === mine && !learning && shown !== chosenStep;) {
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
  if (!learning) followStep();
}

/// The chosen step beside the remembered one, or else beside where the other run was then.
async function compareSteps() {
  const [run, step] = chosenStep, other = runs.length - 1 === run ? run - 1 : runs.length - 1;
  while (isFollowing) await new Promise(requestAnimationFrame);
  await followStep(rememberedStep || [other, keptStep(runs[other], step)]);
  if (trace.other) showTab('differences');
}

function brief(number) { return number >= 1e5 ? number.toExponential().replace('e+', 'e') : number; }

function runName(run, i) {
  const {optimizer, rate, clip, seed} = run.options;
  return `${i + 1}: ${optimizer} ${brief(rate)}${clip ? `, ${say('clip')} ${brief(clip)}` : ''}${seed ? `, ${say('seed')} ${seed}` : ''}`;
}

function orNan(number) { return number === null ? NaN : number; }

/// What the reader may be holding, a button or the timeline, is only replaced where it has changed.
let drawnTraining = '';
function drawTraining() {
  const view = byId('training');
  if (tab !== 'training') { drawnTraining = ''; return redraw(view); }
  const [r, s] = chosenStep, run = runs[r], key = [language, engineState, runs.length, r, Boolean(learning), rememberedStep].join();
  if (drawnTraining !== key || !byId('training_error')) redraw(view, ...trainingForm(), ...(run ? timelineOf(run) : []), make('div', {id: 'figures'}));
  drawnTraining = key;
  byId('training_error').replaceChildren(trainingNote());
  if (!run) return;
  const [loss, gradient] = run.steps[s].map(orNan), line = byId('timeline');
  line.max = run.steps.length - 1;
  line.value = s;
  line.setAttribute('aria-valuetext', say('step_text', s, numberText(loss), numberText(gradient)));
  byId('step_text').textContent = say('step_text', s, numberText(loss, 6), numberText(gradient));
  redraw(byId('figures'), ...figuresOfRun(run, s));
}

function trainingButton(id, onclick, isOff, text = say(id)) {
  const isReady = engineState === 'ready' && !isOff;
  return make('button', {id, onclick: () => isReady && onclick(), 'aria-disabled': String(!isReady)}, text);
}

function trainingForm() {
  const typed = (id, value) => byId(id) ? byId(id).value : value, o = trainingOptions, isFull = runs.length >= 8;
  const field = (id, step) => make('label', {}, say(id), ' ', make('input', {id, type: 'number', min: 0, step, value: typed(id, o[id])}));
  return [make('h2', {}, say('training_title')), make('p', {class: 'note'}, say('training_hint')), withoutEngine(),
    make('div', {class: 'fields'}, make('label', {}, say('optimizer'), ' ', make('select', {id: 'optimizer'},
      ...['SGD', 'momentum', 'RMSprop', 'Adam'].map(name => make('option', {selected: name === typed('optimizer', o.optimizer) ? '' : false}, name)))),
      field('rate', 'any'), field('clip', 'any'), field('seed', 1)),
    make('div', {class: 'fields'}, trainingButton('learn_1', () => learn(1), learning, say('learn', 1)), trainingButton('learn_100', () => learn(100), learning, say('learn', 100)),
      trainingButton('learn_on', () => learn(1e9), false, say(learning ? 'stop' : 'learn_on')), trainingButton('learn_new', () => learn(100, true), learning || isFull, say('new_run'))),
    make('p', {id: 'training_error', role: 'status'})];
}

function timelineOf(run) {
  const slider = make('input', {id: 'timeline', type: 'range', min: 0, max: run.steps.length - 1, step: 1, 'aria-label': say('timeline')});
  slider.addEventListener('input', () => chooseStep(chosenStep[0], slider.valueAsNumber));
  slider.addEventListener('keydown', event => event.stopPropagation());
  const choice = make('select', {id: 'run', 'aria-label': say('run'), onchange: event => chooseStep(Number(event.target.value), chosenStep[1])},
    ...runs.map((one, i) => make('option', {value: i, selected: one === run ? '' : false}, runName(one, i))));
  return [make('div', {class: 'fields timeline'}, runs.length > 1 ? choice : null, slider),
          make('div', {class: 'fields'}, make('span', {class: 'mono', id: 'step_text'}), trainingButton('open_step', () => showTab('graph'), learning),
               trainingButton('remember_step', () => { rememberedStep = chosenStep; drawTraining(); }, learning),
               rememberedStep || runs.length > 1 ? trainingButton('compare_step', compareSteps, learning,
                 rememberedStep ? say('beside_step', rememberedStep[1], rememberedStep[0] + 1) : say('compare_step')) : null)];
}

/// Losses and gradients of all runs; weights and attention of this one, and what they are at a step.
function figuresOfRun(run, at) {
  const pick = x => chooseStep(chosenStep[0], x), count = run => run.steps.map((_, n) => n);
  const lines = k => runs.map((run, i) => ({name: runName(run, i), x: count(run), y: run.steps.map(step => orNan(step[k]))}));
  const norms = run.names.map((name, i) => ({name, x: count(run), y: run.steps.map(step => orNan(step[2][i]))}));
  const drawn = (key, lines, log = false) => make('section', {}, make('h3', {}, say(key)), plot(lines, {label: say(key), log, at, pick}));
  return [make('div', {class: 'plots'}, drawn('loss', lines(0)), drawn('gradient_norm', lines(1), true), norms.length > 6 ? null : drawn('weight_norms', norms),
               learning || maps.length === 0 ? null : make('section', {}, make('h3', {}, say('attention')), ...maps.map(attentionOfMap))),
          make('ul', {class: 'weights'}, ...norms.map(({name, y}) => make('li', {}, `‖${name}‖ = ${numberText(y[at], 4)}`)))];
}

/// The weights of the attention at the step that is on the page.
function attentionOfMap(map) {
  const rows = map.rows.map(row => Array.from(tensor(nodes[row.node].value).sketch ? [] : numbersOf(tensor(nodes[row.node].value)).slice(row.query * map.keys, (row.query + 1) * map.keys)));
  const names = (count, name) => Array.from({length: count}, (_, i) => name(i));
  return attentionTable({words: names(map.keys, keyName), tokens: names(map.rows.length, queryName), attention: rows});
}
