// --- the engine, in a worker --------------------------------------------------------------------
const lessons = JSON.parse(byId('lessons').textContent);  // as they were recorded, for browsers without WebAssembly
const lessonTexts = JSON.parse(byId('lesson_texts').textContent);
let chapter = 1, engine = null, engineState = 'loading';
const asked = new Map();  // the number of a request -> its promise's two ends
let requests = 0;

/// Sends a request, see examples/live/engine.h; a promise of its answer.
function ask(request) {
  return new Promise((resolve, reject) => {
    if (engineState === 'missing') return reject(new Error(say('no_engine')));
    asked.set(++requests, {resolve, reject});
    // Half of a pair of surrogates is no text.
    const whole = (_, value) => typeof value === 'string' ? value.replace(/\p{Surrogate}/gu, '\ufffd') : value;
    engine.postMessage({number: requests, request: JSON.stringify({language, ...request}, whole)});
    drawState();
  });
}

function answered({data: {number, ready, answer, failure}}) {
  if (ready) return engineReady();
  if (failure) return engineMissing();
  const {resolve, reject} = asked.get(number);
  asked.delete(number);
  drawState();
  try {
    const result = JSON.parse(answer);
    if (result.error) reject(new Error(result.error));
    else resolve(result);
  } catch (error) {
    reject(error);
  }
}

/// What runs in the worker behind the engine's own script: first it is sent the engine, then requests.
function serve() {
  onmessage = async ({data: wasmBinary}) => {
    const engine = await createEngine({wasmBinary, onAbort(why) { postMessage({failure: String(why)}); }});
    onmessage = ({data: {number, request}}) => {
      const text = engine.stringToNewUTF8(request);
      const answer = engine.UTF8ToString(engine._gradus_answer(text));
      engine._free(text);
      postMessage({number, answer});
    };
    postMessage({ready: true});
  };
}

async function startEngine() {
  try {
    if (typeof WebAssembly !== 'object') throw new Error('no WebAssembly');
    const bytes = Uint8Array.from(atob(byId('wasm').textContent.trim()), c => c.charCodeAt(0));
    const wasm = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
    engine = new Worker(URL.createObjectURL(new Blob([byId('engine').textContent, `;(${serve})();`], {type: 'text/javascript'})));
    engine.onmessage = answered;
    engine.onerror = event => { event.preventDefault(); engineMissing(); };
    engine.postMessage(wasm, [wasm]);
  } catch {
    engineMissing();
  }
}

async function engineReady() {
  engineState = 'ready';
  await ask({do: 'model', base64: byId('model').textContent.trim()});
  await openInEngine();
}

async function openInEngine(more = {}) {
  const number = chapter, answer = await ask({do: 'open', lesson: number, ...more});
  if (chapter !== number) return;  // the reader is at another one by now
  present(answer, true);
  await readOps();
}

function engineMissing() {
  engineState = 'missing';
  for (const {reject} of asked.values()) reject(new Error(say('no_engine')));
  asked.clear();
  drawAll();
}

/// What the engine is doing, for those who wait and for tests.
function drawState() {
  const state = engineState === 'ready' && asked.size > 0 ? 'busy' : engineState;
  document.body.dataset.engine = state;
  const line = byId('engine_state');
  if (!line) return;
  line.textContent = say(`engine_${state}`);
  line.title = engineState === 'missing' ? say('no_engine') : '';
}

/// On each tab that needs the engine, where there is none.
function withoutEngine() { return engineState === 'missing' ? make('p', {class: 'missing'}, say('no_engine')) : null; }

/// An error of a request, where its form is.
function complain(place, error) {
  if (place) place.replaceChildren(make('span', {class: 'bad', role: 'alert'}, error.message));
}

// --- what is on the page ------------------------------------------------------------------------
let changes = 0;  // since the lesson was opened
let isStepShown = false;  // whether the last of them only shows a step of a training

/// Shows an answer's trace, and points out what differs from the one before.
function present(answer, isNew = false) {
  const key = (tensors, place) => {
    const x = place === null || place === undefined ? null : tensors[place];
    return x === null ? '' : `${x.norm} ${x.mean} ${x.nans} ${x.numbers || ''}`;
  };
  const next = answer.trace, recorded = lessons[chapter - 1].nodes;
  const isOther = (node, n) => ['value', 'gradient'].some(what => key(next.tensors, node[what]) !== key(tensors, nodes[n][what]));
  const differs = new Set();
  next.nodes.forEach((node, n) => {
    if (!isNew && next.nodes.length === nodes.length && isOther(node, n)) differs.add(n);
    // The browser knows no source lines; the recording does.
    if (outside.length === 0 && recorded.length === next.nodes.length && recorded[n].op === node.op && recorded[n].source) node.source = recorded[n].source;
  });
  next.title = [chapterTitle(chapter), ...outside.map(({name, node}) => `${name} #${node}`)].join(' › ');
  isStepShown = false;
  if (answer.left !== undefined) changes = answer.left;
  load(next, {changed: differs});
}

function chapterTitle(number) { return say('lesson_title', number, say(`lesson_${number}`)); }

/// Opens a lesson: as it was recorded, and as soon as the engine can, as it runs.
async function openChapter(number, more = {}) {
  chapter = number;
  position = 0;
  changes = 0;
  isStepShown = false;
  wantedChange = null;
  outside = [];
  picked = {node: -1, key: '', index: []};
  forgetTraining();
  lesson = lessonTexts[number - 1];
  load({...lessons[number - 1], title: chapterTitle(number)});
  expandUpTo(40);
  drawStructure();
  go(0);
  if (engineState === 'ready') await openInEngine(more);
}

function drawHeader() {
  drawState();
  const names = lessons.map((_, i) => chapterTitle(i + 1)), select = byId('chapter');
  if (select.textContent !== names.join('')) select.replaceChildren(...names.map((name, i) => make('option', {value: i + 1}, name)));
  select.value = String(chapter);
  select.setAttribute('aria-label', say('chapter'));
  const button = byId('undo');
  button.textContent = say('undo', changes);
  button.setAttribute('aria-disabled', String(changes === 0 || engineState !== 'ready'));
}

async function undo() {
  if (changes === 0 || engineState !== 'ready') return;
  try {
    present(await ask({do: 'undo'}));
    await readOps();
  } catch { /* two clicks, and nothing is left to undo */ }
}

function startLive() {
  const select = make('select', {id: 'chapter', onchange: () => { stopAt = null; openChapter(Number(select.value)); }});
  byId('title').classList.add('hidden');
  byId('title').after(make('span', {class: 'chapter'}, select));
  document.querySelector('header .search').after(make('span', {id: 'engine_state', role: 'status'}),
                                                 make('button', {id: 'undo', class: 'quiet', onclick: undo}));
  for (const {name} of moreTabs) byId('graph').parentNode.append(make('div', {id: name, class: 'view live', role: 'tabpanel', 'data-label': name, hidden: ''}));
  document.querySelector('#stage nav').after(make('div', {id: 'stop', role: 'region', tabindex: -1, 'data-label': 'guide', hidden: ''}));
  tab = 'guide';
  openChapter(1);
  readHash();
  startEngine();
}
