// --- on paper: the graph, every step, the list ----------------------------------------------------
/// Traces of more places than this are printed with the current one only.
const mostSteps = 300;
let isPrinting = false;

function startPrint() {
  window.addEventListener('beforeprint', () => {
    if (nodes.length === 0) return;
    isPrinting = true;
    drawAll();
    const isWhole = positions.length <= mostSteps;
    byId('steps').replaceChildren(...(isWhole ? positions : [positions[position]]).map(place => make('article', {}, ...panelOf(place))));
  });
  window.addEventListener('afterprint', () => {
    isPrinting = false;
    byId('steps').replaceChildren();
    if (nodes.length > 0) drawAll();
  });
}
