// Who ran what when: a canvas, because ten thousand runs are too many elements.

const canvas = byId("canvas");
const lanesBox = byId("lanes");
const drawing = canvas.getContext("2d");
const GUTTER = 116;
const AXIS_HEIGHT = 22;
const LOAD_HEIGHT = 30;
const TOP = AXIS_HEIGHT + LOAD_HEIGHT;
const HEAD_HEIGHT = 19;
let deepest = 0;
for (let run = 0; run < runCount; run++) deepest = Math.max(deepest, runs.depth[run]);
/** Jobs inside jobs want room: each level leaves a strip of the one below. */
const laneHeight = (data.lanes.length <= 14 ? 22 : data.lanes.length <= 40 ? 15 : 10) + Math.min(deepest, 3) * 10;

/** Rows from top to bottom: a heading for each group, then its lanes. */
const places = [];
const laneTop = [];
let rowsHeight = 0;
data.lanes.forEach((lane, number) => {
  if (number === 0 || data.lanes[number - 1].group !== lane.group) {
    places.push({ heading: lane.group, top: rowsHeight });
    rowsHeight += HEAD_HEIGHT;
  }
  laneTop.push(rowsHeight);
  places.push({ lane: number, top: rowsHeight });
  rowsHeight += laneHeight;
});
const runsOfLane = data.lanes.map(() => []);
for (let run = 0; run < runCount; run++) runsOfLane[runs.lane[run]].push(run);

const view = { from: 0, to: 1 };
let width = 0;
let height = 0;
let byKind = true;
let theme = {};

const filler = make("div");
lanesBox.append(filler);

function resizeTimeline() {
  const ratio = devicePixelRatio || 1;
  width = lanesBox.clientWidth;
  height = Math.min(TOP + rowsHeight + 4, parseFloat(getComputedStyle(lanesBox).maxHeight) || 340);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  canvas.style.position = "sticky";
  canvas.style.top = "0";
  filler.style.height = `${Math.max(0, TOP + rowsHeight + 4 - height)}px`;
  drawing.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawTimeline();
}

