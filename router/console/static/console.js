// What htmx's attributes cannot say: whether a live page is fresh, and what an update must leave alone.
(() => {
  const tell = (state, text) => {
    const place = document.getElementById("freshness");
    if (place && place.dataset.state !== state) {
      place.dataset.state = state;
      place.textContent = text;
    }
  };
  document.addEventListener("htmx:sseOpen", () => tell("live", "live"));
  document.addEventListener("htmx:sseError", () => tell("lost", "connection lost, trying again"));
  document.addEventListener("htmx:sseClose", () => tell("ended", "not live: load the page anew"));

  // The reader's own: what they have typed, and what they have unfolded.
  const callbacks = Idiomorph.defaults.callbacks;
  callbacks.beforeNodeMorphed = (present) => present.nodeName !== "INPUT";
  callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.nodeName === "DETAILS");
})();
