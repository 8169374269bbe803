// How people move about in the timeline: wheel, drag, keys; what is under the pointer.

function showAll() {
  view.from = 0;
  view.to = axis.length;
  drawTimelineSoon();
}

function setView(from, to) {
  const length = Math.min(Math.max(to - from, 0.5), axis.length);
  view.from = Math.min(Math.max(from, 0), axis.length - length);
  view.to = view.from + length;
  drawTimelineSoon();
}

function zoom(factor, around = (view.from + view.to) / 2) {
  setView(around - (around - view.from) * factor, around + (view.to - around) * factor);
}

const pan = (part) => setView(view.from + (view.to - view.from) * part, view.to + (view.to - view.from) * part);

/** Bring a run into sight. */
function reveal(run) {
  const from = position(runs.start[run]);
  const to = position(runs.start[run] + runs.took[run]);
  const length = view.to - view.from;
  if (to < view.from || from > view.to) setView((from + to) / 2 - length / 2, (from + to) / 2 + length / 2);
  const top = laneTop[runs.lane[run]];
  const room = height - TOP;
  if (top < lanesBox.scrollTop) lanesBox.scrollTop = top;
  else if (top + laneHeight > lanesBox.scrollTop + room) lanesBox.scrollTop = top + laneHeight - room;
}

/** The run under a point of the canvas, the innermost one; null if there is none within a few pixels. */
function runAt(x, y) {
  const inside = y - TOP + lanesBox.scrollTop;
  const lane = laneTop.findIndex((top) => inside >= top && inside < top + laneHeight);
  if (lane < 0 || x < GUTTER || y < TOP) return null;
  let best = null;
  let nearest = 4;
  for (const run of runsOfLane[lane]) {
    const left = xOf(runs.start[run]);
    if (left > x + nearest) break;
    const right = xOf(runs.start[run] + runs.took[run]);
    const away = x < left ? left - x : x > right ? x - right : 0;
    const deeper = away === 0 && best !== null && runs.depth[run] >= runs.depth[best];
    if (away < nearest || (away === nearest && away === 0 && deeper)) {
      best = run;
      nearest = away;
    }
  }
  return best;
}

const tip = byId("tip");
function showTip(run, x, y) {
  const job = runs.job[run];
  tip.replaceChildren(
    make("div", { class: "command" }, jobs.command[job]),
    make("div", { class: "note" }, `${callJob(job)} · ${data.outcomes[runs.outcome[run]]} · ${duration(runs.took[run])}`),
    make("div", { class: "note" }, `${clock(runs.start[run], 4)} on ${data.lanes[runs.lane[run]].label}`),
  );
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 12 : y + 18}px`;
}

function placeOf(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

let dragging = null;
canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  dragging = { x: event.clientX, y: event.clientY, from: view.from, top: lanesBox.scrollTop, moved: false };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  if (dragging) {
    const by = event.clientX - dragging.x;
    dragging.moved ||= Math.abs(by) + Math.abs(event.clientY - dragging.y) > 4;
    if (!dragging.moved) return;
    canvas.classList.add("dragging");
    tip.hidden = true;
    const length = view.to - view.from;
    setView(dragging.from - by / scale(), dragging.from - by / scale() + length);
    lanesBox.scrollTop = dragging.top - (event.clientY - dragging.y);
    return;
  }
  const [x, y] = placeOf(event);
  const run = runAt(x, y);
  canvas.style.cursor = run === null ? "" : "pointer";
  if (run === null) tip.hidden = true;
  else showTip(run, event.clientX, event.clientY);
});
canvas.addEventListener("pointerup", (event) => {
  const wasClick = dragging && !dragging.moved;
  dragging = null;
  canvas.classList.remove("dragging");
  if (!wasClick) return;
  const run = runAt(...placeOf(event));
  if (run === null) choose(null);
  else choose(runs.job[run], run);
});
canvas.addEventListener("pointerleave", () => {
  tip.hidden = true;
});
canvas.addEventListener("pointercancel", () => {
  dragging = null;
});
canvas.addEventListener(
  "wheel",
  (event) => {
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const amount = sideways ? event.deltaX || event.deltaY : event.deltaY;
    if (!sideways && amount > 0 && view.to - view.from >= axis.length) return;
    event.preventDefault();
    tip.hidden = true;
    if (sideways) pan(amount / 1000);
    else zoom(Math.exp(Math.max(-0.6, Math.min(0.6, amount / 350))), view.from + (placeOf(event)[0] - GUTTER) / scale());
  },
  { passive: false },
);

/** The run that follows in the lane, or the nearest one of the next lane. */
function neighbour(key) {
  if (chosen.run === null) return runCount ? runsOfLane.find((lane) => lane.length)[0] : null;
  const lane = runs.lane[chosen.run];
  const row = runsOfLane[lane];
  if (key === "ArrowLeft") return row[row.indexOf(chosen.run) - 1] ?? null;
  if (key === "ArrowRight") return row[row.indexOf(chosen.run) + 1] ?? null;
  const step = key === "ArrowUp" ? -1 : 1;
  for (let other = lane + step; other >= 0 && other < runsOfLane.length; other += step) {
    const away = (run) => Math.abs(runs.start[run] - runs.start[chosen.run]);
    if (runsOfLane[other].length) return runsOfLane[other].reduce((best, run) => (away(run) < away(best) ? run : best));
  }
  return null;
}

const timelineKeys = {
  "+": () => zoom(0.6),
  "=": () => zoom(0.6),
  "-": () => zoom(1 / 0.6),
  0: showAll,
  Home: showAll,
  Escape: () => choose(null),
};
canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.startsWith("Arrow")) {
    event.preventDefault();
    if (event.shiftKey) {
      if (event.key === "ArrowLeft" || event.key === "ArrowRight") pan(event.key === "ArrowLeft" ? -0.2 : 0.2);
      return;
    }
    const run = neighbour(event.key);
    if (run === null) return;
    choose(runs.job[run], run);
    reveal(run);
    say(`${data.lanes[runs.lane[run]].label}: ${cut(jobs.command[runs.job[run]], 80)}, ${duration(runs.took[run])}`);
  } else if (timelineKeys[event.key]) {
    event.preventDefault();
    timelineKeys[event.key]();
  }
});
lanesBox.addEventListener("scroll", drawTimelineSoon);

// -- colours and what they mean -----------------------------------------------------------------
function swatch(colour, hatched = false) {
  const box = makeSvg("svg", { class: "swatch", viewBox: "0 0 13 11", "aria-hidden": "true" });
  box.append(makeSvg("rect", { width: 13, height: 11, fill: colour }));
  if (hatched) {
    const lines = "M-2 11 9-1M4 12 15 0M1 1H12V10H1Z";
    box.append(makeSvg("path", { d: lines, stroke: "#000", "stroke-opacity": 0.65, fill: "none" }));
  }
  return box;
}

function showLegend() {
  const entries = [];
  if (byKind) {
    for (const kind of kindsByTime.slice(0, kindColours.length)) entries.push([colourOfKind[kind], data.kinds[kind]]);
    if (data.kinds.length > kindColours.length) entries.push([otherColour, "other commands"]);
  } else {
    const met = new Set(runs.outcome);
    data.outcomes.forEach((name, outcome) => {
      if (met.has(outcome)) entries.push([outcomeColours[outcome], name, failedOutcomes.has(outcome)]);
    });
  }
  byId("legend").replaceChildren(
    ...entries.map(([colour, name, hatched]) => make("span", {}, swatch(colour, hatched), name)),
  );
}
