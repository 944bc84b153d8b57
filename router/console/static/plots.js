// Curves that can be read at any point: uPlot draws each in the place of the server's picture, from
// the same numbers, and again whenever an update brings others. Without it the picture stays.
(() => {
  const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
  const size = (bytes) => {
    let power = 0;
    for (; bytes >= 1024 && power < UNITS.length - 1; power += 1) bytes /= 1024;
    return `${bytes.toFixed(power ? 1 : 0)} ${UNITS[power]}`;
  };
  const ago = (seconds) => {
    const past = -seconds;
    if (past < 0.05) return "now";
    return past < 120 ? `-${past.toFixed(past < 10 ? 1 : 0)} s` : `-${(past / 60).toFixed(0)} min`;
  };
  const written = (value, form) => (value == null ? "–" : form(value));
  const HEIGHT = 240;
  const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power);
  const drawn = new WeakMap();

  const options = (figure, given) => {
    const colour = (name) => getComputedStyle(figure).getPropertyValue(name).trim();
    const value = (bytes) => `${size(bytes)}${given.unit}`;
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    return {
      width: figure.clientWidth,
      height: HEIGHT,
      scales: {
        x: { time: false },
        y: { range: (_plot, _low, high) => [0, Math.max(given.least, high)] },
      },
      axes: [
        { ...axis, space: 90, values: (_plot, marks) => marks.map(ago) },
        { ...axis, size: 84, incrs: POWERS, values: (_plot, marks) => marks.map(value) },
      ],
      series: [
        { label: "when", value: (_plot, seconds) => written(seconds, ago) },
        {
          label: given.label,
          stroke: colour("--first"),
          width: 2.25,
          points: { show: false },
          value: (_plot, bytes) => written(bytes, value),
        },
      ],
      cursor: { drag: { x: false, y: false } },
    };
  };

  const draw = (figure) => {
    const text = figure.dataset.plot;
    const known = drawn.get(figure);
    if (known && known.text === text) return;
    const given = JSON.parse(text);
    if (known) {
      known.given.least = given.least;
      known.text = text;
      known.plot.setData(given.data);
      return;
    }
    const plot = new uPlot(options(figure, given), given.data, figure);
    plot.root.setAttribute("role", "img");
    plot.root.setAttribute("aria-label", figure.dataset.told);
    drawn.set(figure, { plot, given, text });
    new ResizeObserver(() => {
      if (figure.clientWidth) plot.setSize({ width: figure.clientWidth, height: HEIGHT });
    }).observe(figure);
  };

  const all = () => document.querySelectorAll("figure[data-plot]").forEach(draw);
  // Colours are taken when a plot is made: another scheme wants another plot.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.querySelectorAll("figure[data-plot]").forEach((figure) => {
      drawn.get(figure)?.plot.destroy();
      drawn.delete(figure);
    });
    all();
  });

  // An update must not take away what the server does not know.
  const callbacks = Idiomorph.defaults.callbacks;
  callbacks.beforeNodeRemoved = (node) => !node.classList?.contains("uplot");
  const live = document.getElementById("live");
  new MutationObserver(all).observe(live, { subtree: true, childList: true, attributeFilter: ["data-plot"] });
  all();
})();
