// Draws a report from the data in the page. apps/report_page.cpp describes the data; uPlot draws the plots.
"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const runs = data.runs, page = document.getElementById("page");
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const of_run = i => "--c" + i % 6;

// Makes an element: make("p.soft", "text", child, ...).
function make(what, ...children) {
  const [name, ...classes] = what.split("."), element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const child of children) if (child !== null && child !== undefined) element.append(child);
  return element;
}
const number = x => x === null || x === undefined || !isFinite(x) ? "-" :
  x === 0 || (Math.abs(x) >= 1e-3 && Math.abs(x) < 1e5) ? String(+x.toPrecision(4)) :
  x.toExponential(2).replace(/\.?0*e/, "e");
const time = s => s < 60 ? s.toFixed(0) + " s" : s < 3600 ? (s / 60).toFixed(1) + " min" : (s / 3600).toFixed(1) + " h";
const last = list => list[list.length - 1];
// What `draw` returns, or a line that says why it can't: a part of the data may be damaged.
function attempt(what, draw) {
  try {
    return draw();
  } catch (error) {
    return make("p.problem", `${what} can't be shown, its file may be damaged: ${error.message}`);
  }
}
const png = base64 => { const image = make("img"); image.src = "data:image/png;base64," + base64; return image; };

// ---- Plots -------------------------------------------------------------------------------------------------------

const redraws = [];  // of everything whose colours depend on the theme

// The range of a logarithmic axis: not whole powers of ten, which leave much of a plot empty, but room for some labels.
function log_range(u, least, most) {
  if (least === null || most === null) return [0.1, 1];
  const margin = Math.max(1.1, Math.sqrt(3 / (most / least)));
  const low = least / margin, power = 10 ** Math.floor(Math.log10(low));
  return [Math.floor(2 * low / power) / 2 * power, most * margin];  // begins at a number that can be read
}

// A card with a plot. `lines`: {label, points: [x, y], colour: "--c0", faint, dash}.
function plot(title, note, lines, options = {}) {
  lines = lines.filter(line => line.points && line.points[0].length > 0);
  if (lines.length === 0) return null;
  const card = make("div.card", make("h3", title), note ? make("p.soft", note) : null), place = make("div");
  card.append(place);
  const positive = y => options.log ? y.map(v => v > 0 ? v : null) : y;
  const table = uPlot.join(lines.map(line => [line.points[0], positive(line.points[1])]));
  const log = options.log && lines.some(line => line.points[1].some(v => v > 0));
  let chart = null;
  const draw = () => {
    if (chart) chart.destroy();
    const axis = {stroke: colour("--soft"), grid: {stroke: colour("--grid"), width: 1},
                  ticks: {stroke: colour("--line")}};
    chart = new uPlot({
      width: Math.max(200, place.clientWidth), height: 240,
      scales: {x: {time: false}, y: log ? {distr: 3, range: log_range} : {}},
      cursor: {drag: {x: true, y: false}},
      axes: [{...axis, values: (u, ticks) => ticks.map(t => t >= 1e4 ? +(t / 1e3).toFixed(2) + "k" : t)},
             {...axis, size: 58, values: (u, ticks) => ticks.map(t => t === null ? "" : number(t))}],
      series: [{label: options.x || "training step", value: (u, v) => number(v)}].concat(lines.map(line => ({
        label: line.label, stroke: colour(line.colour) + (line.faint ? "70" : ""), width: line.faint ? 1 : 1.8,
        dash: line.dash, spanGaps: true, points: {show: line.points[0].length < 3}, value: (u, v) => number(v),
      }))),
    }, table, place);
  };
  redraws.push(draw);
  new ResizeObserver(() => {
    if (chart && Math.abs(chart.width - place.clientWidth) > 1 && place.clientWidth > 0)
      chart.setSize({width: place.clientWidth, height: 240});
  }).observe(place);
  return card;
}

// A moving average, over more values the more there are, so that a noisy loss can be read.
function smoothed(points) {
  const rate = 1 / Math.min(20, Math.max(1, points[0].length / 15));
  let mean = null;
  return [points[0], points[1].map(y => y === null ? mean : (mean = mean === null ? y : mean + rate * (y - mean)))];
}

// A line for each run of one of its series.
const lines_of = (name, change = x => x) => runs.map((run, i) => ({
  label: runs.length > 1 ? run.name : name.replaceAll("_", " "), points: run.series[name] && change(run.series[name]),
  colour: of_run(i)}));

