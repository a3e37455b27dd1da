// Draws what a model of points in the plane learned: densities, the score, the paths of samples.
"use strict";
function plane(p, {make, colour, redraws, number}) {
  const grid = make("div.grid"), range = p.range;

  // A square canvas that shows [-range, range]^2; draw(context, at, size) draws with at(x, y) in pixels.
  function square(title, note, draw) {
    const canvas = make("canvas.plane"), size = 640;
    canvas.width = canvas.height = size;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", title);
    const at = (x, y) => [(x + range) / (2 * range) * size, (range - y) / (2 * range) * size];
    redraws.push(() => {
      const context = canvas.getContext("2d");
      context.fillStyle = colour("--card");
      context.fillRect(0, 0, size, size);
      draw(context, at, size);
      context.strokeStyle = colour("--line");
      context.strokeRect(0.5, 0.5, size - 1, size - 1);
    });
    grid.append(make("figure.card", make("h3", title), canvas, make("figcaption", note)));
  }

  // `counts`: rows from the top.
  function density(counts) {
    const side = Math.round(Math.sqrt(counts.length)), most = Math.max(1, ...counts);
    return (context, at, size) => {
      context.fillStyle = colour("--c0");
      counts.forEach((count, i) => {
        if (count === 0) return;
        context.globalAlpha = Math.min(1, 0.1 + 0.9 * Math.sqrt(count / most));
        const cell = size / side;
        context.fillRect(i % side * cell, Math.floor(i / side) * cell, Math.ceil(cell), Math.ceil(cell));
      });
      context.globalAlpha = 1;
    };
  }

  // Arrows at a grid of points, all scaled alike so that the longest of both fields has the spacing's length.
  function arrows(fields) {
    return (context, at) => {
      const side = p.side, spacing = 2 * range / side;
      let longest = 1e-9;
      for (const {values} of fields)
        for (let i = 0; i < side * side; ++i) longest = Math.max(longest, Math.hypot(values[2 * i], values[2 * i + 1]));
      for (const {values, name, width} of fields) {
        context.strokeStyle = context.fillStyle = colour(name);
        context.lineWidth = width;
        for (let i = 0; i < side * side; ++i) {
          const x = -range + (i % side + 0.5) * spacing, y = range - (Math.floor(i / side) + 0.5) * spacing;
          const length = Math.hypot(values[2 * i], values[2 * i + 1]);
          const scale = 0.95 * spacing / longest * Math.sqrt(longest / Math.max(length, 1e-9));
          const [ax, ay] = at(x, y), [bx, by] = at(x + scale * values[2 * i], y + scale * values[2 * i + 1]);
          context.beginPath();
          context.moveTo(ax, ay);
          context.lineTo(bx, by);
          context.stroke();
          context.beginPath();
          context.arc(ax, ay, 1 + width / 2, 0, 7);
          context.fill();
        }
      }
    };
  }

  square("Density of the data", `${p.data_count} held-out points.`, density(p.data));
  square("Density of the samples", `${p.sample_count} samples after step ${p.step}.`, density(p.samples));
  square("Paths of samples", `x_t of ${p.paths.length} samples, from noise to the dot at the end.`, (context, at) => {
    context.lineWidth = 1;
    for (const path of p.paths) {
      context.strokeStyle = colour("--c5");
      context.globalAlpha = 0.55;
      context.beginPath();
      for (let i = 0; i < path.length; i += 2) context.lineTo(...at(path[i], path[i + 1]));
      context.stroke();
      context.globalAlpha = 1;
      context.fillStyle = colour("--c1");
      context.beginPath();
      context.arc(...at(path[path.length - 2], path[path.length - 1]), 4, 0, 7);
      context.fill();
    }
  });
  for (const field of p.fields) {
    square(`Score at sigma = ${number(field.sigma)}`,
      "Learned (orange) over the exact one of the training points (blue): they coincide where the model is right. " +
      `Where data with this noise lie, they differ by ${number(field.difference)} (root mean square), of ` +
      `${number(field.norm)}. Long arrows are shortened.`,
      arrows([{values: field.exact, name: "--c0", width: 5}, {values: field.learned, name: "--c1", width: 2}]));
  }
  return grid;
}
