// Time on the timeline: all of it, or without the hours in which nothing ran.
// A position is in milliseconds too, counted without what is skipped.

const firstMs = runCount ? runs.start[0] : 0;
let lastMs = 1;
for (let run = 0; run < runCount; run++) lastMs = Math.max(lastMs, runs.start[run] + runs.took[run]);

/** Stretches of time in which something ran, those put together that are close to each other. */
function busyStretches() {
  const stretches = [];
  const close = Math.max(1000, (lastMs - firstMs) / 200);
  for (let run = 0; run < runCount; run++) {
    const from = runs.start[run];
    const to = from + runs.took[run];
    const last = stretches[stretches.length - 1];
    if (last && from - last.to <= close) last.to = Math.max(last.to, to);
    else stretches.push({ from, to });
  }
  return stretches;
}

const stretches = busyStretches();
const busyMs = stretches.reduce((sum, one) => sum + one.to - one.from, 0);
const idleMs = lastMs - firstMs - busyMs;
const axis = { pieces: [], length: 1 };

function setAxis(skipIdle) {
  const whole = [{ from: firstMs, to: lastMs }];
  const wanted = skipIdle && stretches.length > 1 ? stretches : whole;
  const length = wanted.reduce((sum, one) => sum + one.to - one.from, 0);
  const gap = wanted.length > 1 ? Math.min(length * 0.02, (length * 0.4) / wanted.length) : 0;
  const margin = length * 0.005 + 0.5;
  let at = 0;
  axis.pieces = wanted.map(({ from, to }) => {
    const piece = { from: from - margin, to: to + margin, at };
    at += to - from + 2 * margin + gap;
    return piece;
  });
  axis.length = Math.max(at - gap, 1);
}

/** Where a moment lies; one that is skipped lies at the end of what is before it. */
function position(ms) {
  let low = 0;
  let high = axis.pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (axis.pieces[middle].from <= ms) low = middle;
    else high = middle - 1;
  }
  const piece = axis.pieces[low];
  return piece.at + Math.min(Math.max(ms, piece.from), piece.to) - piece.from;
}

const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500];
for (const [unit, sizes] of [
  [1000, [1, 2, 5, 10, 15, 30]],
  [60000, [1, 2, 5, 10, 15, 30]],
  [3600000, [1, 2, 3, 6, 12]],
  [86400000, [1, 2, 7, 14, 28, 91, 364]],
]) {
  for (const size of sizes) steps.push(size * unit);
}

/** Round moments of the viewer's clock that are at least so far apart, with what to call them. */
function ticks(from, to, apart) {
  const step = steps.find((size) => size >= apart) ?? apart;
  const zone = data.t0 - dateAt(from).getTimezoneOffset() * 60000;
  const found = [];
  for (const piece of axis.pieces) {
    const begin = Math.max(piece.from, piece.from + from - piece.at);
    const end = Math.min(piece.to, piece.from + to - piece.at);
    if (end < begin) continue;
    for (let ms = Math.ceil((begin + zone) / step) * step - zone; ms <= end; ms += step) {
      found.push({ at: piece.at + ms - piece.from, text: tickText(ms, step) });
    }
  }
  return found;
}

function tickText(ms, step) {
  if (step >= 86400000) return day(ms);
  const midnight = clock(ms) === "00:00:00";
  if (midnight) return day(ms);
  return clock(ms, step >= 60000 ? 2 : step >= 1000 ? 3 : 4);
}
