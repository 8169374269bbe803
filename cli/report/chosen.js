// Which job is chosen, which jobs pass the filter, and who wants to know.

const chosen = { job: null, run: null };
const passes = new Uint8Array(jobCount).fill(1);
let passing = jobCount;
const onChoice = [];
const onFilter = [];

/** Choose a job, or none; `run` is the one of its runs that was pointed at. */
function choose(job, run = null) {
  if (job !== null && run === null) run = runsOf[job][runsOf[job].length - 1] ?? null;
  if (job === chosen.job && run === chosen.run) return;
  chosen.job = job;
  chosen.run = run;
  for (const tell of onChoice) tell();
  const fragment = job === null ? "" : `#job=${jobs.request[job]}`;
  history.replaceState(null, "", fragment || location.pathname + location.search);
}

/** Words that all must be found, states, a kind: what jobs are filtered by. */
const filter = { words: [], states: new Set(), kind: null };

const texts = new Array(jobCount);
/** All that can be searched of a job, made when first wanted. */
function textOf(job) {
  if (texts[job] === undefined) {
    const files = [...jobs.inputs[job], ...jobs.outputs[job]].map(isFile);
    const error = jobs.error[job] === null ? "" : data.errors[jobs.error[job]];
    const more = [jobs.id[job], callJob(job), stateOf(job), data.directories[jobs.directory[job]]];
    const label = data.labels[jobs.label[job]];
    texts[job] = [jobs.command[job], error, label, ...files, ...more].join("\n").toLowerCase();
  }
  return texts[job];
}

function applyFilter() {
  passing = 0;
  for (let job = 0; job < jobCount; job++) {
    const wanted =
      (filter.states.size === 0 || filter.states.has(jobs.state[job])) &&
      (filter.kind === null || jobs.kind[job] === filter.kind) &&
      filter.words.every((word) => textOf(job).includes(word));
    passes[job] = wanted ? 1 : 0;
    passing += passes[job];
  }
  for (const tell of onFilter) tell();
}

/** Say something to those who do not see it. */
function say(text) {
  byId("said").textContent = text;
}

// -- colours ------------------------------------------------------------------------------------
// Okabe and Ito's, which colour-blind people can tell apart; failures have a shape of their own beside.
const stateColours = {
  running: "#56b4e9",
  failed: "#d55e00",
  done: "#009e73",
  reused: "#8fa3b0",
  ready: "#f0b429",
  waiting: "#b0b0b0",
  canceled: "#cc79a7",
};
const outcomeColours = [
  stateColours.done,
  stateColours.failed,
  stateColours.failed,
  stateColours.canceled,
  stateColours.waiting,
  stateColours.failed,
  "#e69f00",
  stateColours.running,
];
const failedOutcomes = new Set(["failed", "died", "timed out"].map((name) => data.outcomes.indexOf(name)));
const kindColours = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#f0e442", "#7a5195", "#8c6d46"];
const otherColour = "#9a9a9a";

/** Kinds by the time that they took; those that took most have colours. */
const kindTime = new Array(data.kinds.length).fill(0);
for (let run = 0; run < runCount; run++) kindTime[jobs.kind[runs.job[run]]] += runs.took[run];
const kindsByTime = data.kinds.map((_, kind) => kind).sort((a, b) => kindTime[b] - kindTime[a]);
const colourOfKind = data.kinds.map((_, kind) => kindColours[kindsByTime.indexOf(kind)] ?? otherColour);
