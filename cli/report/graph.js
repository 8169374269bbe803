// Jobs and files: around a job, along the critical path, by kinds, or all if they are few.

const MOST_NODES = 240;
const MOST_JOBS_AROUND = 36;
const graphBox = byId("graph");
const graphMode = byId("graph-mode");
const graphView = { x: 0, y: 0, scale: 1, width: 1, height: 1 };
let graphDrawing = null;

function fileOfLink(link) {
  const name = data.links.file[link];
  const target = data.links.to[link];
  const found = jobs.inputs[target].find((file) => fileName(file) === name);
  return { name: data.fileNames[name], size: found === undefined ? null : data.files.size[found] };
}

// -- which nodes and edges ----------------------------------------------------------------------
function jobNode(job) {
  const title = shortName(job);
  const note = [data.kinds[jobs.kind[job]], duration(jobs.took[job])].filter(Boolean).join(" · ");
  const label = `${callJob(job)} ${stateOf(job)} ${cut(jobs.command[job], 100)}`;
  const node = boxNode(title, note, stateColours[stateOf(job)], label);
  return Object.assign(node, { job, failed: stateOf(job) === "failed", critical: isCritical[job] });
}

function boxNode(title, note, colour, label) {
  const shortNote = cut(note, 34);
  return { title: cut(title, 26), note: shortNote, colour, label, h: 36, w: Math.max(70, textWidth(title, shortNote)) };
}

const textWidth = (title, note) => Math.max(Math.min(title.length, 26) * 7.2, note.length * 6) + 22;

function fileNode(name, size) {
  const title = cut(lastPart(name), 26);
  const note = bytes(size);
  const wide = Math.max(40, title.length * 6.4 + 14 + (note ? note.length * 6 + 8 : 0));
  return { title, note, isFile: true, label: name, h: 20, w: wide };
}

/** Jobs with the files between them. */
function graphOfJobs(wanted, withFiles, outer = null) {
  const nodes = new Map(wanted.map((job) => [job, jobNode(job)]));
  const files = new Map();
  const edges = [];
  const all = [...nodes.values()];
  for (const job of wanted) {
    for (const link of targets[job]) {
      const to = nodes.get(data.links.to[link]);
      if (!to) continue;
      const isPart = Boolean(isCritical[job] && to.critical && nextCritical.get(job) === to.job);
      const { name, size } = fileOfLink(link);
      if (!withFiles || all.length > MOST_NODES) {
        edges.push({ from: nodes.get(job), to, critical: isPart });
        continue;
      }
      const key = `${job} ${lastPart(name)}`;
      if (!files.has(key)) {
        const file = fileNode(name, size);
        files.set(key, file);
        all.push(file);
        edges.push({ from: nodes.get(job), to: file, critical: isPart });
      }
      edges.push({ from: files.get(key), to, critical: isPart });
    }
  }
  if (withFiles && outer !== null) addOuterFiles(nodes.get(outer), all, edges);
  return { nodes: all, edges: onlyOnce(edges) };
}

/** Files of the chosen job that no job of the report has made, or has read. */
function addOuterFiles(node, all, edges) {
  const known = new Set([...sources[node.job].map((link) => data.links.file[link])]);
  const come = jobs.inputs[node.job].filter((file) => !known.has(fileName(file))).slice(0, 10);
  for (const file of come) {
    const made = fileNode(isFile(file), data.files.size[file]);
    all.push(made);
    edges.push({ from: made, to: node });
  }
  if (targets[node.job].length) return;
  for (const file of jobs.outputs[node.job].slice(0, 10)) {
    const made = fileNode(isFile(file), data.files.size[file]);
    all.push(made);
    edges.push({ from: node, to: made });
  }
}

function onlyOnce(edges) {
  const seen = new Map();
  for (const edge of edges) {
    const ends = seen.get(edge.from) ?? new Map();
    seen.set(edge.from, ends);
    if (ends.has(edge.to)) ends.get(edge.to).critical ||= edge.critical;
    else ends.set(edge.to, edge);
  }
  return [...seen.values()].flatMap((ends) => [...ends.values()]);
}

/** A job with what it needed and what needed it, the nearest first, both ways equally many. */
function around(job) {
  const found = new Set([job]);
  let left = 0;
  for (const [links, end] of [
    [sources, data.links.from],
    [targets, data.links.to],
  ]) {
    let ring = [job];
    let room = MOST_JOBS_AROUND;
    while (ring.length) {
      const next = [];
      for (const other of ring) {
        for (const link of links[other]) {
          const neighbour = end[link];
          if (found.has(neighbour)) continue;
          if (room > 0) {
            found.add(neighbour);
            next.push(neighbour);
            room -= 1;
          } else left += 1;
        }
      }
      ring = room > 0 ? next : [];
    }
  }
  return { found: [...found], left };
}

const nextCritical = new Map(data.critical.map((job, place) => [job, data.critical[place + 1]]));

