// What failed, with its log; and the critical path, step by step.

const MOST_FAILURES = 200;

function failedJobs() {
  const failed = [];
  for (let job = 0; job < jobCount; job++) if (stateOf(job) === "failed") failed.push(job);
  return failed;
}

/** Failed jobs that depended, at any distance, on each failed job that ran. */
function victims(job) {
  const found = new Set();
  const stack = [job];
  while (stack.length && found.size < 1000) {
    for (const link of targets[stack.pop()]) {
      const next = data.links.to[link];
      if (stateOf(next) === "failed" && !found.has(next)) {
        found.add(next);
        stack.push(next);
      }
    }
  }
  return found.size;
}

function failureLine(job) {
  const run = runsOf[job].findLast((one) => failedOutcomes.has(runs.outcome[one])) ?? null;
  const error = run !== null && runs.error[run] !== null ? runs.error[run] : jobs.error[job];
  const log = run === null ? null : (runs.err[run] ?? runs.out[run]);
  const took = run === null ? "did not run" : `after ${duration(runs.took[run])}`;
  const also = victims(job);
  const notes = [moment(run === null ? null : runs.start[run]), took, also ? `${count(also, "job")} failed with it` : ""];
  return make(
    "li",
    { class: "failure" },
    make("div", { class: "row" }, jobLink(job, callJob(job)), jobLink(job, cut(jobs.command[job], 300)), make("span", { class: "grow" })),
    make("div", { class: "error" }, error === null || error === undefined ? "failed" : data.errors[error].split("\n", 1)[0]),
    make("div", { class: "note" }, notes.filter(Boolean).join(" · ")),
    log === null ? null : make("pre", { class: "log", tabindex: 0, "aria-label": `Log of job ${callJob(job)}` }, data.logs.text[log]),
  );
}

function showFailures() {
  const failed = failedJobs();
  const ran = (job) => (runsOf[job].length ? 0 : 1);
  failed.sort((a, b) => ran(a) - ran(b) || a - b);
  const tab = byId("failures-tab");
  tab.append(make("span", { class: failed.length ? "badge bad" : "badge" }, failed.length.toLocaleString("en")));
  const panel = byId("failures-panel");
  if (!failed.length) {
    panel.append(make("p", { class: "empty" }, "Nothing failed."));
    return;
  }
  const list = make("ul", { class: "list", tabindex: 0, "aria-label": "Failures" }, ...failed.slice(0, MOST_FAILURES).map(failureLine));
  panel.append(list);
  if (failed.length > MOST_FAILURES) {
    const text = `${count(failed.length - MOST_FAILURES, "more job")} failed: filter the table by “failed” to see all.`;
    panel.append(make("p", { class: "note" }, text));
  }
}

/** One bar for each step: when it waited, and when it ran. */
function stepBar(job, from, to) {
  const run = runsOf[job].findLast((one) => !failedOutcomes.has(runs.outcome[one])) ?? null;
  const bar = makeSvg("svg", { viewBox: "0 0 1000 14", preserveAspectRatio: "none", "aria-hidden": "true" });
  if (run === null) return bar;
  const x = (ms) => ((ms - from) / Math.max(to - from, 1)) * 1000;
  const left = x(runs.start[run]);
  bar.append(makeSvg("rect", { x: left, y: 1, width: Math.max(4, x(runs.start[run] + runs.took[run]) - left), height: 12, rx: 2, fill: colourOfKind[jobs.kind[job]] }));
  return bar;
}

function showCritical() {
  const panel = byId("critical-panel");
  const chain = data.critical;
  byId("critical-tab").append(make("span", { class: "badge" }, String(chain.length)));
  if (!chain.length) {
    panel.append(make("p", { class: "empty" }, "No job ran."));
    return;
  }
  const ran = chain.filter((job) => started[job] !== null);
  const ends = ran.map((job) => started[job] + (jobs.took[job] ?? 0));
  const from = Math.min(...ran.map((job) => started[job]));
  const to = Math.max(...ends);
  const total = chain.reduce((sum, job) => sum + (jobs.took[job] ?? 0), 0);
  const meaning = `The longest chain of jobs that each needed the one before: ${duration(total)}. With any number of workers the work takes at least so long.`;
  const head = make("li", { class: "step head" }, ...["", "Job", "Took", "Waited", "When"].map((text, place) => make("span", { class: place === 2 || place === 3 ? "number" : "" }, text)));
  const steps = chain.slice(0, 1000).map((job, place) => {
    const before = place ? chain[place - 1] : null;
    const since = before === null || started[before] === null ? null : started[before] + (jobs.took[before] ?? 0);
    const waited = since === null || started[job] === null ? null : started[job] - since;
    return make(
      "li",
      { class: "step" },
      make("span", { class: "note" }, String(place + 1)),
      jobLink(job, `${callJob(job)} ${cut(jobs.command[job], 200)}`),
      make("span", { class: "number" }, duration(jobs.took[job])),
      make("span", { class: "number note" }, waited === null || waited < 0 ? "" : duration(waited)),
      stepBar(job, from, to),
    );
  });
  panel.append(make("p", { class: "note" }, meaning), make("ul", { class: "list" }, head, ...steps));
}
