/* A provider sends everybody back to the first page: the browser keeps the link that was opened, for its own tab. */

const name = "tunepoint link";

export default function ({ data }) {
  const kept = sessionStorage.getItem(name);
  if (!data.inside) sessionStorage.setItem(name, location.href);
  if (data.inside && kept) sessionStorage.removeItem(name);
  if (data.inside && kept && kept !== location.href && !location.search) location.replace(kept);
}
