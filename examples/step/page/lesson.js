// --- the text of a lesson, from a little Markdown -------------------------------------------------
let lesson = {};  // language -> text, and the language to begin with; see write_page()

function readLesson() {
  const text = byId('lesson_text').textContent;
  lesson = text.startsWith('{"') ? JSON.parse(text) : {};
}
function lessonText() { return lesson[language] || lesson.en || ''; }

function drawLesson() {
  if (tab !== 'lesson') return;
  redraw(byId('lesson'), make('div', {class: 'prose', lang: lessonText() === lesson.en ? 'en' : 'zh-Hans'}, ...markdown(lessonText())));
}

/// Headings, paragraphs, lists, quotations, tables and blocks of code.
function markdown(text) {
  const lines = text.split('\n'), blocks = [];
  let at = 0;
  const take = pattern => {
    const taken = [];
    while (at < lines.length && pattern.test(lines[at])) taken.push(lines[at++]);
    return taken;
  };
  while (at < lines.length) {
    const line = lines[at], heading = line.match(/^(#+) (.*)/), item = line.match(/^([-*]|\d+\.) /);
    if (line.startsWith('```')) {
      ++at;
      blocks.push(codeBlock(take(/^(?!```)/)));
      ++at;
    } else if (heading) {
      blocks.push(make(heading[1].length === 1 ? 'h2' : 'h3', {}, ...inline(heading[2])));
      ++at;
    } else if (line.startsWith('|')) {
      const rows = take(/^\|/).filter(row => !/^\|[-:| ]+$/.test(row)).map(row => row.replace(/^\||\|$/g, '').split(/(?<!\\)\|/));
      blocks.push(make('div', {class: 'scroll', tabindex: 0}, make('table', {}, ...rows.map((row, i) => make('tr', {}, ...row.map(cell => make(i === 0 ? 'th' : 'td', {}, ...inline(cell.trim()))))))));
    } else if (item) {
      const items = take(/^([-*] |\d+\. | +\S)/).reduce((items, text) => /^\s/.test(text) ? [...items.slice(0, -1), `${items[items.length - 1]} ${text.trim()}`] : [...items, text], []);
      blocks.push(make(/\d/.test(item[1]) ? 'ol' : 'ul', {}, ...items.map(text => make('li', {}, ...inline(text.replace(/^([-*]|\d+\.) /, ''))))));
    } else if (line.startsWith('>')) {
      blocks.push(make('blockquote', {}, ...inline(take(/^>/).map(text => text.slice(1).trim()).join(' '))));
    } else if (line.trim() === '') {
      ++at;
    } else {
      const paragraph = take(/^(?!```|#+ |\||>|\s*$)/).join('\n');
      if (!/^\[[^\]]*\]\([^)]*\)$/.test(paragraph)) blocks.push(make('p', {}, ...inline(paragraph)));  // a link alone leads to the other language
    }
  }
  return blocks;
}

/// Code, emphasis, and what links say.
function inline(text) {
  const parts = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|(?<![\p{L}\d])_([^_]+)_(?![\p{L}\d])|\[([^\]]+)\]\([^)]*\)/u, found = text.match(parts);
  if (!found) return [text];
  const [whole, code, strong, em, other, link] = found;
  const element = code ? make('code', {}, code) : strong ? make('strong', {}, ...inline(strong)) : link ? make('span', {}, ...inline(link)) : make('em', {}, ...inline(em || other));
  return [text.slice(0, found.index), element, ...inline(text.slice(found.index + whole.length))];
}

/// In a transcript, where the reader is at a node leads to it.
function codeBlock(lines) {
  return make('pre', {tabindex: 0}, make('code', {}, ...lines.flatMap(line => {
    const [, pass, n] = line.match(/^(forward|backward|前向|反向)\S* · \D*(\d+)/) || [], isBackward = pass === 'backward' || pass === '反向';
    return [nodes[n] ? placeButton(Number(n), isBackward, line) : line, '\n'];
  })));
}
