// Draws what batcher/observe/report/charts.py tells, by uPlot. A page that is told more as time goes
// on calls drawCharts again with the new data: charts keep their zoom. What can be seen without
// this script is the sentence below each title.
"use strict";

function drawCharts(root, data) {
  for (const figure of root.querySelectorAll("[data-chart]")) {
    const chart = data.charts[figure.dataset.chart];
    if (!chart) continue;
    figure.querySelector("[data-said]").textContent = chart.said;
    const place = figure.querySelector("[data-plot]");
    const empty = chart.series.length === 0;
    figure.classList.toggle("empty", empty);
    place.hidden = empty;
    place.setAttribute("aria-label", chart.title + ": " + chart.said);
    const shape = JSON.stringify([chart.kind, data.lang, chart.series.map((line) => line.label)]);
    const drawn = drawCharts.drawn.get(place);
    if (drawn && (empty || drawn.shape !== shape)) forget(place, drawn);
    if (empty) continue;
    const kept = drawCharts.drawn.get(place);
    if (kept) {
      kept.told.chart = chart;
      kept.told.data = data;
      const x = kept.plot.scales.x;
      const old = kept.plot.data[0];
      const whole = kept.told.whole(x, old);
      kept.plot.setData(columns(chart, data), whole);
      if (!whole) kept.plot.redraw();
    } else {
      draw(place, chart, data, shape);
    }
  }
}
drawCharts.drawn = new Map();

// Draws all again: the colours of the page have changed, or its width for paper.
function redrawCharts(width) {
  for (const [place, drawn] of [...drawCharts.drawn]) {
    const { chart, data } = drawn.told;
    forget(place, drawn);
    draw(place, chart, data, drawn.shape, width);
  }
}

function forget(place, drawn) {
  drawn.watch.disconnect();
  drawn.plot.destroy();
  drawCharts.drawn.delete(place);
}

function draw(place, chart, data, shape, width) {
  const told = { chart, data, whole: (x, old) => x.min <= old[0] && x.max >= old[old.length - 1] };
  const style = getComputedStyle(place);
  const color = (name) => style.getPropertyValue("--" + name).trim();
  const options = chart.kind === "time" ? overTime(told, color) : histogram(told, color);
  const font = "11px " + style.fontFamily;
  for (const axis of options.axes) {
    Object.assign(axis, { font, stroke: color("muted"), ticks: { show: false }, gap: 6 });
    axis.grid = { ...axis.grid, stroke: color("line"), width: 1 };
  }
  const height = 190;
  options.width = width || Math.max(240, Math.floor(place.clientWidth));
  options.height = height;
  options.padding = [10, 20, 0, 0];
  const plot = new uPlot(options, columns(chart, data), place);
  const watch = new ResizeObserver(() => {
    const wide = Math.floor(place.clientWidth);
    if (wide > 0 && wide !== plot.width && !width) plot.setSize({ width: wide, height });
  });
  watch.observe(place);
  drawCharts.drawn.set(place, { plot, told, shape, watch });
}

// Stacked areas are drawn over each other, the highest first, each down to 0.
function columns(chart, data) {
  if (chart.kind !== "time") {
    return [chart.at.map((at) => at + chart.width / 2), chart.series[0].values];
  }
  let below = null;
  const lines = chart.series.map((line) => {
    // A step lasts until the next; the last one until the end of the axis.
    const values = [...line.values, line.values[line.values.length - 1]];
    if (!chart.stacked) return values;
    below = below ? values.map((value, at) => value + below[at]) : values;
    return below;
  });
  return [data.at, ...(chart.stacked ? lines.reverse() : lines)];
}

