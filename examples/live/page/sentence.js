// --- your sentence -------------------------------------------------------------------------------
let sentence = 'My father bought four skirts yesterday morning.', translation = null, translatorProgress = null, isTraining = false;

async function translateSentence() {
  sentence = byId('sentence_text').value.normalize('NFC');
  try {
    translation = await ask({do: 'translate', text: sentence});
    drawSentence();
  } catch (error) {
    translation = null;
    complain(byId('sentence_answer'), error);
  }
}

/// Trains the small translator anew, in slices, so that it can be stopped and be asked meanwhile.
async function trainTranslator() {
  if (isTraining) { isTraining = false; return; }
  isTraining = true;
  const begin = performance.now();
  for (let isFirst = true; isTraining; isFirst = false) {
    translatorProgress = {...await ask({do: 'learn', milliseconds: 250, new: isFirst}), seconds: (performance.now() - begin) / 1000};
    drawSentenceProgress();
    if (translatorProgress.done) break;
  }
  isTraining = false;
  if (tab === 'sentence') await translateSentence();
}

async function stepThroughSentence() {
  try {
    await openChapter(5, {sentence});
    tab = 'graph';
    drawAll();
  } catch (error) {
    complain(byId('sentence_answer'), error);
  }
}

function drawSentenceProgress() {
  const place = byId('sentence_progress');
  if (!place) return;
  const p = translatorProgress;
  byId('train_translator').textContent = say(isTraining && !(p && p.done) ? 'stop' : 'train_translator');
  if (!p) return place.replaceChildren(say('translator_included'));
  const left = p.step > 0 ? p.seconds / p.step * (p.of - p.step) : 0;
  place.replaceChildren(make('progress', {max: p.of, value: p.step, 'aria-label': say('train_translator')}), ' ',
    say('translator_progress', p.step, p.of, numberText(p.loss, 3), Math.round(p.seconds), Math.ceil(left)));
}

function attentionTable({words, known, tokens, attention}) {
  const table = make('table', {class: 'cells sentence_map'});
  table.append(make('caption', {class: 'hidden'}, say('attention')));
  const head = table.createTHead().insertRow();
  head.append(make('th'), ...words.map((word, i) => make('th', {scope: 'col', lang: 'en', class: known[i] ? false : 'bad', title: known[i] ? '' : say('unknown_word')}, word)));
  tokens.forEach((token, q) => {
    const row = table.insertRow();
    row.append(make('th', {scope: 'row', lang: 'zh-Hans'}, token));
    words.forEach((_, k) => {
      const weight = attention[q] ? attention[q][k] : 0, colour = shade(weight, 0, 1), cell = row.insertCell();
      cell.textContent = weight >= 0.005 ? weight.toFixed(2) : '';
      cell.style.background = css(colour);
      cell.style.color = inkOn(colour);
    });
  });
  return make('div', {class: 'scroll', tabindex: 0}, table);
}

function drawSentence() {
  const view = byId('sentence');
  if (tab !== 'sentence') return redraw(view);
  const isReady = engineState === 'ready';
  const field = make('input', {id: 'sentence_text', type: 'text', lang: 'en', value: sentence, 'aria-label': say('sentence')});
  field.addEventListener('keydown', event => event.key === 'Enter' && translateSentence());
  redraw(view, make('h2', {}, say('sentence_title')), make('p', {class: 'note'}, say('sentence_hint')),
    make('div', {class: 'fields'}, field, make('button', {id: 'translate', disabled: isReady ? false : '', onclick: translateSentence}, say('translate'))),
    make('div', {id: 'sentence_answer', role: 'status'}, ...(translation ? [
      make('p', {class: 'translation', lang: 'zh-Hans'}, translation.text || say('no_words')),
      translation.known.every(known => known) ? null : make('p', {class: 'note'}, say('has_unknown'))].filter(part => part) : [])),
    translation ? attentionTable(translation) : '',
    translation ? make('button', {id: 'step_through', onclick: stepThroughSentence}, say('step_through')) : '',
    make('h3', {}, say('translator')), make('p', {id: 'sentence_progress'}),
    make('button', {id: 'train_translator', disabled: isReady ? false : '', onclick: trainTranslator}, say('train_translator')));
  drawSentenceProgress();
}
