// --- the guide: what to look at, what to try, what one should see ----------------------------------
// A stop: do something (`set` an element, `put` a formula, `train`), or nothing; then look at a node (`at`:
// its name, number or op, and a time step), in the backward pass or not, and on a `tab`.
const guides = [
  [{at: ['output'], en: ['Step to output. Its value is tanh(−0.75) = −0.6351: the sum that goes in is −0.5 · 2 + 0.25.'],
    zh: ['走到 output。它的值是 tanh(−0.75) = −0.6351：进入它的和是 −0.5 · 2 + 0.25。']},
   {at: ['output'], backward: true, en: ['On the way back −3.270 arrives at output. Its own derivative is 1 − 0.6351² = 0.5967, so −3.270 · 0.5967 = −1.951 goes on.'],
    zh: ['反向传播时，−3.270 到达 output。它自身的导数是 1 − 0.6351² = 0.5967，于是 −3.270 · 0.5967 = −1.951 继续向后传。']},
   {set: ['weight', 0, 0.5], en: ['Set weight to 0.5.', 'output becomes 0.8483, close to the target 1; the loss falls from 2.674 to 0.02302.'],
    zh: ['把 weight 设为 0.5。', 'output 变成 0.8483，接近目标 1；损失从 2.674 降到 0.02302。']},
   {train: {steps: 20, rate: 0.1}, en: ['Let it find that out by itself: 20 steps of SGD with rate 0.1, from the beginning.', 'The loss falls to 0.0071.'],
    zh: ['让它自己找到答案：从头开始，用学习率 0.1 做 20 步 SGD。', '损失降到 0.0071。']},
   {put: ['x', 'tanh'], at: ['weight'], backward: true, en: ['Put x in the place of tanh: a function that changes nothing.', 'Its derivative is 1: all of the gradient goes on, and weight gets −7 instead of −3.902.'],
    zh: ['用 x 替换 tanh：一个什么也不改变的函数。', '它的导数是 1：梯度全部传下去，weight 得到 −7，而不是 −3.902。']}],
  [{at: ['softmax'], en: ['softmax makes probabilities of each row of scores: positive numbers whose sum is 1.'], zh: ['softmax 把每一行得分变成概率：都是正数，和为 1。']},
   {at: ['linear'], backward: true, en: ['What arrives at the scores is p − target, row by row: 0.2587 − 1 = −0.7413 where the target is, p itself elsewhere.'],
    zh: ['到达得分的梯度，逐行就是 p − 目标：目标处为 0.2587 − 1 = −0.7413，其余处就是 p 本身。']},
   {set: ['dense.weight', 3, 300], en: ['Make one weight 300.', 'A probability becomes so small that it is 0, its logarithm −∞, and 0 · −∞ is NaN: the doctor shows where that begins. A cross entropy in one op would have stayed finite.'], tab: 'doctor',
    zh: ['把一个权重改成 300。', '一个概率小到成了 0，它的对数是 −∞，而 0 · −∞ 是 NaN：“诊断”指出它从哪里开始。合成一个运算的交叉熵则仍是有限数。']},
   {train: {steps: 100, rate: 0.5}, en: ['Train 100 steps with rate 0.5.', 'The loss falls from 2.705 to 0.0033.'], zh: ['用学习率 0.5 训练 100 步。', '损失从 2.705 降到 0.0033。']}],
  [{at: ['lstm_cell', 3], backward: true, en: ["The loss sees only the last output. At the last cell state arrives 0.1438 …"], zh: ['损失只看最后的输出。到达最后一个单元状态的梯度是 0.1438……']},
   {at: ['lstm_cell', 0], backward: true, en: ['… and at the first still 0.1760: the forget gate, sigmoid(4) and more, is nearly 1 at each step, and lets it through.'],
    zh: ['……到最早一步仍有 0.1760：遗忘门在每一步都接近 1（sigmoid(4) 以上），让梯度通过。']},
   {set: ['cell.bias', 1, -4], en: ["Close the forget gate: set its bias, element 1, to −4.", 'Only 1.63e−4 instead of 0.1760 arrives at the first cell state: three closed gates, one after the other.'], at: ['lstm_cell', 0], backward: true,
    zh: ['关上遗忘门：把它的偏置（元素 1）设为 −4。', '到达第一个单元状态的只剩 1.63e−4，而不是 0.1760：连续三道关上的门。']},
   {put: ['x', 'tanh'], at: ['lstm_cell', 3], en: ['Open it again, and put x in the place of both tanh.', 'Nothing limits what the cell holds any more: 1.545 instead of 0.8502 after four steps.'],
    zh: ['再把它打开，用 x 替换两处 tanh。', '单元里的数值不再受限：四步之后是 1.545，而不是 0.8502。']}],
  [{at: ['matmul'], en: ['Scores: each query times each key.'], zh: ['得分：每个查询与每个键的乘积。']},
   {at: ['softmax'], tab: 'attention', en: ['The weights: 我 looks at I with 0.7361, 喝茶 at drink with 0.6652.'], zh: ['权重：“我”以 0.7361 看向 I，“喝茶”以 0.6652 看向 drink。']},
   {set: [4, 0, 0.05], en: ['Divide the scores by 0.05 instead of by √4 = 2: as if the keys were much larger.', 'Each query looks at one key alone, with weight 1, and next to nothing reaches the queries any more: −2.80e−25 instead of 0.3406. That is what the division by √d is for.'], at: ['queries'], backward: true,
    zh: ['把得分除以 0.05，而不是 √4 = 2：相当于键大得多。', '每个查询只看一个键，权重为 1，几乎没有梯度再到达查询：−2.80e−25，而不是 0.3406。除以 √d 正是为此。']},
   {train: {steps: 200, rate: 0.1}, at: [8], en: ['Train 200 steps with rate 0.1, from the beginning.', 'Queries, keys and values move until both outputs are (0, 1).'], zh: ['从头开始，用学习率 0.1 训练 200 步。', '查询、键和值一起移动，直到两个输出都成为 (0, 1)。']}],
  [{at: ['softmax'], tab: 'attention', en: ['Each Chinese character looks back at the English words. Choose a cell: the nodes behind it are listed below.'], zh: ['每个汉字都回头看英文的词。点选一格，下面列出它背后的节点。']},
   {tab: 'sentence', en: ['Type a sentence of your own, and step through its translation.'], zh: ['输入你自己的句子，逐步查看它的翻译。']},
   {tab: 'doctor', en: ['The gradient of every layer at every time step. Which gets the least?', 'feeding at the last step, 5e−5: after it only the end of the sentence is left to say.'],
    zh: ['每一层在每个时间步的梯度。哪里最小？', '最后一步的 feeding，5e−5：在它之后，要说的只剩句子的结束。']},
   {train: {steps: 20, rate: 0.1}, en: ['Train 20 steps with rate 0.1 on this sentence alone.', 'The loss falls from 0.1535 to 0.0371; the attention moves a little. Drag the timeline back and forth.'],
    zh: ['只用这个句子，以学习率 0.1 训练 20 步。', '损失从 0.1535 降到 0.0371，注意力略有移动。来回拖动时间轴看看。']}],
  [{at: ['softmax', 0], tab: 'attention', en: ['Asked for the book, the first hop finds the sentence that names it: Emma book, 0.9647.'], zh: ['问书在哪里，第一跳找到提到书的句子：“Emma book”，0.9647。']},
   {at: ['softmax', 1], en: ['The second hop looks for Emma: both sentences that name her get 0.4948.'], zh: ['第二跳寻找 Emma：提到她的两个句子各得 0.4948。']},
   {set: ['words.0', null, 0], at: ['softmax', 0], tab: 'attention', en: ['Set all of words.0 to 0: what questions and the first hop compare.', 'The first hop looks at all sentences alike, 0.3333 each, and the second knows no more whom to look for.'],
    zh: ['把 words.0 全部设为 0：问题与第一跳用它来比较。', '第一跳对所有句子一视同仁，各 0.3333；第二跳也就不知道该找谁了。']},
   {train: {steps: 100, rate: 0.1}, en: ['Train 100 steps with rate 0.1, from the beginning.', 'The loss of the answer "library" falls from 0.4438 to 0.0016.'], zh: ['从头开始，用学习率 0.1 训练 100 步。', '答案 library 的损失从 0.4438 降到 0.0016。']}],
];