function overTime(told, color) {
  const stacked = told.chart.stacked;
  const lines = told.chart.series.map((line) => ({
    label: line.label,
    stroke: color(line.color),
    fill: stacked ? color(line.color) : line.color === "first" ? color(line.color) + "22" : undefined,
    width: stacked ? 0 : 1.5,
    points: { show: false },
    paths: uPlot.paths.stepped({ align: 1 }),
    value: (plot, value, column, at) => {
      const values = told.chart.series.find((other) => other.label === line.label).values;
      return at == null ? "–" : number(values[Math.min(at, values.length - 1)]);
    },
  }));
  return {
    cursor: { sync: { key: "time" }, y: false, points: { show: !stacked } },
    scales: { x: { time: false }, y: { range: (plot, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    series: [
      {
        label: told.data.time,
        value: (plot, value, column, at) =>
          at == null ? "–" : clock(value) + " (" + moment(told.data.wall[at], told.data.lang) + ")",
      },
      ...(stacked ? lines.reverse() : lines),
    ],
    axes: [
      { values: (plot, splits) => splits.map(clock), incrs: SECONDS, grid: { show: false }, space: 60, size: 26 },
      { values: (plot, splits) => splits.map(number), size: 46 },
    ],
    hooks: {
      drawClear: [(plot) => shade(plot, told.data.paused, color("pause"))],
      draw: [
        (plot) => told.data.resumed.forEach((at) => mark(plot, at, color("ink"))),
      ],
    },
  };
}

function histogram(told, color) {
  return {
    cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
    scales: {
      x: {
        time: false,
        range: () => {
          const { at, width } = told.chart;
          return [at[0] - width, at[at.length - 1] + 2 * width];
        },
      },
      y: { range: (plot, low, high) => [0, high * 1.4 || 1] },
    },
    series: [
      {
        label: told.chart.title,
        value: (plot, value, column, at) =>
          at == null
            ? "–"
            : figure(Math.exp(told.chart.at[at])) + " – " + figure(Math.exp(told.chart.at[at] + told.chart.width)),
      },
      {
        label: told.chart.series[0].label,
        fill: color("first") + "99",
        stroke: color("first"),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars({ size: [0.86, 60], align: 0 }),
        value: (plot, value) => (value == null ? "–" : number(value)),
      },
    ],
    axes: [
      {
        grid: { show: false },
        size: 26,
        splits: (plot, axis, low, high) => magnitudes(low, high),
        values: (plot, splits) => splits.map((at) => figure(Math.exp(at))),
      },
      { values: (plot, splits) => splits.map((at) => (Number.isInteger(at) ? number(at) : "")), size: 46 },
    ],
    hooks: {
      draw: [
        (plot) => {
          const marks = Object.entries(told.chart.marks);
          for (const [, at] of marks) mark(plot, at, color("ink"));
          label(plot, marks, color("ink"), color("card"));
        },
      ],
    },
  };
}

const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200];
for (let days = 1; days < 4096; days *= 2) SECONDS.push(days * 86400);

// Places of 1, 2, 5, 10, ... between two logarithms; where that is too many, of powers of 10.
function magnitudes(low, high) {
  const few = high - low > 7;
  const found = [];
  for (let power = Math.floor(low / Math.LN10); power <= high / Math.LN10; power += 1) {
    for (const digit of few ? [1] : high - low < 1.5 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : [1, 2, 5]) {
      const at = Math.log(digit) + power * Math.LN10;
      if (at >= low && at <= high) found.push(at);
    }
  }
  return found;
}

function shade(plot, spans, fill) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = fill;
  for (const [from, to] of spans) {
    const left = plot.valToPos(from, "x", true);
    ctx.fillRect(left, bbox.top, Math.max(1, plot.valToPos(to, "x", true) - left), bbox.height);
  }
  ctx.restore();
}

function mark(plot, at, stroke) {
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(at, "x", true));
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  const scale = uPlot.pxRatio;
  ctx.save();
  ctx.globalAlpha = 0.75;
  ctx.strokeStyle = stroke;
  ctx.lineWidth = scale;
  ctx.setLineDash([4 * scale, 3 * scale]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

// Names marks, each in a row of its own and all on the same side of their lines; the side has room
// for most of them. What has none there is only told in the sentence.
function label(plot, marks, ink, ground) {
  const { ctx, bbox } = plot;
  const scale = uPlot.pxRatio;
  ctx.save();
  ctx.font = 11 * scale + "px system-ui, sans-serif";
  const [gap, high, end] = [3 * scale, 13 * scale, bbox.left + bbox.width];
  const placed = (right) =>
    marks
      .map(([name, at], row) => {
        const x = Math.round(plot.valToPos(at, "x", true));
        const wide = ctx.measureText(name).width + 2 * gap;
        return { name, wide, left: right ? x + scale : x - scale - wide, top: bbox.top + row * high };
      })
      .filter(({ left, wide }) => left >= bbox.left && left + wide <= end);
  const [right, left] = [placed(true), placed(false)];
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  for (const { name, wide, left: x, top } of right.length >= left.length ? right : left) {
    ctx.fillStyle = ground;
    ctx.fillRect(x, top, wide, high);
    ctx.fillStyle = ink;
    ctx.fillText(name, x + gap, top + high / 2);
  }
  ctx.restore();
}

// The same in every language, as the page writes them.
function number(value) {
  return value.toLocaleString("en-US", { maximumFractionDigits: value >= 100 ? 0 : value >= 1 ? 2 : 4 });
}

function figure(value) {
  return Number(value.toPrecision(2)).toLocaleString("en-US", { maximumFractionDigits: 4 });
}

// Seconds as 1:05, or 2:00:00.
function clock(seconds) {
  const whole = Math.round(seconds);
  const two = (part) => String(part).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? hours + ":" + two(minutes) + ":" + two(rest) : minutes + ":" + two(rest);
}

function moment(second, lang) {
  return new Date(second * 1000).toLocaleString(lang, {
    month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redrawCharts());
// Paper is white, and one chart wide.
addEventListener("beforeprint", () => {
  document.documentElement.dataset.theme = "light";
  redrawCharts(660);
});
addEventListener("afterprint", () => {
  delete document.documentElement.dataset.theme;
  redrawCharts();
});

// Writes what tiles.py returns: the figures, and how long the bar of progress is.
function showTiles(root, tiles, extents) {
  for (const tile of tiles) {
    const place = root.querySelector('[data-tile="' + tile.name + '"]');
    place.className = "tile " + tile.tone;
    place.querySelector("[data-value]").textContent = tile.value;
    place.querySelector("[data-note]").textContent = tile.note;
  }
  const [good, bad] = root.querySelectorAll("#progress rect");
  root.querySelector("#progress").setAttribute("viewBox", "0 0 " + extents.total + " 1");
  good.setAttribute("width", extents.results);
  bad.setAttribute("x", extents.results);
  bad.setAttribute("width", extents.errors);
}
