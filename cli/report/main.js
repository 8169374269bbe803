// Puts the parts together.

const tabs = ["jobs", "failures", "graph", "critical"];

function showTab(name, focus = false) {
  for (const one of tabs) {
    const tab = byId(`${one}-tab`);
    tab.setAttribute("aria-selected", String(one === name));
    tab.tabIndex = one === name ? 0 : -1;
    byId(`${one}-panel`).hidden = one !== name;
  }
  if (focus) byId(`${name}-tab`).focus();
  if (name === "graph") showGraph();
  if (name === "failures") showEnds(byId("failures-panel"));
  if (name === "jobs") drawRowsOfTable();
}

tabs.forEach((name, place) => {
  const tab = byId(`${name}-tab`);
  tab.addEventListener("click", () => showTab(name));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) showTab(tabs[(place + step + tabs.length) % tabs.length], true);
  });
});

byId("colours").addEventListener("change", (event) => {
  byKind = event.target.value === "kind";
  showLegend();
  drawTimeline();
});
byId("idle").addEventListener("change", (event) => {
  setAxis(event.target.checked);
  showAll();
});
byId("zoom-in").addEventListener("click", () => zoom(0.6));
byId("zoom-out").addEventListener("click", () => zoom(1 / 0.6));
byId("zoom-all").addEventListener("click", showAll);
addEventListener("keydown", (event) => {
  if (event.key === "/" && !["INPUT", "SELECT", "TEXTAREA"].includes(document.activeElement.tagName)) {
    event.preventDefault();
    search.focus();
  }
});

onChoice.push(drawTimelineSoon, showDetails, drawTableSoon, () => {
  if (chosen.job !== null && graphMode.value === "kinds") graphMode.value = "around";
  showGraph();
  if (chosen.job !== null && !byId("jobs-panel").hidden) showRow(chosen.job);
});
onFilter.push(() => {
  rowsBox.scrollTop = 0;
  showTable();
  drawTimelineSoon();
});

/** `#job=12`: the job of request 12 is chosen. */
function followFragment() {
  const wanted = /^#job=(\d+)$/.exec(location.hash);
  const job = wanted ? jobs.request.indexOf(Number(wanted[1])) : -1;
  if (job >= 0) {
    choose(job);
    showRow(job);
  }
}

function describeTimeline() {
  const what = `${count(runCount, "run")} of ${count(jobCount, "job")} in ${count(data.lanes.length, "row")}`;
  canvas.setAttribute("aria-label", `Timeline of the workers: ${what}. Arrow keys go from run to run.`);
}

function begin() {
  const skip = idleMs > 0.35 * (lastMs - firstMs) && stretches.length > 1;
  byId("idle").checked = skip;
  byId("idle-label").hidden = stretches.length < 2;
  setAxis(skip);
  view.to = axis.length;
  for (const option of graphMode.options) {
    if (option.value === "all") option.disabled = jobCount > MOST_NODES;
    if (option.value === "critical") option.disabled = !data.critical.length;
  }
  describeTimeline();
  showLegend();
  makeChips();
  showFailures();
  showCritical();
  showDetails();
  showTable();
  resizeTimeline();
  followFragment();
  new ResizeObserver(later(resizeTimeline)).observe(lanesBox);
  new ResizeObserver(drawTableSoon).observe(rowsBox);
  // At once: a printer does not wait for the next frame.
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", drawTimeline);
  addEventListener("hashchange", followFragment);
  document.documentElement.dataset.ready = "yes";
}

begin();
