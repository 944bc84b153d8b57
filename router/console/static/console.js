// Says whether a live page is still fresh; everything else is htmx's attributes.
(() => {
  const shown = () => document.getElementById("freshness");
  const tell = (state, text) => {
    const place = shown();
    if (place && place.dataset.state !== state) {
      place.dataset.state = state;
      place.textContent = text;
    }
  };
  document.addEventListener("htmx:sseOpen", () => tell("live", "live"));
  document.addEventListener("htmx:sseError", () => tell("lost", "connection lost, trying again"));
  document.addEventListener("htmx:sseClose", () => tell("ended", "not live: load the page anew"));
})();
