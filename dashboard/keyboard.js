/* What a popover holds stands at the end of the page, where Tab comes to it last of all. Here Tab goes from its button
   into it, Shift+Tab out of it to its button, and Tab past its end closes it and goes on behind its button. Escape is
   Streamlit's own. */

const STOPS = "a[href], button, input, select, textarea, [tabindex]";

/* A popover that the focus has left lets Tab stop nowhere in it: what held before stands beside, until it comes back. */
const reachable = ({ dataset, tabIndex }) => (dataset.tabindex === undefined ? tabIndex >= 0 : dataset.tabindex !== "-1");

/* What Tab stops at, in order; of choices that stand for one another, the one that is made. */
const stopsIn = (popover) => [...popover.querySelectorAll(STOPS)].filter((stop) => reachable(stop) && !stop.disabled
  && stop.getAttribute("aria-checked") !== "false" && stop.getClientRects().length);

function onTab(event) {
  const popover = document.querySelector("[data-testid=stPopoverBody]");
  const opener = document.querySelector("[data-testid=stPopoverButton][aria-expanded=true]");
  if (event.key !== "Tab" || !popover || !opener) return;
  const here = document.activeElement;
  const stops = stopsIn(popover);
  if (event.shiftKey && here === stops[0]) {
    event.preventDefault();
    opener.focus();
  } else if (!event.shiftKey && here === opener && stops.length) {
    event.preventDefault();
    stops[0].focus();
  } else if (!event.shiftKey && here === stops.at(-1)) {
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" })); /* which brings the focus to the button */
  }
}

export default function () {
  if (!window.tpKeyboard) document.addEventListener("keydown", onTab, true);
  window.tpKeyboard = true;
}
