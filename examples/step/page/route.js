// --- where edges run ------------------------------------------------------------------------------
/// The four points of a curve from the bottom of a box to the top of one below it, or from side to side;
/// `aside` bends it.
function curve(a, b, aside = 0) {
  const ax = a.x + a.width / 2, bx = b.x + b.width / 2, ay = a.y + a.height / 2, by = b.y + b.height / 2;
  if (b.y >= a.y + a.height) {
    const bend = Math.min(60, (b.y - a.y - a.height) / 2) + Math.abs(aside) / 4;
    return [[ax, a.y + a.height], [ax + aside, a.y + a.height + bend], [bx + aside, b.y - bend], [bx, b.y]];
  }
  if (b.x >= a.x + a.width) {
    const bend = Math.min(60, (b.x - a.x - a.width) / 2);
    return [[a.x + a.width, ay], [a.x + a.width + bend, ay], [b.x - bend, by], [b.x, by]];
  }
  const out = Math.max(a.x + a.width, b.x + b.width) + 34, self = a === b ? a.height / 4 : 0;
  return [[a.x + a.width, ay + self], [out, ay + self], [out, by - self], [b.x + b.width, by - self]];
}

function pointOf([p, q, r, s], t) {
  return [0, 1].map(axis => (1 - t) ** 3 * p[axis] + 3 * (1 - t) ** 2 * t * q[axis] + 3 * (1 - t) * t ** 2 * r[axis] + t ** 3 * s[axis]);
}

/// A curve that passes under as few boxes and titles as possible, and bends no more than that takes.
function route(a, b, obstacles) {
  const straight = curve(a, b), height = b.y - a.y - a.height, near = 4, samples = 14;
  if (height < 100) return straight;
  const between = obstacles.filter(place => place !== a && place !== b && place.y < b.y && place.y + place.height > a.y + a.height);
  if (between.length > 150) return straight;
  const hits = bow => {
    let count = 0;
    for (let i = 1; i < samples; ++i) {
      const [x, y] = pointOf(bow, i / samples);
      if (between.some(place => x > place.x - near && x < place.x + place.width + near && y > place.y - near && y < place.y + place.height + near)) ++count;
    }
    return count;
  };
  let best = straight, least = hits(straight);
  for (let aside = 40; least > 0 && aside <= 400; aside += 40)
    for (const bow of [curve(a, b, aside), curve(a, b, -aside)])
      if (hits(bow) < least) [best, least] = [bow, hits(bow)];
  return best;
}

/// A place on the curve for something of this size, where nothing else is if possible.
function spotOn(bow, width, height) {
  let place;
  for (const t of [.5, .4, .6, .3, .7, .2, .8, .5]) {
    const [x, y] = pointOf(bow, t);
    place = {x: x - width / 2, y: y - height / 2, width, height};
    if (!taken.some(other => place.x < other.x + other.width && other.x < place.x + width && place.y < other.y + other.height && other.y < place.y + height)) break;
  }
  taken.push(place);
  return place;
}
