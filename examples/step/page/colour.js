// --- numbers as colours -------------------------------------------------------------------------
// What is never negative (weights) goes from paper to ink, so that the largest stands out. What has
// both signs has paper at 0, blue below and orange above, which the colour-blind can tell apart.
// Only NaN and infinities have the colour of alarm.
const ramps = {
  light: {plain: [[255, 254, 251], [206, 213, 222], [141, 155, 173], [73, 88, 110], [16, 24, 38]],
          signed: [[6, 58, 122], [66, 118, 182], [160, 190, 224], [255, 254, 251], [243, 194, 150], [206, 116, 46], [134, 56, 4]]},
  dark: {plain: [[26, 30, 37], [58, 67, 79], [108, 120, 136], [172, 182, 194], [250, 246, 236]],
         signed: [[150, 203, 255], [76, 142, 206], [40, 74, 112], [26, 30, 37], [112, 66, 30], [206, 126, 62], [255, 190, 130]]},
};
const alarm = [222, 0, 110];
const shadesOf = ramp => Array.from({length: 1024}, (_, k) => {
  const at = k / 1023 * (ramp.length - 1), i = Math.min(Math.floor(at), ramp.length - 2);
  return ramp[i].map((c, channel) => Math.round(c + (ramp[i + 1][channel] - c) * (at - i)));
});
const shades = {};
for (const theme in ramps) shades[theme] = {plain: shadesOf(ramps[theme].plain), signed: shadesOf(ramps[theme].signed)};

function kindOfRamp(low) { return low < 0 ? 'signed' : 'plain'; }
function rampFor(low) { return ramps[document.documentElement.dataset.theme][kindOfRamp(low)]; }
function shadesFor(low) { return shades[document.documentElement.dataset.theme][kindOfRamp(low)]; }

/// Symmetric around 0 where there are negative numbers.
function rangeOf(x) {
  const low = x.min ?? 0, high = x.max ?? 0, size = Math.max(Math.abs(low), Math.abs(high));
  return low < 0 ? [-size, size] : [0, high];
}

function shade(v, low, high, palette = shadesFor(low)) {
  if (!Number.isFinite(v)) return alarm;
  const at = high > low ? (v - low) / (high - low) : 0;
  return palette[Math.round(Math.min(1, Math.max(0, at)) * 1023)];
}

/// A canvas with a pixel per number, in the colours of shade().
function painted(values, across, down, low, high, attributes) {
  const canvas = make('canvas', {width: across, height: down, ...attributes});
  const pixels = new ImageData(across, down), palette = shadesFor(low);
  for (let i = 0, k = 0; i < across * down; ++i, k += 4) {
    const colour = i < values.length ? shade(values[i], low, high, palette) : palette[0];
    pixels.data[k] = colour[0];
    pixels.data[k + 1] = colour[1];
    pixels.data[k + 2] = colour[2];
    pixels.data[k + 3] = i < values.length ? 255 : 0;
  }
  canvas.getContext('2d').putImageData(pixels, 0, 0);
  return canvas;
}

function css([r, g, b]) { return `rgb(${r} ${g} ${b})`; }

/// Black or white, whichever stands out more: at least 4.5 : 1.
function inkOn(colour) {
  const [r, g, b] = colour.map(c => c / 255).map(c => c > 0.04045 ? ((c + 0.055) / 1.055) ** 2.4 : c / 12.92);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000000' : '#ffffff';
}
