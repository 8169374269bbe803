// All jobs: filtered, sorted, and only those rows made that can be seen.

const ROW_HEIGHT = 27;
const rowsBox = byId("rows");
const tableBody = byId("body");
const sorting = { by: "request", down: true };
let order = [];

const sortValues = {
  state: (job) => jobs.state[job],
  command: (job) => jobs.command[job],
  took: (job) => jobs.took[job],
  start: (job) => started[job],
  memory: (job) => memory[job],
  again: (job) => jobs.again[job],
  request: (job) => jobs.request[job],
};

/** Sorted by a column; what has no value comes last either way. */
function sortJobs() {
  const valueOf = sortValues[sorting.by];
  const sign = sorting.down ? -1 : 1;
  const values = jobs.command.map((_, job) => valueOf(job));
  order = [];
  for (let job = 0; job < jobCount; job++) if (passes[job]) order.push(job);
  order.sort((a, b) => {
    const one = values[a];
    const other = values[b];
    if (one === other) return a - b;
    if (one === null) return 1;
    if (other === null) return -1;
    return one < other ? -sign : sign;
  });
}

function stateMark(state) {
  return make("span", { class: "state" }, swatch(stateColours[state], state === "failed"), state);
}

function rowOf(job, place) {
  const cells = [
    make("td", {}, stateMark(stateOf(job))),
    make("td", { class: "command", title: cut(jobs.command[job], 600) }, cut(jobs.command[job], 300)),
    make("td", { class: "number" }, duration(jobs.took[job])),
    make("td", { class: "number" }, moment(started[job])),
    make("td", { class: "number" }, bytes(memory[job])),
    make("td", { class: "number" }, jobs.again[job] ? `${jobs.again[job]}×` : ""),
    make("td", { class: "number mono" }, callJob(job)),
  ];
  const isChosen = job === chosen.job;
  return make("tr", { "data-job": job, "aria-rowindex": place + 2, "aria-selected": String(isChosen) }, ...cells);
}

const spacer = (rows) => {
  const made = make("tr", { class: "spacer", "aria-hidden": "true" }, make("td", { colspan: 7 }));
  made.firstChild.style.height = `${rows * ROW_HEIGHT}px`;
  return made;
};

function drawRowsOfTable() {
  const first = Math.max(0, Math.floor(rowsBox.scrollTop / ROW_HEIGHT) - 12);
  const last = Math.min(order.length, first + Math.ceil(rowsBox.clientHeight / ROW_HEIGHT) + 24);
  const made = [];
  for (let place = first; place < last; place++) made.push(rowOf(order[place], place));
  if (!order.length) {
    made.push(make("tr", { class: "spacer" }, make("td", { colspan: 7, class: "empty" }, "No job fits the filter.")));
  }
  tableBody.replaceChildren(spacer(first), ...made, spacer(order.length - last));
}
const drawTableSoon = later(drawRowsOfTable);

function showTable() {
  sortJobs();
  byId("table").setAttribute("aria-rowcount", order.length + 1);
  byId("shown").textContent =
    order.length === jobCount ? count(jobCount, "job") : `${order.length.toLocaleString("en")} of ${count(jobCount, "job")}`;
  for (const head of document.querySelectorAll("th[data-sort]")) {
    if (head.dataset.sort === sorting.by) head.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  drawRowsOfTable();
}

function showRow(job) {
  const place = order.indexOf(job);
  if (place < 0) return;
  const head = 30;
  const top = place * ROW_HEIGHT;
  if (top < rowsBox.scrollTop) rowsBox.scrollTop = top;
  else if (top + ROW_HEIGHT + head > rowsBox.scrollTop + rowsBox.clientHeight) {
    rowsBox.scrollTop = top + ROW_HEIGHT + head - rowsBox.clientHeight;
  }
}

rowsBox.addEventListener("scroll", drawTableSoon);
tableBody.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-job]");
  if (row) choose(Number(row.dataset.job));
});
const jumps = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -Infinity, End: Infinity };
rowsBox.addEventListener("keydown", (event) => {
  if (event.target.closest("button")) return;
  if (event.key === "Enter" && chosen.job !== null) byId("details").focus();
  if (!(event.key in jumps) || !order.length) return;
  event.preventDefault();
  const here = order.indexOf(chosen.job);
  const wanted = here < 0 ? (jumps[event.key] > 0 && event.key !== "End" ? 0 : jumps[event.key]) : here + jumps[event.key];
  const job = order[Math.min(Math.max(wanted, 0), order.length - 1)];
  choose(job);
  showRow(job);
  say(`${stateOf(job)}: ${cut(jobs.command[job], 80)}`);
});
for (const head of document.querySelectorAll("th[data-sort] button")) {
  head.addEventListener("click", () => {
    const by = head.parentElement.dataset.sort;
    sorting.down = sorting.by === by ? !sorting.down : by !== "command" && by !== "state";
    sorting.by = by;
    rowsBox.scrollTop = 0;
    showTable();
  });
}

// -- the filter ---------------------------------------------------------------------------------
const search = byId("search");
search.addEventListener(
  "input",
  later(() => {
    filter.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    applyFilter();
  }),
);
byId("filter").addEventListener("submit", (event) => event.preventDefault());

function makeChips() {
  const counts = data.states.map(() => 0);
  for (const state of jobs.state) counts[state] += 1;
  data.states.forEach((name, state) => {
    if (!counts[state]) return;
    const chip = make("button", { type: "button", class: "chip", "aria-pressed": "false", "data-state": name });
    chip.append(swatch(stateColours[name], name === "failed"), `${name} ${counts[state].toLocaleString("en")}`);
    chip.addEventListener("click", () => {
      const pressed = !filter.states.delete(state);
      if (pressed) filter.states.add(state);
      chip.setAttribute("aria-pressed", String(pressed));
      applyFilter();
    });
    byId("states").append(chip);
  });
  const counted = data.kinds.map(() => 0);
  for (const kind of jobs.kind) counted[kind] += 1;
  const options = kindsByTime.slice(0, 200).map((kind) => make("option", { value: kind }, `${data.kinds[kind]} (${counted[kind]})`));
  byId("kinds").append(make("option", { value: "" }, "every command"), ...options);
}
byId("kinds").addEventListener("change", (event) => {
  filter.kind = event.target.value === "" ? null : Number(event.target.value);
  applyFilter();
});
