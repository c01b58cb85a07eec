// --- the engine, in a worker --------------------------------------------------------------------
const lessons = JSON.parse(byId('lessons').textContent);  // as they were recorded, for browsers without WebAssembly
let lesson = 1, engine = null, engineState = 'loading';
const asked = new Map();  // the number of a request -> its promise's two ends
let requests = 0;

/// Sends a request, see examples/live/engine.h; a promise of its answer.
function ask(request) {
  return new Promise((resolve, reject) => {
    if (engineState === 'missing') return reject(new Error(say('no_engine')));
    asked.set(++requests, {resolve, reject});
    engine.postMessage({number: requests, request: JSON.stringify(request)});
    drawState();
  });
}

function answered({data: {number, ready, answer, failure}}) {
  if (ready) return engineReady();
  if (failure) return engineMissing(failure);
  const {resolve, reject} = asked.get(number), result = JSON.parse(answer);
  asked.delete(number);
  drawState();
  if (result.error) reject(new Error(result.error));
  else resolve(result);
}

/// What the worker runs after the engine's own script.
function serve() {
  onmessage = ({data: {number, request}}) =>
    postMessage({number, answer: Module.ccall('gradus_answer', 'string', ['string'], [request])});
}

function startEngine() {
  const start = 'var Module = {onRuntimeInitialized() { postMessage({ready: true}); }, onAbort(why) { postMessage({failure: String(why)}); }};';
  try {
    if (typeof WebAssembly !== 'object') throw new Error('WebAssembly');
    const url = URL.createObjectURL(new Blob([start, byId('engine').textContent, `;(${serve})();`], {type: 'text/javascript'}));
    engine = new Worker(url);
    engine.onmessage = answered;
    engine.onerror = event => { event.preventDefault(); engineMissing(event.message); };
  } catch (error) {
    engineMissing(error.message);
  }
}

async function engineReady() {
  engineState = 'ready';
  const model = byId('model').textContent.trim();
  if (model) await ask({do: 'model', base64: model});
  await openLesson(lesson);
  drawLive();
}

function engineMissing() {
  engineState = 'missing';
  for (const {reject} of asked.values()) reject(new Error(say('no_engine')));
  asked.clear();
  drawLive();
}

/// What the engine is doing, for those who wait and for tests.
function drawState() {
  const state = engineState === 'ready' && asked.size > 0 ? 'busy' : engineState;
  document.body.dataset.engine = state;
  const line = byId('engine_state');
  line.textContent = say(`engine_${state}`);
  line.title = engineState === 'missing' ? say('no_engine') : '';
}

/// An error of a request, where its form is.
function complain(place, error) {
  place.replaceChildren(make('span', {class: 'bad', role: 'alert'}, error ? error.message : ''));
}

// --- what is on the page ------------------------------------------------------------------------
let changes = 0;  // since the lesson was opened

/// Shows an answer's trace, with what differs from the one before.
function present(answer) {
  const key = place => { const x = tensor(place); return x === null ? '' : `${x.norm} ${x.mean} ${x.nans} ${x.numbers || ''}`; };
  const before = nodes.map(node => [node.op, key(node.value), key(node.gradient)]);
  const recorded = lessons[lesson - 1].nodes;
  answer.trace.nodes.forEach((node, n) => {  // the browser knows no source lines: the recording does
    if (recorded[n] && recorded[n].op === node.op && recorded[n].source) node.source = recorded[n].source;
  });
  answer.trace.title = lessonTitle(lesson);
  changes = answer.left === undefined ? changes : answer.left;
  load(answer.trace);
  changed = new Set(nodes.filter((node, n) => before[n] && before.length === nodes.length && before[n][0] === node.op &&
    (before[n][1] !== key(node.value) || before[n][2] !== key(node.gradient))).map(node => node.number));
  drawStructure();
  go(position);
  drawLive();
}

function lessonTitle(number) { return `${say('lesson_number', number)}: ${say(`lesson_${number}`)}`; }

async function openLesson(number, more = {}) {
  lesson = number;
  byId('chapter').value = String(number);
  position = 0;
  changes = 0;
  forgetTraining();
  const data = lessons[number - 1];
  data.title = lessonTitle(number);
  load(data);
  expandUpTo(40);
  go(0);
  drawStructure();
  drawLive();
  if (engineState === 'ready') {
    present(await ask({do: 'open', lesson: number, ...more}));
    changed = new Set();
    drawStructure();
    await readOps();
  }
}

function startLive() {
  const chapter = make('select', {id: 'chapter'});
  byId('title').replaceWith(make('label', {class: 'chapter'}, make('span', {class: 'hidden', id: 'chapter_label'}), chapter), byId('title'));
  byId('title').classList.add('hidden');
  document.querySelector('header .search').after(make('span', {id: 'engine_state', role: 'status'}),
    make('button', {id: 'undo', class: 'quiet', onclick: undo}));
  chapter.addEventListener('change', () => openLesson(Number(chapter.value)));
  drawChapters();
  const from = new URLSearchParams(location.hash.slice(1)).get('lesson');
  lesson = from >= 1 && from <= lessons.length ? Number(from) : 1;
  openLesson(lesson);
  startEngine();
}

function drawChapters() {
  byId('chapter').replaceChildren(...lessons.map((_, i) => make('option', {value: i + 1}, lessonTitle(i + 1))));
  byId('chapter').value = String(lesson);
  byId('chapter').setAttribute('aria-label', say('chapter'));
}

/// Everything of this page that the recording's page has not.
function drawLive() {
  drawState();
  drawChapters();
  const button = byId('undo');
  button.textContent = say('undo', changes);
  button.disabled = changes === 0 || engineState !== 'ready';
  for (const {draw} of moreTabs) draw();
}

async function undo() {
  try {
    present(await ask({do: 'undo'}));
  } catch { /* nothing is left to undo */ }
}
