"use strict";
(() => {
  const ROWS_AT_FIRST = 30;
  // Pixels: minimum width of a cell, height of a row, width of the text beside a bar.
  const MIN_CELL = 6;
  const ROW = { bins: 24, heatmap: 20 };
  const BAR_TEXT = 62;
  const EVALUATED = new Set(["ok", "warn", "drift"]); // other verdicts have no colour in the heat map
  const byId = (id) => document.getElementById(id);
  byId("unscripted").remove();
  const read = (element) => JSON.parse(element.textContent);
  const specifications = read(byId("specifications"));
  const timeline = byId("timeline") ? read(byId("timeline")) : null;
  const columns = [...document.querySelectorAll(".column")];
  const dataOf = new Map();

  const data = (column) => {
    if (!dataOf.has(column)) {
      const block = column.querySelector('script[type="application/json"]');
      dataOf.set(column, block ? read(block) : {});
    }
    return dataOf.get(column);
  };

  const sum = (counts) => counts.reduce((a, b) => a + b, 0);
  const percent = (share, digits = 1) => (share === null ? "–" : `${(100 * share).toFixed(digits)} %`);
  const thousandths = (part) => (part === null ? null : part / 1000);
  const short = (value) => (value === null ? "–" : Number(value.toPrecision(3)).toString());

  // Rows of the charts. Blank labels of different lengths are gaps that separate the special bins.
  // Special bins without rows on either side are in the table only.
  const binRows = ({ labels, reference, live, parts, moved, special, drawn = labels.map((_, i) => i) }) => {
    const n = [sum(reference) || 1, sum(live) || 1];
    const isSpecial = new Set(special);
    const hasMoved = new Set(moved);
    const rows = [];
    const gap = () => rows.push({ label: " ".repeat(1 + rows.length), reference: 0, live: 0, gap: true });
    const shown = drawn.filter((i) => !isSpecial.has(i) || reference[i] || live[i]);
    shown.forEach((i, at) => {
      if (at > 0 && isSpecial.has(i) !== isSpecial.has(shown[at - 1])) gap();
      rows.push({
        label: labels[i], reference: reference[i] / n[0], live: live[i] / n[1],
        moved: hasMoved.has(i), part: percent(thousandths(parts[i]), 0),
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

  const valueAt = (values, i) => (Array.isArray(values) ? values[i] : values);

  const historyRows = (history) => timeline.windows.map(([start, end, name], i) => {
    const code = history.verdict[i];
    return {
      start, end, middle: (start + end) / 2, window: name,
      score: history.score[i], noise: valueAt(history.noise, i), threshold: valueAt(history.threshold, i),
      detectable: valueAt(history.detectable, i), ratio: history.ratio[i] === null ? null : history.ratio[i] / 100,
      verdict: code === "-" ? null : timeline.verdicts[code][0],
      verdict_name: code === "-" ? "not checked" : timeline.verdicts[code][1],
    };
  });

  const heatRows = (shown, windows) => shown.flatMap((column) => {
    const label = timeline.columns[columns.indexOf(column)];
    const rows = historyRows(data(column).history).slice(-windows).filter((row) => row.verdict !== null);
    return rows.map((row) => ({
      ...row, label, ratio: EVALUATED.has(row.verdict) ? row.ratio : null,
    }));
  });

  // Colours are CSS variables: light, dark and print need no redrawing. Names and text beside bars need a width
  // in pixels.
  const layout = (width, rows) => {
    const names = Math.round(Math.min(210, width * 0.34));
    const share = Math.max(0, ...rows.map((row) => Math.max(row.reference || 0, row.live || 0)));
    return { names, largest: share / Math.max(0.5, 1 - BAR_TEXT / Math.max(width - names, 1)) };
  };

  const embed = async (place, kind, rows) => {
    const width = place.clientWidth;
    const values = layout(width, rows);
    const spec = structuredClone(specifications[kind]);
    const height = kind === "history" ? 180 : ROW[kind] * new Set(rows.map((row) => row.label)).size;
    Object.assign(spec, { data: { values: rows }, width, height });
    if (kind === "history") { // Vega warns about a line without values
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
      place.textContent = `This chart could not be drawn (${error.message}); the table below has its numbers.`;
      throw error;
    }
  };

  const views = new WeakMap();
  const resizer = new ResizeObserver((changed) => changed.forEach(({ target }) => {
    const { view, rows } = views.get(target);
    const width = target.clientWidth;
    if (!width || view.width() === width) return;
    for (const [name, value] of Object.entries(layout(width, rows))) view.signal(name, value);
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
      return table(["Bin", "Reference", "", "Live", "", "Contribution to the score"], bins.labels.map((label, i) => ({
        name: label,
        values: [
          bins.reference[i].toLocaleString("en"), share(bins.reference[i], n[0]),
          bins.live[i].toLocaleString("en"), share(bins.live[i], n[1]), percent(thousandths(bins.parts[i]), 0),
        ],
        className: bins.moved.includes(i) ? "moved-most" : bins.special.includes(i) ? "special" : "",
      })));
    },
    history: ({ history }) => table(
      ["Window", "Verdict", "Score", "Typical score", "Relative to limit"],
      historyRows(history).reverse().filter((row) => row.verdict !== null).map((row) => ({
        name: row.window, values: [row.verdict_name, short(row.score), short(row.noise), short(row.ratio)],
      })),
    ),
  };

  const fill = (details, make) => details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector("table")) details.append(make());
  });

  // Parts of a legend that depend on the data of a chart.
  const some = (values) => (Array.isArray(values) ? values.some((value) => value !== null) : values !== null);
  const shows = {
    moved: ({ bins }) => bins.moved.length > 0,
    threshold: ({ history }) => some(history.threshold),
    detectable: ({ history }) => some(history.detectable),
  };

  const drawn = new WeakSet();
  const draw = (place) => {
    const column = place.closest(".column");
    if (drawn.has(place) || !column.open) return;
    drawn.add(place);
    const kind = place.dataset.chart;
    const legend = byId(`legend-${kind}`).content.cloneNode(true);
    legend.querySelectorAll("[data-if]").forEach((part) => {
      if (!shows[part.dataset.if](data(column))) part.remove();
    });
    place.before(legend);
    embed(place, kind, kind === "bins" ? binRows(data(column).bins) : historyRows(data(column).history));
  };

  const charts = [...document.querySelectorAll(".column .chart")];
  const watcher = new IntersectionObserver(
    (seen) => seen.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
    { rootMargin: "400px" },
  );
  charts.forEach((place) => watcher.observe(place));
  document.querySelectorAll(".column .numbers").forEach((details) => {
    fill(details, () => tables[details.dataset.table](data(details.closest(".column"))));
  });

  // In cells too narrow for marks only colour would show the verdict: on a narrow page, omit the oldest windows.
  const drawHeatmap = (shown) => {
    const place = byId("heatmap");
    const all = timeline.windows.length;
    const windows = Math.min(all, Math.floor((place.clientWidth * 0.66) / MIN_CELL));
    byId("heatmap-part").textContent = windows < all ? `The newest ${windows} of ${all} windows are shown; a wider page shows more.` : "";
    return embed(place, "heatmap", heatRows(shown, windows));
  };
  if (timeline) {
    const charted = columns.filter((column) => data(column).history);
    drawHeatmap(charted.slice(0, ROWS_AT_FIRST));
    const button = byId("all-rows");
    button.hidden = charted.length <= ROWS_AT_FIRST;
    button.addEventListener("click", () => {
      button.hidden = true;
      drawHeatmap(charted);
    });
    fill(byId("heatmap-numbers"), () => table(["Column", "Windows", "Drifted", "Last drift"], charted.map((column) => {
      const rows = historyRows(data(column).history).filter((row) => row.verdict !== null);
      const drifted = rows.filter((row) => row.verdict === "drift");
      return {
        name: timeline.columns[columns.indexOf(column)],
        values: [rows.length, drifted.length, drifted.length ? drifted[drifted.length - 1].window : "–"],
      };
    })));
  }

  const openTarget = () => {
    const column = byId(location.hash.slice(1));
    if (column && column.matches(".column")) {
      column.open = true;
      column.scrollIntoView();
      column.querySelector("summary").focus({ preventScroll: true });
    }
  };
  addEventListener("hashchange", openTarget);
  openTarget();
  for (const [id, open] of [["open-all", true], ["close-all", false]]) {
    byId(id).hidden = columns.length < 2;
    byId(id).addEventListener("click", () => columns.forEach((column) => { column.open = open; }));
  }

  // Print open columns, in light colours.
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.print = "";
    charts.forEach(draw);
  });
  addEventListener("afterprint", () => delete document.documentElement.dataset.print);
})();
