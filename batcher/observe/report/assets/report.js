// The report's own: its charts, the reader's time zone, and the search among its rows.
"use strict";

drawCharts(document, JSON.parse(document.getElementById("chart-data").textContent));

for (const time of document.querySelectorAll("time")) {
  time.title = time.textContent;
  time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
    second: "2-digit", hourCycle: "h23", timeZoneName: "short",
  });
}

const search = document.getElementById("search");
if (search) {
  const kind = document.getElementById("kind");
  const found = document.getElementById("found");
  const rows = [...document.querySelectorAll("#sample [data-kind]")].map((row) => ({
    row, text: row.textContent.toLowerCase(),
  }));
  const show = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of rows) {
      const fits =
        (!kind.value || row.dataset.kind === kind.value) && wanted.every((word) => text.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    found.textContent = found.dataset.text.replace("{shown}", shown).replace("{all}", rows.length);
  };
  search.addEventListener("input", show);
  kind.addEventListener("input", show);
  show();
}