function curves() {
  const grid = make("div.grid"), single = runs.length === 1, run = runs[0], known = single && run.curve;
  const validation = lines_of("validation_loss");
  if (known) {
    validation.push({label: "known good: " + known.config, points: known.points, colour: "--known", dash: [6, 4]});
  }
  const loss = single
    ? [{label: "of a line of metrics", points: run.series.loss, colour: "--c0", faint: true},
       {label: "smoothed", points: run.series.loss && smoothed(run.series.loss), colour: "--c0"}]
    : lines_of("loss", smoothed);
  const quarters = single ? [1, 2, 3, 4].map(q => ({
    label: q === 1 ? "least noisy" : q === 4 ? "noisiest" : "quarter " + q,
    points: run.series["loss_q" + q] && smoothed(run.series["loss_q" + q]), colour: "--c" + (q - 1)})) : [];
  const nearness = single
    ? [{label: "samples", points: run.series.nearest_sample, colour: "--c0"},
       {label: "held-out data", points: run.series.nearest_held_out, colour: "--known", dash: [6, 4]}]
    : lines_of("nearest_sample");
  for (const card of [
    plot("Validation loss", known && known.differs ? "The known good run differs in " + known.differs + "." :
         "On held-out data, at noise levels and noises that stay the same.", validation, {log: true}),
    plot("Training loss" + (single ? "" : ", smoothed"), "It varies with the random noise levels.", loss, {log: true}),
    plot("Training loss by noise level", "Quarters of the noise levels that training draws, smoothed.", quarters,
         {log: true}),
    plot("Distance to the nearest training sample",
         "Median over samples of a preview. Far below held-out data: copies.", nearness),
    plot("Norm of the gradient", "Before clipping.", lines_of("gradient_norm"), {log: true}),
    plot("Learning rate", null, lines_of("learning_rate")),
    plot("Training samples per second", null, lines_of("images_per_second")),
    single ? attempt("bound.json", () => bound(run)) :
    plot("Bits per time step", "L_t, the terms of the bound.", runs.map((r, i) => ({
      label: r.name, points: r.bound && [r.bound.t, r.bound.bits], colour: of_run(i)})), {log: true, x: "time step t"}),
  ]) if (card) grid.append(card);
  return grid;
}

function bound(run) {
  const b = run.bound;
  if (!b) return null;
  return plot("Bits per time step",
    `L_t, the terms of the bound on -log2 p(x_0), after step ${b.step}: about ${number(b.total)} bits/dim in all, of ` +
    `them ${number(b.bits[0])} for the decoder L_0 and ${number(b.prior)} for the prior L_T. Means over ${b.count} ` +
    "held-out images; reverie evaluate measures them precisely.",
    [{label: "bits/dim of L_t", points: [b.t, b.bits], colour: "--c0"}], {log: true, x: "time step t"});
}

// ---- Pictures ----------------------------------------------------------------------------------------------------

function samples(run) {
  const shown = run.previews.map(p => ({label: "step " + p.step, png: p.png}));
  if (run.samples) shown.push({label: "step " + run.done + ", the end", png: run.samples});
  if (shown.length === 0) return null;
  const image = make("img"), output = make("output"), input = make("input");
  Object.assign(input, {type: "range", min: 0, max: shown.length - 1, value: shown.length - 1});
  input.setAttribute("aria-label", "training step of the samples");
  const show = () => {
    image.src = "data:image/png;base64," + shown[input.value].png;
    image.alt = "samples at " + shown[input.value].label;
    output.textContent = shown[input.value].label;
  };
  input.addEventListener("input", show);
  show();
  return make("figure.card", make("h3", "Samples over time"), make("div.slider", input, output), image,
              make("figcaption", "All start from the same noise."));
}

function film(run, name, title, caption) {
  if (!run.films[name]) return null;
  const image = png(run.films[name]);
  image.alt = title;
  return make("figure.card.film", make("h3", title), make("div.wide", image), make("figcaption", caption));
}

function pictures(run) {
  const parts = [
    samples(run),
    film(run, "forward", "The forward process", "x_0 in the first column, then x_t from the least noise to the most."),
    film(run, "reverse", "The reverse process", "x_t on the way of the latest samples, from noise on the left."),
    film(run, "predicted", "The predicted x_0",
         "What the model makes of each x_t above: at first a mean, details come late."),
  ].filter(part => part);
  if (parts.length === 0) return null;
  const box = make("div");
  if (parts[0].querySelector("input") && run.plane) {
    box.append(make("div.grid", parts.shift()));
  }
  for (const part of parts) { part.style.marginTop = "14px"; box.append(part); }
  return box;
}

// ---- Tables ------------------------------------------------------------------------------------------------------

function table(head, rows, numbers = []) {
  const cell = (name, text, i) => make(name + (numbers.includes(i) ? ".number" : ""), text);
  return make("div.wide", make("table", make("thead", make("tr", ...head.map((h, i) => cell("th", h, i)))),
    make("tbody", ...rows.map(row => make("tr", ...row.map((c, i) => cell("td", c, i)))))));
}

