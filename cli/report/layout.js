// A layered drawing of a graph: what is needed stands left of what needs it (Sugiyama's method, by hand).

const LAYER_GAP = 48;
const NODE_GAP = 12;

/** Give each node x and y, and each edge the points that it goes through. Nodes have w and h; edges from and to. */
function layOut(nodes, edges) {
  const forward = withoutCircles(nodes, edges);
  assignLayers(nodes, forward);
  const { all, parts } = withBends(nodes, forward);
  const layers = [];
  for (const node of all) (layers[node.layer] ??= []).push(node);
  orderLayers(layers, parts);
  placeLayers(layers);
  for (const edge of edges) {
    edge.points = edge.through.map((node) => [node.x, node.y + node.h / 2, node.w]);
  }
}

/** Edges that would close a circle are drawn backwards. */
function withoutCircles(nodes, edges) {
  for (const node of nodes) node.out = [];
  for (const edge of edges) edge.from.out.push(edge);
  const mark = new Map();
  const forward = [];
  const visit = (root) => {
    const stack = [[root, 0]];
    mark.set(root, 1);
    while (stack.length) {
      const top = stack[stack.length - 1];
      const edge = top[0].out[top[1]++];
      if (!edge) {
        mark.set(top[0], 2);
        stack.pop();
      } else if (edge.from !== edge.to && mark.get(edge.to) !== 1) {
        forward.push({ edge, from: edge.from, to: edge.to });
        if (!mark.has(edge.to)) {
          mark.set(edge.to, 1);
          stack.push([edge.to, 0]);
        }
      } else if (edge.from !== edge.to) forward.push({ edge, from: edge.to, to: edge.from, isBack: true });
      else edge.through = [edge.from];
    }
  };
  for (const node of nodes) if (!mark.has(node)) visit(node);
  return forward;
}

function assignLayers(nodes, forward) {
  const waiting = new Map(nodes.map((node) => [node, 0]));
  const after = new Map(nodes.map((node) => [node, []]));
  for (const { from, to } of forward) {
    waiting.set(to, waiting.get(to) + 1);
    after.get(from).push(to);
  }
  const ready = nodes.filter((node) => waiting.get(node) === 0);
  const sorted = [];
  for (const node of nodes) node.layer = 0;
  while (ready.length) {
    const node = ready.pop();
    sorted.push(node);
    for (const next of after.get(node)) {
      next.layer = Math.max(next.layer, node.layer + 1);
      waiting.set(next, waiting.get(next) - 1);
      if (waiting.get(next) === 0) ready.push(next);
    }
  }
  // What stands before everything stands close to what needs it.
  for (const node of sorted.reverse()) {
    const nexts = after.get(node);
    if (nexts.length) node.layer = Math.max(node.layer, Math.min(...nexts.map((next) => next.layer)) - 1);
  }
}

/** An edge over several layers bends in each of them. */
function withBends(nodes, forward) {
  const all = [...nodes];
  const parts = [];
  for (const { edge, from, to, isBack } of forward) {
    const through = [from];
    for (let layer = from.layer + 1; layer < to.layer && all.length < 1500; layer++) {
      const bend = { w: 0, h: 4, layer, isBend: true };
      all.push(bend);
      through.push(bend);
    }
    through.push(to);
    for (let part = 1; part < through.length; part++) parts.push([through[part - 1], through[part]]);
    edge.through = isBack ? through.reverse() : through;
  }
  return { all, parts };
}

function orderLayers(layers, parts) {
  for (const layer of layers) {
    layer.forEach((node, place) => {
      node.place = place;
      node.before = [];
      node.after = [];
    });
  }
  for (const [from, to] of parts) {
    from.after.push(to);
    to.before.push(from);
  }
  for (let sweep = 0; sweep < 10; sweep++) {
    const side = sweep % 2 ? "after" : "before";
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
      for (const node of layer) {
        const near = node[side];
        node.weight = near.length ? near.reduce((sum, other) => sum + other.place, 0) / near.length : node.place;
      }
      layer.sort((a, b) => a.weight - b.weight);
      layer.forEach((node, place) => (node.place = place));
    }
  }
}

function placeLayers(layers) {
  let x = 0;
  for (const layer of layers) {
    const wide = Math.max(...layer.map((node) => node.w));
    let y = 0;
    for (const node of layer) {
      node.x = x + (node.isBend ? wide / 2 : 0);
      node.y = y;
      y += node.h + NODE_GAP;
    }
    x += wide + LAYER_GAP;
  }
  for (let pass = 0; pass < 12; pass++) {
    for (const layer of pass % 2 ? [...layers].reverse() : layers) settle(layer, pass % 2 ? "after" : "before");
  }
}

/** Each node beside its neighbours as far as the order and the room allow: pushed down, then up again. */
function settle(layer, side) {
  const middle = (node) => node.y + node.h / 2;
  const wanted = layer.map((node) => {
    const near = node[side].length ? node[side] : [node];
    return near.reduce((sum, other) => sum + middle(other), 0) / near.length - node.h / 2;
  });
  let from = 0;
  // Neighbours that want the same room form a block around their mean.
  const blocks = [];
  layer.forEach((node, place) => {
    let block = { first: place, sum: wanted[place] - from, count: 1 };
    from += node.h + NODE_GAP;
    while (blocks.length && blocks[blocks.length - 1].sum / blocks[blocks.length - 1].count > block.sum / block.count) {
      const last = blocks.pop();
      block = { first: last.first, sum: last.sum + block.sum, count: last.count + block.count };
    }
    blocks.push(block);
  });
  from = 0;
  layer.forEach((node, place) => {
    const block = blocks.findLast((one) => one.first <= place);
    node.y = block.sum / block.count + from;
    from += node.h + NODE_GAP;
  });
}