/// The node of this name, number or op (at this time step).
function nodeAt([what, time]) {
  const found = typeof what === 'number' ? nodes[what] : nodes.find(node => node.name === what) ||
    nodes.find(node => node.op === what && (time === undefined || node.time === time));
  return found ? found.number : 0;
}

let stopAt = null;  // the number of the stop that the reader is at

async function takeStop(number) {
  const {at, backward, set, train, put, tab: to} = guides[chapter - 1][number], acts = set || train || put;
  stopAt = number;
  try {
    if (isStepShown) await undo();
    // From the beginning, so that one sees what the guide says.
    if ((acts || at) && changes > 0 || acts && runs.length > 0) await openChapter(chapter);
    if (set) {
      const node = nodeAt([set[0]]), shape = tensor(nodes[node].value).shape;
      await change(set[1] === null ? {node, value: set[2]} : {node, element: set[1], value: set[2]});
      if (set[1] !== null) picked = {node, key: 'y', index: indexAt(shape, set[1])};
      select(node);
    }
    if (put) {
      [typedFormula, describedFormula] = [put[0], null];
      present(await ask({do: 'put', text: put[0], instead_of: put[1]}));
      await readOps();
    }
    if (train) {
      trainingOptions = {optimizer: 'SGD', clip: 0, seed: 0, rate: train.rate};
      byId('training').replaceChildren();  // and what was typed there
    }
    if (at) {
      const n = nodeAt(at);
      reveal(n);
      go(backward && backwardPosition.has(n) ? backwardPosition.get(n) : n);
    }
    showTab(train ? 'training' : to || 'graph');
    byId('stop').focus();
    if (train) await learn(train.steps, true);
  } catch (error) {
    complain(byId('stop'), error);
  }
}

