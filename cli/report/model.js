// What the page knows: the columns as they came, and what follows from them.

const data = JSON.parse(document.getElementById("data").textContent);
const jobs = data.jobs;
const runs = data.runs;
const jobCount = jobs.command.length;
const runCount = runs.job.length;

const byId = (id) => document.getElementById(id);

/** An element; text is only ever set as text. */
function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const svgSpace = "http://www.w3.org/2000/svg";
function makeSvg(tag, properties = {}, ...children) {
  const made = document.createElementNS(svgSpace, tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// -- what belongs to which job ------------------------------------------------------------------
const runsOf = Array.from({ length: jobCount }, () => []);
for (let run = 0; run < runCount; run++) runsOf[runs.job[run]].push(run);

/** When a job began last, and the most memory that it took; null where nothing is known. */
const started = new Array(jobCount).fill(null);
const memory = new Array(jobCount).fill(null);
for (let run = 0; run < runCount; run++) {
  const job = runs.job[run];
  started[job] = runs.start[run];
  if (runs.memory[run] !== null) memory[job] = Math.max(memory[job] ?? 0, runs.memory[run]);
}

const sources = Array.from({ length: jobCount }, () => []);
const targets = Array.from({ length: jobCount }, () => []);
for (let link = 0; link < data.links.from.length; link++) {
  sources[data.links.to[link]].push(link);
  targets[data.links.from[link]].push(link);
}

const isCritical = new Uint8Array(jobCount);
for (const job of data.critical) isCritical[job] = 1;

const stateOf = (job) => data.states[jobs.state[job]];
const fileName = (file) => data.files.name[file];
const isFile = (file) => data.fileNames[fileName(file)];

/** What a job is called in few words: its first output, or its command. */
function shortName(job) {
  const output = jobs.outputs[job][0];
  if (output !== undefined && isFile(output) !== "result") return lastPart(isFile(output));
  return cut(jobs.command[job], 24);
}

const lastPart = (path) => path.slice(path.lastIndexOf("/", path.length - 2) + 1) || path;
const cut = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
const callJob = (job) => `#${jobs.request[job]}`;

// -- numbers for people -------------------------------------------------------------------------
function duration(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms < 999.5) return `${ms < 9.95 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
  if (ms < 59950) return `${(ms / 1000).toFixed(ms < 9995 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

function bytes(count) {
  if (count === null || count === undefined) return "";
  let unit = 0;
  while (count >= 1000 && unit < 5) {
    count /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || count >= 99.5 ? 0 : 1;
  return `${count.toFixed(digits)} ${["B", "kB", "MB", "GB", "TB", "PB"][unit]}`;
}

const two = (number) => String(number).padStart(2, "0");
const dateAt = (ms) => new Date(data.t0 + ms);

function clock(ms, parts = 3) {
  const when = dateAt(ms);
  const text = `${two(when.getHours())}:${two(when.getMinutes())}`;
  if (parts === 2) return text;
  const seconds = `${text}:${two(when.getSeconds())}`;
  return parts === 3 ? seconds : `${seconds}.${String(when.getMilliseconds()).padStart(3, "0")}`;
}

function day(ms) {
  const when = dateAt(ms);
  return `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`;
}

/** A moment; the day is told where the page is about more than one. */
const manyDays = runCount > 0 && day(runs.start[0]) !== day(data.until);
const moment = (ms) => (ms === null ? "" : manyDays ? `${day(ms).slice(5)} ${clock(ms)}` : clock(ms));
const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

function later(action) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      action();
    });
  };
}