/** One node for each kind of command, the largest ones; the number on an edge is how many files went that way. */
function graphOfKinds() {
  const members = data.kinds.map(() => ({ jobs: 0, failed: 0 }));
  for (let job = 0; job < jobCount; job++) {
    members[jobs.kind[job]].jobs += 1;
    if (stateOf(job) === "failed") members[jobs.kind[job]].failed += 1;
  }
  const told = kindsByTime.slice(0, 60);
  const nodes = new Map();
  for (const kind of told) {
    const { jobs: many, failed } = members[kind];
    const failures = failed ? `, ${failed} failed` : "";
    const note = `${count(many, "job")}${failures} · ${duration(kindTime[kind])}`;
    const node = boxNode(data.kinds[kind], note, colourOfKind[kind], `${data.kinds[kind]}: ${note}`);
    nodes.set(kind, Object.assign(node, { kind, failed: failed > 0 }));
  }
  const counts = new Map();
  for (let link = 0; link < data.links.from.length; link++) {
    const from = jobs.kind[data.links.from[link]];
    const to = jobs.kind[data.links.to[link]];
    const key = from * data.kinds.length + to;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const edges = [];
  for (const [key, many] of counts) {
    const from = nodes.get(Math.floor(key / data.kinds.length));
    const to = nodes.get(key % data.kinds.length);
    if (from && to && from !== to) edges.push({ from, to, text: String(many), thick: 1 + Math.min(5, Math.log2(many) / 2) });
  }
  return { nodes: [...nodes.values()], edges, note: data.kinds.length > told.length ? `the ${told.length} longest` : "" };
}

function wantedGraph() {
  const withFiles = byId("graph-files").checked;
  const mode = graphMode.value;
  if (mode === "kinds") return graphOfKinds();
  if (mode === "critical") return { ...graphOfJobs(data.critical.slice(-MOST_NODES / 2), withFiles), note: "" };
  if (mode === "all") {
    const every = jobs.command.map((_, job) => job);
    return { ...graphOfJobs(every, withFiles && jobCount <= MOST_NODES / 2), note: "" };
  }
  if (chosen.job === null) return { nodes: [], edges: [], note: "Choose a job in the timeline or in the table." };
  const { found, left } = around(chosen.job);
  const note = left ? `nearest ${found.length} jobs; at least ${left} more further away` : count(found.length, "job");
  return { ...graphOfJobs(found, withFiles, chosen.job), note };
}

// -- drawing ------------------------------------------------------------------------------------
function showGraph() {
  if (byId("graph-panel").hidden) return;
  const { nodes, edges, note } = wantedGraph();
  byId("graph-note").textContent = note ?? "";
  byId("graph-files").parentElement.hidden = graphMode.value === "kinds";
  layOut(nodes, edges);
  const left = Math.min(0, ...nodes.map((node) => node.x));
  const top = Math.min(0, ...nodes.map((node) => node.y));
  for (const node of nodes) Object.assign(node, { x: node.x - left, y: node.y - top });
  for (const edge of edges) edge.points = edge.points.map(([x, y, w]) => [x - left, y - top, w]);
  graphView.width = Math.max(1, ...nodes.map((node) => node.x + node.w));
  graphView.height = Math.max(1, ...nodes.map((node) => node.y + node.h));
  const drawn = makeSvg("g", {}, ...edges.map(drawEdge), ...nodes.map(drawNode));
  const svg = makeSvg("svg", { role: "presentation" }, arrowHeads(), drawn);
  graphBox.replaceChildren(svg);
  graphDrawing = drawn;
  fitGraph();
}

function arrowHeads() {
  const head = (id) =>
    makeSvg(
      "marker",
      { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, markerUnits: "userSpaceOnUse", orient: "auto" },
      makeSvg("path", { d: "M0 0 8 4 0 8Z", fill: "context-stroke" }),
    );
  return makeSvg("defs", {}, head("head"));
}

function drawEdge(edge) {
  const points = edge.points;
  let [x, y, wide] = points[0];
  x += wide;
  let path = `M${x} ${y}`;
  for (const [nextX, nextY, nextWide] of points.slice(1)) {
    const bend = Math.max(12, Math.abs(nextX - x) / 2) * (nextX < x ? -1 : 1);
    path += `C${x + bend} ${y} ${nextX - bend} ${nextY} ${nextX} ${nextY}`;
    x = nextX + (nextWide && points.length > 2 ? 0 : 0);
    y = nextY;
  }
  const line = makeSvg("path", {
    d: path,
    class: edge.critical ? "edge critical" : "edge",
    "stroke-width": edge.thick ?? (edge.critical ? 2.2 : 1.1),
    "marker-end": "url(#head)",
  });
  if (!edge.text) return line;
  const [fromX, fromY, fromWide] = points[0];
  const [toX, toY] = points[1];
  const text = makeSvg("text", { class: "small", x: (fromX + fromWide + toX) / 2, y: (fromY + toY) / 2 - 4, "text-anchor": "middle" });
  text.append(edge.text);
  return makeSvg("g", {}, line, text);
}

function drawNode(node) {
  const kinds = ["node", node.isFile && "file", node.critical && "critical", node.job === chosen.job && node.job !== undefined && "chosen"];
  const properties = { class: kinds.filter(Boolean).join(" "), transform: `translate(${node.x} ${node.y})` };
  if (!node.isFile) Object.assign(properties, { tabindex: 0, role: "button", "aria-label": node.label });
  const group = makeSvg("g", properties);
  group.append(
    makeSvg("title", {}, node.label),
    makeSvg("rect", { class: "box", width: node.w, height: node.h, rx: node.isFile ? 9 : 5 }),
  );
  const put = (text, x, y, style, anchor = "start") => {
    const made = makeSvg("text", { x, y, class: style, "text-anchor": anchor });
    made.append(text);
    group.append(made);
  };
  if (node.isFile) {
    put(node.title, 8, 14, "small");
    if (node.note) put(node.note, node.w - 8, 14, "small", "end");
    return group;
  }
  const bar = makeSvg("rect", { width: 7, height: node.h - 2, x: 1, y: 1, rx: 3 });
  bar.style.fill = node.colour;
  bar.style.stroke = "none";
  group.append(bar);
  if (node.failed) put("✕", node.w - 6, 14, "small", "end");
  put(node.title, 14, 15, "");
  put(node.note, 14, 29, "small");
  const pick = () => pickNode(node);
  group.addEventListener("click", pick);
  group.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      pick();
    }
  });
  return group;
}