/// Where that takes what has the focus away, the focus goes to the tab.
function showTab(name) {
  tab = name;
  drawAll();
  if (document.activeElement === document.body || document.activeElement.closest('[hidden]')) byId(`tab_${tab}`).focus();
}

function stopText(stop) {
  const acts = stop.set || stop.train || stop.put, [text, result] = stop[language];
  return [make('p', {}, make('b', {}, say(acts ? 'attempt' : 'look'), ' '), text), result ? make('p', {}, make('b', {}, say('see'), ' '), result) : null];
}

/// Over the other tabs: the stop that the reader is at, and the way to the next.
function drawStop() {
  const place = byId('stop'), stops = guides[chapter - 1];
  place.hidden = stopAt === null || tab === 'guide';
  if (place.hidden) return place.replaceChildren();
  const button = (id, text, to) => make('button', {id, 'aria-label': say(id), title: say(id), 'aria-disabled': String(!stops[to]), onclick: () => stops[to] && takeStop(to)}, text);
  redraw(place, make('div', {}, ...stopText(stops[stopAt])), make('div', {}, make('span', {class: 'number'}, say('place', stopAt + 1, stops.length)),
    button('stop_before', '‹', stopAt - 1), ' ', button('stop_after', '›', stopAt + 1), ' ',
    make('button', {id: 'stop_list', class: 'quiet', 'aria-label': say('stop_list'), title: say('stop_list'), onclick: () => showTab('guide')}, '☰'),
    make('button', {id: 'stop_close', class: 'quiet', 'aria-label': say('stop_close'), title: say('stop_close'), onclick: () => { stopAt = null; showTab(tab); }}, '×')));
}

function drawGuide() {
  const view = byId('guide');
  if (tab !== 'guide') return redraw(view);
  redraw(view, make('h2', {}, chapterTitle(chapter)), make('p', {class: 'note'}, say('guide_hint')), withoutEngine(),
    make('ol', {class: 'stops'}, ...guides[chapter - 1].map((stop, i) => {
      const acts = stop.set || stop.train || stop.put;
      return make('li', {'aria-current': stopAt === i ? 'step' : false}, ...stopText(stop),
        make('button', {id: `stop_${i}`, disabled: acts && engineState !== 'ready' ? '' : false, onclick: () => takeStop(i)}, say(acts ? 'do_it' : 'show_me')));
    })));
}

moreTabs.push({name: 'guide', draw() { drawHeader(); drawStop(); drawGuide(); }}, {name: 'formula', draw: drawFormulaTab}, {name: 'training', draw: drawTraining},
              {name: 'sentence', draw: drawSentence}, {name: 'exercises', draw: drawExercises});
startLive();
