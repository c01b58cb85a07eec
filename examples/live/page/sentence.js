// --- your sentence -------------------------------------------------------------------------------
let sentence = 'My father bought four skirts yesterday morning.', translation = null, translatorProgress = null, training = null;

async function translateSentence() {
  try {
    translation = await ask({do: 'translate', text: sentence.normalize('NFC')});
  } catch (error) {
    translation = {error};
  }
  drawSentence();
}

/// Trains the small translator anew, in slices, so that it can be stopped and be asked meanwhile.
async function trainTranslator() {
  if (training) { training = null; return drawSentenceProgress(); }
  const mine = training = {}, begin = performance.now();
  try {
    for (let isFirst = true; training === mine; isFirst = false) {
      translatorProgress = {...await ask({do: 'learn', milliseconds: 250, new: isFirst}), seconds: (performance.now() - begin) / 1000};
      drawSentenceProgress();
      if (translatorProgress.done) break;
    }
  } catch (error) {
    complain(byId('sentence_answer'), error);
  }
  if (training && training !== mine) return;
  training = null;
  drawSentenceProgress();
  if (translation) await translateSentence();
}

async function stepThroughSentence() {
  try {
    stopAt = null;
    await openChapter(5, {sentence: sentence.normalize('NFC')});
    showTab('graph');
  } catch (error) {
    complain(byId('sentence_answer'), error);
  }
}

function drawSentenceProgress() {
  const place = byId('sentence_progress');
  if (!place) return;
  const p = translatorProgress;
  byId('train_translator').textContent = say(training && !(p && p.done) ? 'stop' : 'train_translator');
  if (!p) return place.replaceChildren(say('translator_included'));
  const left = p.step > 0 ? p.seconds / p.step * (p.of - p.step) : 0;
  place.replaceChildren(make('progress', {max: p.of, value: p.step, 'aria-label': say('train_translator')}), ' ',
    say('translator_progress', p.step, p.of, numberText(p.loss, 3), Math.round(p.seconds), Math.ceil(left)));
}

/// words across, tokens down, and a weight for each of both; words that are not `known` are pointed out.
function attentionTable({words, known = [], tokens, attention}) {
  const table = make('table', {class: 'cells sentence_map'}), isUnknown = i => known[i] === false;
  table.append(make('caption', {class: 'hidden'}, say('attention')));
  const head = table.createTHead().insertRow();
  head.append(make('td'), ...words.map((word, i) => make('th', {scope: 'col', lang: langOf(word), class: isUnknown(i) ? 'bad' : false, title: isUnknown(i) ? say('unknown_word') : false}, word)));
  const body = table.createTBody();
  tokens.forEach((token, q) => {
    const row = body.insertRow();
    row.append(make('th', {scope: 'row', lang: langOf(token)}, token));
    words.forEach((_, k) => {
      const weight = attention[q]?.[k] ?? 0, colour = shade(weight, 0, 1), cell = row.insertCell();
      cell.textContent = !(weight < 0.005) ? Number.isFinite(weight) ? weight.toFixed(2) : 'NaN' : '';
      cell.style.background = css(colour);
      cell.style.color = inkOn(colour);
    });
  });
  return make('div', {class: 'map_scroll', tabindex: 0, role: 'group', 'aria-label': say('attention')}, table);
}

function drawSentence() {
  const view = byId('sentence');
  if (tab !== 'sentence') return redraw(view);
  const isReady = engineState === 'ready', isOff = isReady ? false : '', t = translation;
  const field = make('input', {id: 'sentence_text', type: 'text', lang: 'en', value: sentence, maxlength: 400, 'aria-label': say('sentence')});
  field.addEventListener('input', () => { sentence = field.value; });
  field.addEventListener('keydown', event => event.key === 'Enter' && isReady && translateSentence());
  const answer = !t ? [] : t.error ? [make('p', {class: 'bad', role: 'alert'}, t.error.message)]
    : [make('p', {class: 'translation', lang: 'zh-Hans'}, t.text || say('no_words')),
       ...(t.known.every(known => known) ? [] : [make('p', {class: 'note'}, say('has_unknown'))])];
  redraw(view, make('h2', {}, say('sentence_title')), make('p', {class: 'note'}, say('sentence_hint')), withoutEngine(),
    make('div', {class: 'fields'}, field, make('button', {id: 'translate', class: 'main', disabled: isOff, onclick: translateSentence}, say('translate'))),
    make('div', {id: 'sentence_answer', role: 'status'}, ...answer),
    ...(t && !t.error ? [attentionTable(t), make('button', {id: 'step_through', onclick: stepThroughSentence}, say('step_through'))] : []),
    make('h3', {}, say('translator')), make('p', {id: 'sentence_progress', class: 'note'}),
    make('div', {class: 'fields'}, make('button', {id: 'train_translator', disabled: isOff, onclick: trainTranslator}, say('train_translator'))));
  drawSentenceProgress();
}