function pickNode(node) {
  if (graphMoved) return;
  if (node.kind !== undefined) {
    byId("kinds").value = String(node.kind);
    filter.kind = node.kind;
    applyFilter();
    showTab("jobs");
  } else {
    choose(node.job);
    say(node.label);
  }
}

// -- moving about -------------------------------------------------------------------------------
function fitGraph() {
  const box = graphBox.getBoundingClientRect();
  const room = Math.min((box.width - 30) / graphView.width, (box.height - 30) / graphView.height);
  // Letters that nobody can read are no overview either: rather a part, to be moved about.
  graphView.scale = Math.min(1.3, Math.max(room, 0.45));
  graphView.x = (box.width - graphView.width * graphView.scale) / 2;
  graphView.y = Math.min((box.height - graphView.height * graphView.scale) / 2, 60);
  const centre = graphBox.querySelector(".chosen");
  if (graphView.scale > room && centre) {
    const [, x, y] = /translate\(([-\d.e]+) ([-\d.e]+)\)/.exec(centre.getAttribute("transform"));
    graphView.x = box.width / 2 - (Number(x) + 60) * graphView.scale;
    graphView.y = box.height / 2 - Number(y) * graphView.scale;
  } else if (graphView.scale > room) {
    graphView.x = Math.max(graphView.x, 15);
    graphView.y = Math.max(graphView.y, 15);
  }
  moveGraph();
}

function moveGraph() {
  graphDrawing?.setAttribute("transform", `translate(${graphView.x} ${graphView.y}) scale(${graphView.scale})`);
}

function zoomGraph(factor, x = graphBox.clientWidth / 2, y = graphBox.clientHeight / 2) {
  const scaled = Math.min(4, Math.max(0.05, graphView.scale * factor));
  const by = scaled / graphView.scale;
  graphView.x = x - (x - graphView.x) * by;
  graphView.y = y - (y - graphView.y) * by;
  graphView.scale = scaled;
  moveGraph();
}

let graphDrag = null;
let graphMoved = false;
graphBox.addEventListener("pointerdown", (event) => {
  graphDrag = { x: event.clientX - graphView.x, y: event.clientY - graphView.y, from: [event.clientX, event.clientY] };
  graphMoved = false;
});
addEventListener("pointermove", (event) => {
  if (!graphDrag) return;
  const [x, y] = graphDrag.from;
  if (!graphMoved && Math.abs(event.clientX - x) + Math.abs(event.clientY - y) < 5) return;
  graphMoved = true;
  graphView.x = event.clientX - graphDrag.x;
  graphView.y = event.clientY - graphDrag.y;
  moveGraph();
});
addEventListener("pointerup", () => {
  graphDrag = null;
});
graphBox.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const box = graphBox.getBoundingClientRect();
    zoomGraph(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
  },
  { passive: false },
);
graphBox.addEventListener("keydown", (event) => {
  const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  if (moves[event.key]) {
    event.preventDefault();
    graphView.x += moves[event.key][0];
    graphView.y += moves[event.key][1];
    moveGraph();
  } else if (event.key === "+" || event.key === "=") zoomGraph(1.3);
  else if (event.key === "-") zoomGraph(1 / 1.3);
  else if (event.key === "0") fitGraph();
});
byId("graph-in").addEventListener("click", () => zoomGraph(1.3));
byId("graph-out").addEventListener("click", () => zoomGraph(1 / 1.3));
byId("graph-fit").addEventListener("click", fitGraph);
graphMode.addEventListener("change", showGraph);
byId("graph-files").addEventListener("change", showGraph);
