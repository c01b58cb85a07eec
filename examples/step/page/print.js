// --- on paper: the graph, every step, the list ----------------------------------------------------
/// Traces of more places than this are printed with the current one only.
const mostSteps = 300;

function startPrint() {
  window.addEventListener('beforeprint', () => {
    if (nodes.length === 0) return;
    document.documentElement.dataset.theme = 'light';
    drawStructure();
    const width = 680;  // of a page
    byId('graph').firstChild.style.zoom = Math.min(1, width / places.get('g0').width);
    const isWhole = positions.length <= mostSteps;
    byId('steps').replaceChildren(...(isWhole ? positions : [positions[position]]).map(place => make('article', {}, ...panelOf(place))));
  });
  window.addEventListener('afterprint', () => {
    byId('steps').replaceChildren();
    if (nodes.length > 0) drawAll();
  });
}