const inner = () => Math.max(width - GUTTER - 6, 10);
const scale = () => inner() / (view.to - view.from);
const xOf = (ms) => GUTTER + (position(ms) - view.from) * scale();

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["text", "quiet", "line", "soft", "card", "accent"]) {
    theme[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

const colourOf = (run) =>
  byKind ? colourOfKind[jobs.kind[runs.job[run]]] : (outcomeColours[runs.outcome[run]] ?? otherColour);

const drawTimelineSoon = later(drawTimeline);
function drawTimeline() {
  readTheme();
  drawing.clearRect(0, 0, width, height);
  drawing.font = "12px system-ui, sans-serif";
  drawing.textBaseline = "middle";
  const scrolled = lanesBox.scrollTop;
  drawing.save();
  drawing.beginPath();
  drawing.rect(0, TOP, width, height - TOP);
  drawing.clip();
  drawing.translate(0, TOP - scrolled);
  drawRows();
  drawGrid();
  drawing.save();
  drawing.beginPath();
  drawing.rect(GUTTER, 0, width - GUTTER, rowsHeight);
  drawing.clip();
  for (const place of places) {
    const seen = place.top + laneHeight > scrolled && place.top < scrolled + height;
    if (place.lane !== undefined && seen) drawLane(place.lane, place.top);
  }
  drawChosen();
  drawing.restore();
  drawing.restore();
  drawAxis();
  drawLoad();
}

/** How many jobs ran at once, in each column of pixels: the mean over its time. */
function loads() {
  const columns = Math.ceil(inner()) + 2;
  const changes = new Float64Array(columns + 2);
  const change = (x, by) => {
    const place = Math.min(Math.max(x - GUTTER, 0), columns);
    const whole = Math.floor(place);
    changes[whole] += by * (1 - (place - whole));
    changes[whole + 1] += by * (place - whole);
  };
  for (let run = 0; run < runCount; run++) {
    if (runs.depth[run]) continue;
    const left = xOf(runs.start[run]);
    if (left > width) break;
    change(left, 1);
    change(xOf(runs.start[run] + runs.took[run]), -1);
  }
  let now = 0;
  return changes.subarray(0, columns).map((by) => (now += by));
}

function drawLoad() {
  const found = loads();
  const most = Math.max(1, Math.round(found.reduce((best, one) => Math.max(best, one), 0) * 10) / 10);
  const bottom = TOP - 4;
  const high = LOAD_HEIGHT - 8;
  drawing.fillStyle = theme.quiet;
  drawing.fillText("jobs at once", 10, TOP - LOAD_HEIGHT / 2);
  drawing.textAlign = "right";
  drawing.font = "10.5px system-ui, sans-serif";
  drawing.fillText(String(Math.round(most)), GUTTER - 5, bottom - high + 4);
  drawing.font = "12px system-ui, sans-serif";
  drawing.textAlign = "left";
  drawing.beginPath();
  drawing.moveTo(GUTTER, bottom);
  found.forEach((load, column) => {
    const y = bottom - (Math.max(load, 0) / most) * high;
    drawing.lineTo(GUTTER + column, y);
    drawing.lineTo(GUTTER + column + 1, y);
  });
  drawing.lineTo(GUTTER + found.length, bottom);
  drawing.globalAlpha = 0.35;
  drawing.fillStyle = theme.accent;
  drawing.fill();
  drawing.globalAlpha = 1;
}

function drawRows() {
  for (const place of places) {
    if (place.heading !== undefined) {
      drawing.fillStyle = theme.text;
      drawing.font = "600 12px system-ui, sans-serif";
      drawing.fillText(place.heading, 2, place.top + HEAD_HEIGHT / 2 + 2);
      drawing.font = "12px system-ui, sans-serif";
      continue;
    }
    const lane = data.lanes[place.lane];
    if (laneHeight >= 12) {
      drawing.fillStyle = theme.quiet;
      drawing.fillText(lane.label, 10, place.top + laneHeight / 2);
    }
    drawing.fillStyle = theme.soft;
    for (const [from, to] of lane.alive) {
      const left = Math.max(xOf(from), GUTTER);
      drawing.fillRect(left, place.top + 1, Math.max(0, Math.min(xOf(to), width) - left), laneHeight - 2);
    }
  }
}

/** Gaps between the stretches, where idle time is skipped. */
function drawGrid() {
  for (let number = 1; number < axis.pieces.length; number++) {
    const before = axis.pieces[number - 1];
    const from = GUTTER + (before.at + before.to - before.from - view.from) * scale();
    const to = GUTTER + (axis.pieces[number].at - view.from) * scale();
    if (to < GUTTER || from > width) continue;
    const left = Math.max(from, GUTTER);
    drawing.fillStyle = theme.card;
    drawing.fillRect(left, 0, to - left, rowsHeight);
    drawing.strokeStyle = theme.line;
    drawing.lineWidth = 1;
    drawing.beginPath();
    for (let y = -20; y < rowsHeight; y += 6) {
      drawing.moveTo(left, y + (to - left));
      drawing.lineTo(to, y);
    }
    drawing.stroke();
  }
}

function drawAxis() {
  drawing.fillStyle = theme.card;
  drawing.fillRect(0, 0, width, AXIS_HEIGHT);
  drawing.strokeStyle = theme.line;
  drawing.fillStyle = theme.quiet;
  drawing.lineWidth = 1;
  let free = GUTTER - 20;
  for (const tick of ticks(view.from, view.to, 85 / scale())) {
    const x = Math.round(GUTTER + (tick.at - view.from) * scale()) + 0.5;
    drawing.beginPath();
    drawing.moveTo(x, AXIS_HEIGHT - 5);
    drawing.lineTo(x, AXIS_HEIGHT);
    drawing.stroke();
    const wide = drawing.measureText(tick.text).width;
    const left = Math.min(x - wide / 2, width - wide - 2);
    if (left < free) continue;
    drawing.fillText(tick.text, left, AXIS_HEIGHT / 2 - 2);
    free = left + wide + 10;
  }
  drawing.beginPath();
  drawing.moveTo(GUTTER, AXIS_HEIGHT - 0.5);
  drawing.lineTo(width, AXIS_HEIGHT - 0.5);
  drawing.stroke();
}

/** What is narrower than a pixel is drawn once; failures at last, so that none is covered. */
function drawLane(lane, top) {
  const failures = [];
  let lastX = -1;
  let lastColour = null;
  for (const run of runsOfLane[lane]) {
    const left = xOf(runs.start[run]);
    if (left > width) break;
    const right = xOf(runs.start[run] + runs.took[run]);
    if (right < GUTTER) continue;
    if (failedOutcomes.has(runs.outcome[run])) {
      failures.push(run);
      continue;
    }
    const colour = colourOf(run);
    const dim = passing < jobCount && !passes[runs.job[run]];
    if (right - left < 1 && Math.floor(left) === lastX && colour === lastColour && !dim) continue;
    lastX = dim ? -1 : Math.floor(left);
    lastColour = colour;
    drawRun(run, left, right, top, colour, dim);
  }
  for (const run of failures) {
    const left = xOf(runs.start[run]);
    const right = Math.max(xOf(runs.start[run] + runs.took[run]), left + 3);
    drawRun(run, left, right, top, colourOf(run), passing < jobCount && !passes[runs.job[run]]);
    drawFailure(run, left, right, top);
  }
}

function boxOf(run, top) {
  const inset = deepest ? Math.round((runs.depth[run] / deepest) * (laneHeight - 14)) : 0;
  return [top + 2 + inset, laneHeight - 4 - inset];
}

function drawRun(run, left, right, top, colour, dim) {
  const [y, high] = boxOf(run, top);
  const from = Math.max(left, GUTTER - 2);
  const wide = Math.min(right, width + 2) - from;
  drawing.globalAlpha = dim ? 0.15 : 1;
  drawing.fillStyle = colour;
  drawing.fillRect(from, y, Math.max(wide - (wide > 4 ? 1 : 0), 0.8), high);
  if (wide > 46 && high >= 9 && !dim) {
    drawing.fillStyle = isLight(colour) ? "#111" : "#fff";
    drawing.save();
    drawing.beginPath();
    drawing.rect(from, y, wide - 3, high);
    drawing.clip();
    drawing.font = "11px system-ui, sans-serif";
    drawing.fillText(shortName(runs.job[run]), from + 4, y + Math.min(high, deepest ? 12 : high) / 2 + 0.5);
    drawing.font = "12px system-ui, sans-serif";
    drawing.restore();
  }
  drawing.globalAlpha = 1;
}

/** A failure has a dark edge and strokes across it, for print and for those who see no colours. */
function drawFailure(run, left, right, top) {
  const [y, high] = boxOf(run, top);
  drawing.save();
  drawing.beginPath();
  drawing.rect(left, y, right - left, high);
  drawing.clip();
  drawing.strokeStyle = "rgb(0 0 0 / 0.65)";
  drawing.lineWidth = 1.2;
  drawing.beginPath();
  for (let x = Math.max(left, GUTTER) - high; x < Math.min(right, width); x += 6) {
    drawing.moveTo(x, y + high);
    drawing.lineTo(x + high, y);
  }
  drawing.stroke();
  drawing.lineWidth = 2;
  drawing.strokeRect(left, y, right - left, high);
  drawing.restore();
}

function isLight(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return red * 0.3 + green * 0.59 + blue * 0.11 > 120;
}

/** The chosen run, and lines from the jobs whose files it has read and to those that read its own. */
function drawChosen() {
  if (chosen.run === null) return;
  const run = chosen.run;
  const middle = laneHeight / 2;
  const from = [xOf(runs.start[run]), laneTop[runs.lane[run]] + middle];
  const to = [xOf(runs.start[run] + runs.took[run]), from[1]];
  drawing.strokeStyle = theme.text;
  drawing.lineWidth = 1.2;
  drawing.globalAlpha = 0.55;
  for (const link of sources[chosen.job].slice(0, 200)) drawLink(data.links.from[link], (end) => curve(end[1], from));
  for (const link of targets[chosen.job].slice(0, 200)) drawLink(data.links.to[link], (end) => curve(to, end[0]));
  drawing.globalAlpha = 1;
  const [y, high] = boxOf(run, laneTop[runs.lane[run]]);
  drawing.lineWidth = 2.5;
  drawing.strokeStyle = theme.text;
  drawing.strokeRect(from[0] - 1, y - 1, Math.max(to[0] - from[0] + 1, 3), high + 2);
}

function drawLink(job, draw) {
  const run = runsOf[job][runsOf[job].length - 1];
  if (run === undefined) return;
  const y = laneTop[runs.lane[run]] + laneHeight / 2;
  draw([
    [xOf(runs.start[run]), y],
    [xOf(runs.start[run] + runs.took[run]), y],
  ]);
}

function curve([x1, y1], [x2, y2]) {
  const bend = Math.max(18, Math.abs(x2 - x1) / 3);
  drawing.beginPath();
  drawing.moveTo(x1, y1);
  drawing.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
  drawing.stroke();
}
