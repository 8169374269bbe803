// All there is to know of the chosen job.

const detailsBox = byId("details");

function jobLink(job, text = `${callJob(job)} ${shortName(job)}`) {
  const style = { type: "button", class: "link", title: cut(jobs.command[job], 400) };
  return make("button", { ...style, onclick: () => choose(job) }, text);
}

/** What went wrong stands at the end of a log. */
function showEnds(box) {
  for (const log of box.querySelectorAll("pre.log")) log.scrollTop = log.scrollHeight;
}

function facts(...entries) {
  const list = make("dl");
  for (const [name, value] of entries) {
    if (value === "" || value === null || value === undefined) continue;
    list.append(make("dt", {}, name), make("dd", {}, value));
  }
  return list;
}

function logBlock(name, place) {
  if (place === null) return null;
  const note = data.logs.cut[place] ? " (the end)" : "";
  return make("div", {}, make("h3", {}, name + note), make("pre", { class: "log", tabindex: 0, "aria-label": name }, data.logs.text[place]));
}

/** A file, and the jobs that made it or read it. */
function fileLine(file, links, ends) {
  const name = fileName(file);
  const others = links.filter((link) => data.links.file[link] === name).map((link) => ends[link]);
  const line = make("li", {}, make("span", { class: "name mono", title: data.files.id[file] }, isFile(file)));
  if (others.length === 1) line.append(jobLink(others[0], callJob(others[0])));
  else if (others.length) line.append(make("span", { class: "note" }, count(others.length, "reader")));
  const size = data.files.size[file];
  line.append(make("span", { class: "note" }, size === null ? (data.files.id[file] ? "gone" : "not there yet") : bytes(size)));
  return line;
}

function fileList(title, files, more, links, ends) {
  if (!files.length) return null;
  const list = make("ul", { class: "files" }, ...files.map((file) => fileLine(file, links, ends)));
  if (more) list.append(make("li", { class: "note" }, `and ${more} more`));
  return make("div", {}, make("h3", {}, title), list);
}

function runLine(run) {
  const outcome = runs.outcome[run];
  const exit = runs.exit[run] ? `, exit code ${runs.exit[run]}` : "";
  const text = `${moment(runs.start[run])}: ${data.outcomes[outcome]}${exit} after ${duration(runs.took[run])}`;
  const mark = swatch(outcomeColours[outcome], failedOutcomes.has(outcome));
  return make("li", {}, mark, make("button", { type: "button", class: "link name", onclick: () => choose(runs.job[run], run) }, text));
}

function runFacts(run) {
  if (run === null) return [];
  const lane = data.lanes[runs.lane[run]];
  const exit = runs.exit[run] ? `, exit code ${runs.exit[run]}` : "";
  const began = jobs.created[runs.job[run]];
  const waited = runs.start[run] > began && runsOf[runs.job[run]][0] === run ? duration(runs.start[run] - began) : "";
  return [
    ["Outcome", data.outcomes[runs.outcome[run]] + exit],
    ["Began", `${day(runs.start[run])} ${clock(runs.start[run], 4)}`],
    ["Took", duration(runs.took[run])],
    ["Waited", waited],
    ["Processor", runs.cpu[run] === null ? "" : duration(runs.cpu[run])],
    ["Memory", runs.memory[run] === null ? "" : `${bytes(runs.memory[run])} at most`],
    ["Ran at", `${lane.label}, ${lane.group}`],
  ];
}

function linkList(title, links, ends) {
  const others = [...new Set(links.map((link) => ends[link]))];
  if (!others.length) return null;
  const list = make("ul", { class: "files" }, ...others.slice(0, 20).map((job) => make("li", {}, swatch(stateColours[stateOf(job)], stateOf(job) === "failed"), jobLink(job))));
  if (others.length > 20) list.append(make("li", { class: "note" }, `and ${others.length - 20} more`));
  return make("div", {}, make("h3", {}, title), list);
}

function showDetails() {
  const job = chosen.job;
  if (job === null) {
    const text = "Choose a job in the timeline, the table or the graph: here is what it did, with its files and its log.";
    detailsBox.replaceChildren(make("h2", { id: "details-title" }, "Job"), make("p", { class: "note" }, text));
    return;
  }
  const run = chosen.run;
  const error = run !== null && runs.error[run] !== null ? runs.error[run] : jobs.error[job];
  const again = jobs.again[job] ? `${count(jobs.asked[job], "time")}, ${jobs.again[job]} of them answered without a run` : "";
  const close = make("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => choose(null) }, "×");
  const log = [logBlock("Standard error", run === null ? null : runs.err[run]), logBlock("Standard output", run === null ? null : runs.out[run])];
  if (run !== null && !failedOutcomes.has(runs.outcome[run])) log.reverse();
  const hasLog = log.some(Boolean);
  detailsBox.replaceChildren(
    make("h2", { id: "details-title" }, `Job ${callJob(job)}`, stateMark(stateOf(job)), close),
    make("pre", { class: "command", tabindex: 0, "aria-label": "Command" }, jobs.command[job]),
    ...(error === null || error === undefined ? [] : [make("p", { class: "error" }, data.errors[error])]),
    facts(
      ...runFacts(run),
      ["In", make("span", { class: "mono" }, data.directories[jobs.directory[job]])],
      ["Asked by", jobs.part[job] === null ? "" : jobLink(jobs.part[job])],
      ["Label", data.labels[jobs.label[job]]],
      ["Asked for", again],
      ["Identity", jobs.id[job] ? make("span", { class: "mono" }, `${jobs.id[job]}…`) : "not known: an input never came"],
      ["", isCritical[job] ? "On the critical path" : ""],
    ),
    ...(hasLog ? log.filter(Boolean) : []),
    ...[
      fileList("Reads", jobs.inputs[job], jobs.moreIn[job], sources[job], data.links.from),
      fileList("Makes", jobs.outputs[job], jobs.moreOut[job], targets[job], data.links.to),
      linkList("Needs", sources[job], data.links.from),
      linkList("Needed by", targets[job], data.links.to),
    ].filter(Boolean),
    ...(runsOf[job].length > 1 ? [make("h3", {}, "Runs"), make("ul", { class: "files" }, ...runsOf[job].map(runLine))] : []),
  );
  detailsBox.scrollTop = 0;
  showEnds(detailsBox);
}
