// --- how the graph is looked at: its zoom, its place in the view, and a map of it -----------------
/// Small graphs fill the view, until the reader chooses a zoom.
function fit() {
  const view = byId('graph'), canvas = view.firstChild, all = places.get('g0'), paper = 680;
  if (isPrinting && canvas) canvas.style.zoom = Math.min(1, paper / all.width);
  if (!canvas || view.hidden || isPrinting) return;
  if (!isZoomed) {
    const room = Math.min((view.offsetWidth - 44) / all.width, (view.offsetHeight - 44) / all.height);
    zoom = (room > 0.7 ? Math.min(1.6, room) : 1) * (document.documentElement.dataset.size === 'large' ? 1.25 : 1);
  }
  canvas.style.zoom = zoom;
}

function setZoom(factor) {
  isZoomed = true;
  zoom = Math.min(2, Math.max(0.3, zoom * factor));
  fit();
  keepInView(byId('graph'), boxes.get(boxOf(positions[position].node)));
  drawMinimap();
}

function dragToScroll(view) {
  let from = null;
  view.addEventListener('pointerdown', event => {
    if (event.button === 0 && event.pointerType === 'mouse' && !event.target.closest('button')) from = {x: event.clientX + view.scrollLeft, y: event.clientY + view.scrollTop};
  });
  window.addEventListener('pointermove', event => {
    if (!from) return;
    view.classList.add('dragging');
    view.scrollTo(from.x - event.clientX, from.y - event.clientY);
  });
  window.addEventListener('pointerup', () => { from = null; view.classList.remove('dragging'); });
}

/// The whole graph in the corner, where it is larger than the view, with a frame around what is seen.
function drawMinimap() {
  const view = byId('graph'), map = byId('minimap'), all = places.get('g0');
  map.hidden = view.hidden || view.clientWidth < 480 || view.scrollWidth <= view.clientWidth + 8 && view.scrollHeight <= view.clientHeight + 8;
  if (map.hidden) return;
  const scale = Math.min(170 / all.width, Math.min(130, view.clientHeight / 4) / all.height), pen = map.getContext('2d');
  const style = getComputedStyle(document.body), colour = name => style.getPropertyValue(name);
  const density = window.devicePixelRatio || 1;
  map.style.width = `${Math.ceil(all.width * scale)}px`;
  map.style.height = `${Math.ceil(all.height * scale)}px`;
  map.width = Math.ceil(all.width * scale * density);
  map.height = Math.ceil(all.height * scale * density);
  pen.scale(scale * density, scale * density);
  for (const [part, {x, y, width, height}] of places) {
    const element = boxes.get(part);
    if (!element || !element.classList.contains('box')) continue;
    const {classList} = element, isCurrent = classList.contains('current'), grow = isCurrent ? 2 / scale : 0;
    pen.fillStyle = colour(isCurrent || classList.contains('done') ? '--accent' : '--edge');
    pen.globalAlpha = isCurrent ? 1 : 0.45;
    pen.fillRect(x - grow, y - grow, Math.max(width, 1.5 / scale) + 2 * grow, Math.max(height, 1.5 / scale) + 2 * grow);
  }
  const {left, top} = corner();
  pen.globalAlpha = 1;
  pen.strokeStyle = colour('--ink');
  pen.lineWidth = 1.5 / scale;
  pen.strokeRect(left, top, view.clientWidth / zoom, view.clientHeight / zoom);
}

/// Where in the graph the view begins.
function corner() {
  const outer = byId('graph').getBoundingClientRect(), inner = byId('graph').firstChild.getBoundingClientRect();
  return {left: (outer.left - inner.left) / zoom, top: (outer.top - inner.top) / zoom};
}

function startCamera() {
  const view = byId('graph'), map = byId('minimap');
  dragToScroll(view);
  let waiting = false;
  view.addEventListener('scroll', () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; drawMinimap(); });
  }, {passive: true});
  new ResizeObserver(() => {
    if (nodes.length === 0) return;
    fit();
    drawMinimap();
  }).observe(view);
  const moveTo = event => {
    if (!(event.buttons & 1)) return;
    const box = map.getBoundingClientRect(), all = places.get('g0'), {left, top} = corner();
    const x = (event.clientX - box.left) / box.width * all.width, y = (event.clientY - box.top) / box.height * all.height;
    view.scrollBy((x - left) * zoom - view.clientWidth / 2, (y - top) * zoom - view.clientHeight / 2);
  };
  map.addEventListener('pointerdown', event => { map.setPointerCapture(event.pointerId); moveTo(event); });
  map.addEventListener('pointermove', moveTo);
}
