/* Charts of the positions that a dial may be moved to next: they are sent ahead, and drawn when the dial is moved,
   before the server has heard of it. Its answer is the same chart, and is then not drawn again. */

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
  overtakes(place, name, chart, at) {
    this.keep(at, { [name]: chart });
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
      if (!box || Number(slider.value) !== position) return;
      box.tpPlace.show(charts[box.dataset.name], at);
      setTimeout(next);
    };
    next();
  }
}

export default function ({ data }) {
  window.tpAhead ??= new Ahead();
  for (const [at, charts] of data) window.tpAhead.keep(at, charts);
}
