"use strict";
(() => {
  const ROWS_AT_FIRST = 30;
  // Pixels: of a cell at least, of a row, of the words beside a bar.
  const CELL = 6;
  const ROW = { bins: 24, heatmap: 20 };
  const TOLD = new Set(["ok", "warn", "drift"]); // a score that could not be judged has no colour
  const WORDS = 62;
  const byId = (id) => document.getElementById(id);
  byId("unscripted").remove();
  const read = (element) => JSON.parse(element.textContent);
  const specifications = read(byId("specifications"));
  const timeline = byId("timeline") ? read(byId("timeline")) : null;
  const stories = [...document.querySelectorAll(".story")];
  const dataOf = new Map();

  const data = (story) => {
    if (!dataOf.has(story)) {
      const block = story.querySelector('script[type="application/json"]');
      dataOf.set(story, block ? read(block) : {});
    }
    return dataOf.get(story);
  };

  const sum = (counts) => counts.reduce((a, b) => a + b, 0);
  const percent = (share, digits = 1) => (share === null ? "–" : `${(100 * share).toFixed(digits)} %`);
  const thousandths = (part) => (part === null ? null : part / 1000);
  const short = (value) => (value === null ? "–" : Number(value.toPrecision(3)).toString());

  // Rows of the charts. Blank labels of different lengths are the gaps that set special bins apart.
  // Special bins without rows on either side are left to the table.
  const binRows = ({ labels, reference, live, parts, moved, special, drawn = labels.map((_, i) => i) }) => {
    const n = [sum(reference) || 1, sum(live) || 1];
    const apart = new Set(special);
    const most = new Set(moved);
    const rows = [];
    const gap = () => rows.push({ label: " ".repeat(1 + rows.length), reference: 0, live: 0, gap: true });
    const shown = drawn.filter((i) => !apart.has(i) || reference[i] || live[i]);
    shown.forEach((i, at) => {
      if (at > 0 && apart.has(i) !== apart.has(shown[at - 1])) gap();
      rows.push({
        label: labels[i], reference: reference[i] / n[0], live: live[i] / n[1],
        moved: most.has(i), part: percent(thousandths(parts[i]), 0),
      });
    });
    const kept = new Set(drawn);
    const rest = labels.map((_, i) => i).filter((i) => !kept.has(i));
    if (rest.length) {
      const total = (side, rows) => sum(rest.map((i) => side[i])) / rows;
      const part = sum(rest.map((i) => parts[i] || 0)) / 1000;
      const at = rows.findLastIndex((row) => row.gap);
      rows.splice(at < 0 ? rows.length : at, 0, {
        label: `${rest.length} others`, reference: total(reference, n[0]), live: total(live, n[1]),
        moved: false, part: percent(part, 0),
      });
    }
    return rows;
  };

  const at = (values, i) => (Array.isArray(values) ? values[i] : values);

  const historyRows = (history) => timeline.windows.map(([start, end, words], i) => {
    const code = history.verdict[i];
    return {
      start, end, middle: (start + end) / 2, window: words,
      score: history.score[i], noise: at(history.noise, i), threshold: at(history.threshold, i),
      stands: at(history.stands, i), ratio: history.ratio[i] === null ? null : history.ratio[i] / 100,
      verdict: code === "-" ? null : timeline.verdicts[code][0],
      said: code === "-" ? "not checked" : timeline.verdicts[code][1],
    };
  });

  const heatRows = (shown, windows) => shown.flatMap((story) => {
    const label = timeline.columns[stories.indexOf(story)];
    const rows = historyRows(data(story).history).slice(-windows).filter((row) => row.verdict !== null);
    return rows.map((row) => ({
      ...row, label, ratio: TOLD.has(row.verdict) ? row.ratio : null,
    }));
  });

  // Colours are CSS variables: light, dark and print need no redrawing. Names and the words beside bars
  // need room in pixels.
  const room = (width, rows) => {
    const names = Math.round(Math.min(210, width * 0.34));
    const longest = Math.max(0, ...rows.map((row) => Math.max(row.reference || 0, row.live || 0)));
    return { names, longest: longest / Math.max(0.5, 1 - WORDS / Math.max(width - names, 1)) };
  };

  const embed = async (place, kind, rows) => {
    const width = place.clientWidth;
    const values = room(width, rows);
    const spec = structuredClone(specifications[kind]);
    const height = kind === "history" ? 180 : ROW[kind] * new Set(rows.map((row) => row.label)).size;
    Object.assign(spec, { data: { values: rows }, width, height });
    if (kind === "history") { // a line that no window has would leave Vega without an extent, and it says so
      spec.layer = spec.layer.filter(({ encoding, mark }) =>
        mark.type === "point" || rows.some((row) => row[encoding.y.field] !== null));
    }
    for (const param of spec.params) {
      param.value = param.name in values ? values[param.name] : `var(--${param.name})`;
    }
    try {
      const { view } = await window.vegaEmbed(place, spec, {
        mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false,
        tooltip: { disableDefaultStyle: true },
      });
      views.set(place, { view, rows });
      resizer.observe(place);
    } catch (error) {
      place.textContent = `This chart could not be drawn (${error.message}); its numbers follow.`;
      throw error;
    }
  };

  const views = new WeakMap();
  const resizer = new ResizeObserver((changed) => changed.forEach(({ target }) => {
    const { view, rows } = views.get(target);
    const width = target.clientWidth;
    if (!width || view.width() === width) return;
    for (const [name, value] of Object.entries(room(width, rows))) view.signal(name, value);
    view.width(width).runAsync();
  }));

  const cell = (row, tag, text, kind) => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (tag === "th") element.scope = kind || "row";
    else if (kind) element.className = kind;
    row.append(element);
  };

  const table = (head, lines) => {
    const element = document.createElement("table");
    const first = element.createTHead().insertRow();
    head.forEach((text) => cell(first, "th", text, "col"));
    const body = element.createTBody();
    lines.forEach(({ name, values, className }) => {
      const row = body.insertRow();
      if (className) row.className = className;
      cell(row, "th", name);
      values.forEach((text) => cell(row, "td", text, "n"));
    });
    return element;
  };

  const tables = {
    bins: ({ bins }) => {
      const n = [sum(bins.reference), sum(bins.live)];
      const share = (count, rows) => (rows ? percent(count / rows) : "–");
      return table(["Bin", "Reference", "", "Live", "", "Part of the score"], bins.labels.map((label, i) => ({
        name: label,
        values: [
          bins.reference[i].toLocaleString("en"), share(bins.reference[i], n[0]),
          bins.live[i].toLocaleString("en"), share(bins.live[i], n[1]), percent(thousandths(bins.parts[i]), 0),
        ],
        className: bins.moved.includes(i) ? "moved-most" : bins.special.includes(i) ? "special" : "",
      })));
    },
    history: ({ history }) => table(
      ["Window", "Verdict", "Score", "Noise", "Way to drift"],
      historyRows(history).reverse().filter((row) => row.verdict !== null).map((row) => ({
        name: row.window, values: [row.said, short(row.score), short(row.noise), short(row.ratio)],
      })),
    ),
  };

  const fill = (details, make) => details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector("table")) details.append(make());
  });

  // Which parts of a legend a chart has.
  const some = (values) => (Array.isArray(values) ? values.some((value) => value !== null) : values !== null);
  const shows = {
    moved: ({ bins }) => bins.moved.length > 0,
    threshold: ({ history }) => some(history.threshold),
    stands: ({ history }) => some(history.stands),
  };

  const drawn = new WeakSet();
  const draw = (place) => {
    const story = place.closest(".story");
    if (drawn.has(place) || !story.open) return;
    drawn.add(place);
    const kind = place.dataset.chart;
    const legend = byId(`legend-${kind}`).content.cloneNode(true);
    legend.querySelectorAll("[data-if]").forEach((part) => {
      if (!shows[part.dataset.if](data(story))) part.remove();
    });
    place.before(legend);
    embed(place, kind, kind === "bins" ? binRows(data(story).bins) : historyRows(data(story).history));
  };

  const charts = [...document.querySelectorAll(".story .chart")];
  const watcher = new IntersectionObserver(
    (seen) => seen.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
    { rootMargin: "400px" },
  );
  charts.forEach((place) => watcher.observe(place));
  document.querySelectorAll(".story .numbers").forEach((details) => {
    fill(details, () => tables[details.dataset.table](data(details.closest(".story"))));
  });

  // A cell too narrow for its mark would leave the verdict to colour: where room is short, older windows go.
  const drawHeatmap = (shown) => {
    const place = byId("heatmap");
    const all = timeline.windows.length;
    const windows = Math.min(all, Math.floor((place.clientWidth * 0.66) / CELL));
    byId("heatmap-part").textContent = windows < all ? `The newest ${windows} of ${all} windows; a wider page shows more.` : "";
    return embed(place, "heatmap", heatRows(shown, windows));
  };
  if (timeline) {
    const told = stories.filter((story) => data(story).history);
    drawHeatmap(told.slice(0, ROWS_AT_FIRST));
    const button = byId("all-rows");
    button.hidden = told.length <= ROWS_AT_FIRST;
    button.addEventListener("click", () => {
      button.hidden = true;
      drawHeatmap(told);
    });
    fill(byId("heatmap-numbers"), () => table(["Column", "Windows", "Drifted", "Last"], told.map((story) => {
      const rows = historyRows(data(story).history).filter((row) => row.verdict !== null);
      const bad = rows.filter((row) => row.verdict === "drift");
      return {
        name: timeline.columns[stories.indexOf(story)],
        values: [rows.length, bad.length, bad.length ? bad[bad.length - 1].window : "–"],
      };
    })));
  }

  const openTarget = () => {
    const story = byId(location.hash.slice(1));
    if (story && story.matches(".story")) {
      story.open = true;
      story.scrollIntoView();
      story.querySelector("summary").focus({ preventScroll: true });
    }
  };
  addEventListener("hashchange", openTarget);
  openTarget();
  for (const [id, open] of [["open-all", true], ["close-all", false]]) {
    byId(id).hidden = stories.length < 2;
    byId(id).addEventListener("click", () => stories.forEach((story) => { story.open = open; }));
  }

  // Paper shows what stands open, in light colours.
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.print = "";
    charts.forEach(draw);
  });
  addEventListener("afterprint", () => delete document.documentElement.dataset.print);
})();
