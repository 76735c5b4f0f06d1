/* A chart that stays and is redrawn in place. What is in sight is drawn first; words and legend are laid out for the
   width that is there. What a closed tab hides is drawn when it is opened. A newer chart takes the place of one that
   still waits, and one that is drawn already is not drawn again.

   Charts of the positions that a dial may be moved to next are sent ahead, and drawn when the dial is moved, before the
   server has heard of it. Its answer is the same chart. */

const pen = document.createElement("canvas").getContext("2d");
const plain = (words) => words.replace(/<[^>]*>/g, "").replace(/&#36;/g, "$").replace(/&lt;/g, "<")
  .replace(/&gt;/g, ">").replace(/&amp;/g, "&");
const safe = (words) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
  .replace(/\$/g, "&#36;");

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

function fitted(figure, room, width) {
  const { layout } = figure;
  pen.font = "12px " + layout.font.family;
  const free = width - layout.margin.l - layout.margin.r;
  const entries = figure.data.filter((trace) => trace.name && trace.showlegend !== false)
    .map((trace) => pen.measureText(plain(trace.name)).width + 44);
  const across = Math.max(1, Math.floor(free / Math.max(1, ...entries)));
  const all = entries.reduce((sum, one) => sum + one, 0);
  const shown = layout.showlegend === false || (entries.length < 2 && layout.showlegend !== true) ? 0 : entries.length;
  layout.margin.b = room.bottom + room.row * (all <= free ? Math.min(1, shown) : Math.ceil(shown / across));
  if (room.words) {
    const most = width > 800 ? room.lines - 1 : room.lines;
    layout.title.subtitle.text = lines(room.words, width - 30, most).map(safe).join("<br>");
    layout.margin.t = room.top - room.line * (room.lines - most);
  }
  const tall = layout.height - layout.margin.t - layout.margin.b;
  const up = layout.yaxis && layout.yaxis.domain === undefined ? layout.yaxis.title : undefined;
  pen.font = "13px " + layout.font.family;
  if (up && up.text && pen.measureText(plain(up.text)).width > tall) up.text = up.text.split(", ")[0];
  return figure;
}

/* A place on the page, and the chart that shall stand there. */
class Place {
  constructor(box) {
    this.box = box;
    this.wide = new ResizeObserver(() => {
      if (this.width !== undefined && Math.abs(box.clientWidth - this.width) > 20) this.draw();
    });
    this.wide.observe(box);
  }

  /* What hangs on the window would keep a chart that has left the page for as long as the page is open. */
  leave() {
    this.wide.disconnect();
    this.chart = this.width = undefined;
    window.Plotly?.purge(this.box);
    delete this.box.tpPlace;
  }

  get inSight() {
    const box = this.box.getBoundingClientRect();
    return box.top < window.innerHeight && box.bottom > 0;
  }

  /* `at` is the position of a dial at which the chart holds, where it is one of several that are known. */
  show(chart, at) {
    this.chart = chart;
    this.at = at;
    this.box.style.height = chart.height + "px";
    this.box.setAttribute("aria-label", chart.alt);
    if (!window.Plotly) window.addEventListener("tp-plotly", () => this.chart && this.show(this.chart, this.at),
      { once: true });
    else if (this.inSight) this.draw();
    else setTimeout(() => this.chart === chart && this.draw());
  }

  draw() {
    const { chart, config, box } = this;
    this.width = box.clientWidth;
    const made = JSON.stringify([this.width, config]);
    if (!this.width || (made === this.made && chart.figure === this.drawn)) return;
    const { data, layout } = fitted(JSON.parse(chart.figure), chart.room, this.width);
    window.Plotly.react(box, data, layout, config);
    this.made = made;
    this.drawn = chart.figure;
    box.tpDrawn = (box.tpDrawn || 0) + 1;
  }
}

/* Before what the server sends, but after the browser has shown what was drawn. */
const soon = (task) => (window.scheduler?.postTask ? scheduler.postTask(task, { priority: "user-blocking" })
  : setTimeout(task));

/* The charts of positions of the dial that was moved last, as long as nothing else is changed. */
class Ahead {
  dial = "";
  rest = "";
  places = new Map();

  constructor() {
    new MutationObserver((changes) => {
      const moved = changes.some(({ target }) => target === this.slider());
      if (moved && !this.waits) {
        this.waits = true;
        requestAnimationFrame(() => {
          this.waits = false;
          this.draw();
        });
      }
    }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["value"] });
  }

  slider() {
    const key = "st-key-" + this.dial.trim().replace(/[^a-zA-Z0-9_-]/g, "-");
    return this.dial && document.querySelector(`.${key} input[type=range]`);
  }

  /* The charts, by name, of one position; `rest` stands for all that the dial does not say. */
  keep([dial, rest, position], charts) {
    if (dial !== this.dial || rest !== this.rest) Object.assign(this, { dial, rest, places: new Map() });
    this.places.set(position, { ...this.places.get(position), ...charts });
  }

  /* Whether the reader has moved on to a position whose chart stands there already. */
  overtakes(place, at) {
    const slider = this.slider();
    const position = slider ? Number(slider.value) : at[2];
    return position !== at[2] && place.at === [this.dial, this.rest, position].join();
  }

  draw() {
    const slider = this.slider();
    const position = slider && Number(slider.value);
    const charts = (slider && this.places.get(position)) || {};
    const boxes = [...document.querySelectorAll(".tp-chart")].filter((box) => charts[box.dataset.name]);
    const at = [this.dial, this.rest, position].join();
    const next = () => {
      const box = boxes.shift();
      if (!box?.tpPlace || Number(slider.value) !== position) return;
      box.tpPlace.show(charts[box.dataset.name], at);
      soon(next);
    };
    next();
  }
}

const ahead = (window.tpAhead ??= new Ahead());

export default function ({ data, parentElement }) {
  const { name, chart, config, at, beside } = JSON.parse(new TextDecoder().decode(data));
  if (beside) {
    for (const [place, charts] of beside) ahead.keep(place, charts);
    return;
  }
  const box = parentElement.querySelector(".tp-chart");
  const place = (box.tpPlace ??= new Place(box));
  place.config = config;
  box.dataset.name = name;
  if (at) ahead.keep(at, { [name]: chart });
  if (!at || !ahead.overtakes(place, at)) place.show(chart, at && at.join());
  return () => place.leave();
}
