// Keeps the page as the run is: each event tells all that there is to show (page.py).
"use strict";

(() => {
  const said = JSON.parse(document.getElementById("said").textContent);
  const by = (id) => document.getElementById(id);

  function say(phase, text) {
    document.body.dataset.phase = phase;
    // A screen reader reads it out only when it is another one.
    if (by("status").textContent !== text) by("status").textContent = text;
  }

  function show(state) {
    document.title = state.title;
    by("phase").textContent = state.phase_said;
    by("phase").className = "badge " + state.tone;
    by("phase").hidden = false;
    by("model").textContent = state.model;
    by("simulated").hidden = !state.simulated;
    by("now").hidden = !state.moving;
    showTiles(document, state.tiles, state.extents);
    by("errors").hidden = state.errors.length === 0;
    by("errors").querySelector("tbody").replaceChildren(...state.errors.map(row));
    // Before, there was nothing to say; a chart is drawn as wide as the place that is seen.
    by("charts").hidden = false;
    drawCharts(by("charts"), state.data);
    say(state.phase, state.status);
  }

  function row({ name, rows, hint }) {
    const made = document.createElement("tr");
    const cells = [["th", name], ["td", rows], ["td", hint]].map(([kind, text]) => {
      const cell = document.createElement(kind);
      cell.textContent = text;
      return cell;
    });
    cells[0].scope = "row";
    cells[1].className = "figure";
    cells[2].className = "hint";
    made.append(...cells);
    return made;
  }

  const events = new EventSource("events");
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.addEventListener("end", () => {
    events.close();
    say("over", said.over);
  });
  // A browser tries again by itself, unless it was told that there is nothing.
  events.onerror = () => {
    const over = events.readyState === EventSource.CLOSED;
    say(over ? "over" : "no_answer", over ? said.over : said.no_answer);
  };
})();
