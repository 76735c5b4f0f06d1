/* Charts in the browser. A chart stays in its box and is redrawn in place; words and legend are laid out for the width
   that is there, and colours are those of the page: the server draws by day alone. What is in sight is drawn first,
   what a closed tab hides when it is opened. A newer chart takes the place of one that still waits, and one that stands
   already is not drawn again.

   Charts of the positions that a dial may be moved to next are sent ahead (ahead.py), and shown when the dial is moved,
   before the server has heard of it. Its answer brings the same charts, which then stand already. Those of the next
   stop in the direction of the last move are drawn beforehand, out of sight, while nothing else is to be done. */

const LEGEND_MARK_PX = 44; /* line and gaps beside a name in the legend */
const FONT_PX = 12, SMALL_FONT_PX = 10; /* of a legend; small where two long names then stand side by side */
const INSET_PX = 30; /* of the words under a title, from both sides together */
const WIDE_PX = 800; /* of a chart in which those words need a line less */
const SLACK_PX = 20; /* by which a box may change its width, as by a scroll bar, before its chart is laid out anew */

const pen = document.createElement("canvas").getContext("2d"); /* measures words; draws nothing */

const unescaped = (words) => words.replace(/<[^>]*>/g, "").replace(/&#36;/g, "$").replace(/&lt;/g, "<")
  .replace(/&gt;/g, ">").replace(/&amp;/g, "&");
const escaped = (words) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
  .replace(/\$/g, "&#36;");

/* Words broken into lines of a width, in the font of the pen; what is beyond `most` lines is cut off. */
function lines(words, width, most) {
  const found = [];
  let line = "";
  for (const word of words.split(" ")) {
    const longer = line ? line + " " + word : word;
    if (line && pen.measureText(longer).width > width) {
      found.push(line);
      line = word;
    } else line = longer;
  }
  if (line) found.push(line);
  return found.length <= most ? found : [...found.slice(0, most - 1), found[most - 1] + " ..."];
}

/* A figure whose margins hold its words and legend at this width; `room` is what `page_room` in Python says of it. */
function fitted(figure, room, width) {
  const { layout } = figure;
  const free = width - layout.margin.l - layout.margin.r;
  const names = figure.data.filter((trace) => trace.name && trace.showlegend !== false)
    .map((trace) => unescaped(trace.name));
  const entriesOf = (px) => {
    pen.font = px + "px " + layout.font.family;
    return names.map((name) => pen.measureText(name).width + LEGEND_MARK_PX);
  };
  const inTwo = (widths) => 2 * Math.max(...widths) <= free;
  const small = !inTwo(entriesOf(FONT_PX)) && inTwo(entriesOf(SMALL_FONT_PX));
  const entries = entriesOf(small ? SMALL_FONT_PX : FONT_PX);
  if (small) layout.legend.font.size = SMALL_FONT_PX;
  const inRow = Math.max(1, Math.floor(free / Math.max(1, ...entries)));
  const together = entries.reduce((sum, entry) => sum + entry, 0);
  const shown = layout.showlegend === false || (entries.length < 2 && layout.showlegend !== true) ? 0 : entries.length;
  const rows = together <= free ? Math.min(1, shown) : Math.ceil(shown / inRow);
  layout.margin.b = room.bottom + room.row * rows;
  if (room.words) {
    pen.font = "12px " + layout.font.family;
    const most = width > WIDE_PX ? room.lines - 1 : room.lines;
    layout.title.subtitle.text = lines(room.words, width - INSET_PX, most).map(escaped).join("<br>");
    layout.margin.t = room.top - room.line * (room.lines - most);
  }
  const tall = layout.height - layout.margin.t - layout.margin.b;
  const upwards = layout.yaxis && layout.yaxis.domain === undefined ? layout.yaxis.title : undefined;
  pen.font = "13px " + layout.font.family;
  if (upwards?.text && pen.measureText(unescaped(upwards.text)).width > tall) {
    [upwards.text] = upwards.text.split(", ");
  }
  return figure;
}

/* A figure in the colours of a dark page, by `NIGHT` and `SHOWN` of charts_page.py; words and numbers stay. */
function darkened(node) {
  const { colours, shown } = window.tpNight;
  for (const [key, inner] of Object.entries(node)) {
    const below = inner !== null && typeof inner === "object";
    if (shown.includes(key) && !(key === "title" && below)) continue;
    if (below) darkened(inner);
    else if (Object.hasOwn(colours, inner)) node[key] = colours[inner];
  }
  return node;
}

/* Where charts are drawn that nobody sees yet: what is measured of them needs a place in the page. */
function backstage() {
  let room = document.querySelector(".tp-backstage");
  if (!room) {
    room = document.createElement("div");
    room.className = "tp-backstage";
    room.setAttribute("aria-hidden", "true");
    document.body.append(room);
  }
  return room;
}

/* A chart as it was drawn: the element it is in, the figure's text, and the width, buttons and colours it has. */
class Drawing {
  constructor(parent) {
    this.plot = document.createElement("div");
    this.putInto(parent);
  }

  putInto(parent, size = "width: 100%; height: 100%") {
    this.plot.style.cssText = size;
    parent.append(this.plot);
  }

  holds(chart, way) {
    return chart.figure === this.figure && way === this.way;
  }

  draw(chart, way) {
    const [width, config, dark] = JSON.parse(way);
    const figure = fitted(JSON.parse(chart.figure), chart.room, width);
    const { data, layout } = dark ? darkened(figure) : figure;
    window.Plotly.react(this.plot, data, layout, config);
    Object.assign(this, { figure: chart.figure, way });
  }

  leave() {
    window.Plotly?.purge(this.plot);
    this.plot.remove();
  }
}

/* A box on the page, the chart that is to stand in it, its drawing, and another that is likely to be next. */
class ChartBox {
  constructor(box) {
    this.box = box;
    this.shown = new Drawing(box);
    this.resized = new ResizeObserver(() => {
      if (this.width !== undefined && Math.abs(box.clientWidth - this.width) > SLACK_PX) this.draw();
    });
    this.resized.observe(box);
    this.ready = () => this.chart && this.show(this.chart, this.at);
    window.addEventListener("tp-plotly", this.ready, { once: true });
  }

  /* What hangs on the window would keep a chart that has left the page for as long as the page is open. */
  leave() {
    this.resized.disconnect();
    window.removeEventListener("tp-plotly", this.ready);
    this.chart = this.width = undefined;
    this.shown.leave();
    this.next?.leave();
    delete this.box.tpChartBox;
  }

  get inSight() {
    const { top, bottom } = this.box.getBoundingClientRect();
    return top < window.innerHeight && bottom > 0;
  }

  /* The figure that is shown, as text. */
  get drawn() {
    return this.shown.figure;
  }

  /* Of a drawing that is not in the box. */
  get size() {
    return `width: ${this.width}px; height: ${this.chart.height}px`;
  }

  /* All that a drawing depends on beside its figure, as one text. */
  get way() {
    return JSON.stringify([this.width, this.config, getComputedStyle(this.box).colorScheme === "dark"]);
  }

  /* `at` is the position of a dial at which the chart holds (see `keyOf`), where it is on a page of dials. */
  show(chart, at) {
    this.chart = chart;
    this.at = at;
    this.box.style.height = chart.height + "px";
    this.box.setAttribute("aria-label", chart.alt);
    if (!window.Plotly) return;
    if (this.inSight) this.draw();
    else setTimeout(() => this.chart === chart && this.draw());
  }

  draw() {
    const { chart, box } = this;
    this.width = box.clientWidth;
    const { way } = this;
    if (!this.width || this.shown.holds(chart, way)) return;
    if (this.next?.holds(chart, way)) this.change();
    else this.shown.draw(chart, way);
    box.tpDrawn = (box.tpDrawn || 0) + 1; /* for tests and benchmarks, which wait for it to rise */
  }

  /* Put the drawing that was made ahead in the place of the one that is shown. */
  change() {
    [this.shown, this.next] = [this.next, this.shown];
    this.next.putInto(backstage(), this.size);
    this.shown.putInto(this.box);
  }

  /* Draw what is likely to be shown next where nobody sees it; whether there was anything to draw. */
  prepare(chart) {
    const { way } = this;
    if (!this.width || this.shown.holds(chart, way) || this.next?.holds(chart, way)) return false;
    this.next ??= new Drawing(backstage());
    this.next.plot.style.cssText = this.size;
    this.next.draw(chart, way);
    return true;
  }
}

/* A task of its own for each chart: the browser shows what was drawn in between, and turns to what the server has sent
   meanwhile only after the last of them. */
const inTaskOfItsOwn = (task) => (window.scheduler?.postTask
  ? scheduler.postTask(task, { priority: "user-blocking" }) : setTimeout(task));

const whenIdle = window.requestIdleCallback ?? ((task) => setTimeout(task, 50));

/* A position as one text: the dial, what stands for all else that its charts depend on, and the stop of the slider. */
const keyOf = (dial, others, stop) => [dial, others, stop].join();

/* The charts that were sent of positions of the dial that was moved last, as long as nothing else is changed. */
class Ahead {
  dial = "";
  others = "";
  stops = new Map(); /* of the slider, each with its charts by name */
  stop = undefined; /* at which the slider was last */
  heading = 1; /* of its last move: to the right, or -1 to the left */

  constructor() {
    /* The page writes a slider's value into its attribute as it is moved, be it by key, mouse or touch. */
    new MutationObserver((changes) => {
      const slider = this.slider();
      if (this.waits || !changes.some(({ target }) => target === slider)) return;
      this.waits = true;
      requestAnimationFrame(() => {
        this.waits = false;
        this.draw();
      });
    }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["value"] });
  }

  /* The element of the dial, by the class that Streamlit makes of its key. */
  slider() {
    const name = "st-key-" + this.dial.trim().replace(/[^a-zA-Z0-9_-]/g, "-");
    return this.dial && document.querySelector(`.${name} input[type=range]`);
  }

  keep([dial, others, stop], charts) {
    if (dial !== this.dial || others !== this.others) {
      Object.assign(this, { dial, others, stops: new Map(), stop: undefined });
    }
    this.stops.set(stop, { ...this.stops.get(stop), ...charts });
  }

  /* Whether the reader has moved on from the stop that is answered, and the chart of the new one stands already. */
  isPast(stop, chartBox) {
    const slider = this.slider();
    const now = slider ? Number(slider.value) : stop;
    return now !== stop && chartBox.at === keyOf(this.dial, this.others, now);
  }

  /* The charts that were sent of a stop, each with the box on the page that it belongs in. */
  charts(stop) {
    const charts = this.stops.get(stop) || {};
    return [...document.querySelectorAll(".tp-chart")].filter((box) => box.tpChartBox && charts[box.dataset.name])
      .map((box) => [box.tpChartBox, charts[box.dataset.name]]);
  }

  /* Draw the charts of the stop at which the slider is, one after another, until it is moved on. */
  draw() {
    const slider = this.slider();
    const stop = slider && Number(slider.value);
    if (!slider || stop === this.stop) return;
    this.heading = stop < this.stop ? -1 : 1;
    this.stop = stop;
    const charts = this.charts(stop);
    const at = keyOf(this.dial, this.others, stop);
    const next = () => {
      const [chartBox, chart] = charts.shift() || [];
      if (!chartBox || Number(slider.value) !== stop) return;
      chartBox.show(chart, at);
      inTaskOfItsOwn(next);
    };
    next();
  }

  /* Draw the charts of the next stop in the direction of the last move, out of sight, one whenever nothing is to do. */
  prepare() {
    if (this.prepares) return;
    this.prepares = true;
    whenIdle(() => {
      this.prepares = false;
      const slider = this.slider();
      const stop = slider && Number(slider.value);
      if (!slider) return;
      this.stop ??= stop;
      const here = keyOf(this.dial, this.others, stop);
      const next = this.charts(stop + this.heading);
      if (next.some(([chartBox]) => chartBox.at !== here)) return; /* what is seen comes first */
      if (next.some(([chartBox, chart]) => chartBox.prepare(chart))) this.prepare();
    });
  }
}

/* On the window, as the page loads this file once for charts and once for what is sent ahead. */
const ahead = (window.tpAhead ??= new Ahead());

/* Streamlit calls this with what pictures.py says of a chart, or with what ahead.py sends (`beside`); with the same
   again when the page has turned dark or light. */
export default function ({ data, parentElement }) {
  const { name, chart, config, at, beside } = JSON.parse(new TextDecoder().decode(data));
  if (beside) {
    for (const [position, charts] of beside) ahead.keep(position, charts);
    ahead.prepare();
    return;
  }
  const box = parentElement.querySelector(".tp-chart");
  const chartBox = (box.tpChartBox ??= new ChartBox(box));
  chartBox.config = config;
  box.dataset.name = name;
  if (at) ahead.keep(at, { [name]: chart });
  if (!at || !ahead.isPast(at[2], chartBox)) chartBox.show(chart, at && keyOf(...at));
  return () => chartBox.leave();
}