const folded = (title, ...content) => make("details", make("summary", title), ...content);

function averages(run) {
  const a = run.averages;
  if (!a) return null;
  const best = a.rows.reduce((x, y) => y.distance < x.distance ? y : x);
  return make("div", make("h2", "Which average of the weights"),
    make("div.advice", `After step ${a.step}, ${best.weights} gave the best samples: ${a.measure} ` +
         `${number(best.distance)}. ${a.count} samples of each, from the same noise, compared with held-out data.`),
    table(["weights", a.measure, "validation loss", "nearest training sample"],
      a.rows.map(r => [r.weights, ...[r.distance, r.validation_loss, r.nearest_sample].map(number)]), [1, 2, 3]));
}

function machine(run) {
  const f = run.facts;
  if (!f) return null;
  return folded("Machine",
    table(["started", "at step", "processor", "threads", "memory", "reverie"], f.sessions.map(s =>
      [s.time, s.step, s.processor, s.threads, s.memory, s.version]), [1, 3]));
}

function details(run) {
  const box = make("div");
  if (run.config.length) {
    box.append(folded("Configuration", table(["key", "value", "meaning"],
      run.config.map(([key, value, meaning]) => [make("code", key), make("code", value), meaning]))));
  }
  if (run.settings.length) {
    box.append(folded("Settings that changed on the way",
      table(["step", "key", "value"], run.settings.map(s => [s.step, s.key, s.value]), [0])));
  }
  const m = attempt("facts.json", () => machine(run));
  if (m) box.append(m);
  return box;
}

function compared() {
  const losses = run => (run.series.validation_loss || [[], []])[1].filter(v => v !== null);
  const row = (run, i) => {
    const key = make("span.key");
    key.style.background = `var(${of_run(i)})`;
    return [make("span", key, run.name), run.done, run.series.seconds ? time(last(run.series.seconds[1])) : "-",
            number(Math.min(...losses(run))), number(last(losses(run))), run.bound ? number(run.bound.total) : "-"];
  };
  const values = runs.map(run => new Map(run.config));  // of each key
  const keys = [...new Set(values.flatMap(map => [...map.keys()]))]
    .filter(key => new Set(values.map(map => map.get(key))).size > 1);
  return make("div",
    table(["run", "steps", "time", "best validation loss", "last", "bits/dim"], runs.map(row), [1, 2, 3, 4, 5]),
    keys.length === 0 ? make("p.soft", "Their configurations are the same.") :
    make("div", make("h2", "Differences in their configurations"),
      table(["key", ...runs.map(run => run.name)],
        keys.map(key => [make("code", key), ...values.map(map => map.get(key) ?? "-")]))));
}

// ---- The page ----------------------------------------------------------------------------------------------------

function heading(run) {
  const s = run.series, facts = run.facts || {};
  const parts = [`step ${run.done}` + (run.steps ? ` of ${run.steps}` : "")];
  if (s.seconds) parts.push(time(last(s.seconds[1])) + " of training");
  if (s.validation_loss) parts.push("validation loss " + number(last(s.validation_loss[1])));
  if (facts.model) parts.push(facts.model);
  return parts.join(" · ");
}

function section(run, title) {
  const box = make("section");
  if (title) box.append(make("h2", title), make("p.soft", heading(run)));
  for (const text of run.problems) box.append(make("p.problem", text));
  for (const advice of run.advice) box.append(make("div.advice." + advice.kind, advice.text));
  const a = attempt("averages.json", () => averages(run));
  if (a) box.append(a);
  return box;
}

if (runs.length === 1) {
  const run = runs[0];
  page.append(make("h1", run.name), make("p.soft", heading(run)), make("h2", "When to stop"), section(run));
  page.append(make("h2", "Curves"), curves());
} else {
  page.append(make("h1", runs.length + " runs"), make("h2", "Comparison"), compared(), make("h2", "Curves"), curves());
}
for (const run of runs) {
  if (runs.length > 1) page.append(section(run, run.name));
  const p = pictures(run);
  if (p) page.append(runs.length > 1 ? p : make("div", make("h2", "Pictures"), p));
  const tools = {make, colour, redraws, number};
  if (run.plane) page.append(make("h2", "In the plane"), attempt("plane.json", () => plane(run.plane, tools)));
  if (runs.length === 1) page.append(make("h2", "Details"));
  page.append(details(run));
}
page.append(make("p.soft",
                 `Made by reverie ${data.version} with uPlot. Drag over a plot to zoom, double-click to see all.`));
const redraw = () => redraws.forEach(draw => {
  const problem = attempt("A plot", draw);
  if (problem) page.prepend(problem);
});
redraw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
