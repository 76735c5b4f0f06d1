/* What a popover holds stands at the end of the page, where Tab comes to it last of all. Here Tab goes from its button
   into it, Shift+Tab out of it to its button, and Tab past its end closes it and goes on behind its button. Escape is
   Streamlit's own. The focus stays where a key has pressed. */

const AGAIN_MS = 60, WAIT_MS = 4000; /* how often it is looked for what is not there yet, and how long */
const PATIENT_MS = 1200; /* for which the very element may come back, before what stands around it will do */
const STOPS = "a[href], button, input, select, textarea, [tabindex]";

/* A popover that the focus has left lets Tab stop nowhere in it: what held before stands beside, until it comes back. */
const reachable = ({ dataset, tabIndex }) => (
  dataset.tabindex === undefined ? tabIndex >= 0 : dataset.tabindex !== "-1");

/* What Tab stops at, in order; of choices that stand for one another, the one that is made. */
const stopsIn = (popover) => [...popover.querySelectorAll(STOPS)].filter((stop) => reachable(stop) && !stop.disabled
  && stop.getAttribute("aria-checked") !== "false" && stop.getClientRects().length);

const opener = () => document.querySelector("[data-testid=stPopoverButton][aria-expanded=true]");
const opened = () => document.querySelector("[data-testid=stPopoverBody]");

/* From the button to what stands first in its popover, as soon as the server has sent it. */
function goInside() {
  const popover = opened();
  if (!popover || document.activeElement !== opener()) return;
  const [first] = stopsIn(popover);
  if (first) first.focus();
  else setTimeout(goInside, AGAIN_MS);
}

function onTab(event) {
  const here = document.activeElement;
  const stops = stopsIn(opened());
  if (event.shiftKey && here === stops[0]) {
    event.preventDefault();
    opener().focus();
  } else if (!event.shiftKey && here === opener()) {
    event.preventDefault();
    goInside();
  } else if (!event.shiftKey && here === stops.at(-1)) {
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" })); /* which brings the focus to the button */
  }
}

/* What was pressed may be kept from being pressed while the server works, or give its place to something else, and the
   browser forgets the focus with it: it is given back to what stands there then, unless the reader has gone on. */
let acts = 0; /* of the reader, by key or pointer */

function keepFocus(pressed) {
  const places = []; /* by the keys of Streamlit's elements, from inside out */
  for (let node = pressed; node; node = node.parentElement) {
    const keys = [...node.classList].filter((name) => name.startsWith("st-key-"));
    places.push(...keys.map((name) => `.${CSS.escape(name)}`));
  }
  const start = performance.now(), mine = acts;
  let last = pressed;
  const look = () => {
    const here = document.activeElement;
    if (mine !== acts) return;
    if (here === document.body) {
      if (!last.isConnected) {
        const where = performance.now() < start + PATIENT_MS ? places.slice(0, 1) : places;
        last = where.map((place) => document.querySelector(`${place} :is(button, input)`)).find(Boolean) ?? last;
      }
      if (!last.disabled) last.focus();
    } else if (here !== last) return;
    if (performance.now() < start + WAIT_MS) setTimeout(look, AGAIN_MS);
  };
  setTimeout(look, AGAIN_MS);
}

function onKey(event) {
  const { key, target } = event;
  acts += 1;
  if (key === "Tab" && opened() && opener()) onTab(event);
  else if (key === "Enter" || key === " ") keepFocus(target);
  else if (key === "Escape" && opened()?.contains(target)) target.blur(); /* which keeps what was typed */
}

export default function () {
  if (window.tpKeyboard) return;
  window.tpKeyboard = true;
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("pointerdown", () => { acts += 1; }, true);
}
