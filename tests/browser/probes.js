"use strict";
// What the browser's tests ask of a page.
window.probes = (() => {
  const label = (element) => (element.getAttribute("aria-label") ?? element.textContent).trim();
  const visible = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const short = (text) => text.trim().slice(0, 40);

  // Charts are the elements .chart, drawn by script, and the SVG .picture of a landscape.
  function emptyCharts() {
    const charts = [...document.querySelectorAll(".chart, svg.picture")];
    const shapes = ".trace path, .point path, path.way, path.fall";
    const drawn = (shape) => (shape.getAttribute("d") ?? "").length > 3;
    const name = (chart) => chart.dataset.chart ?? chart.parentElement.dataset.panel ?? label(chart);
    return charts.filter((chart) => ![...chart.querySelectorAll(shapes)].some(drawn)).map(name);
  }

  // Charts follow the window after a moment.
  function settled() {
    return [...document.querySelectorAll(".chart")].every((chart) => {
      const drawn = chart.querySelector("svg.main-svg");
      return !drawn || Math.abs(drawn.clientWidth - chart.clientWidth) < 2;
    });
  }

  const scrolls = (style) => [style.overflowX, style.overflowY].some((way) => ["auto", "scroll"].includes(way));

  // What cuts the box of a text, if anything does; a frame that scrolls shows all.
  function cutter(element, box) {
    for (let each = element; each !== document.body; each = each.parentElement) {
      const style = getComputedStyle(each);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      if (scrolls(style)) return null;
      const edge = each.getBoundingClientRect();
      const across = box.left > edge.left - 1.5 && box.right < edge.right + 1.5;
      const down = box.top > edge.top - 3 && box.bottom < edge.bottom + 3;
      if (!across || !down) return `${each.tagName.toLowerCase()}.${each.getAttribute("class") ?? ""}`;
    }
    return box.left < -1 || box.right > document.documentElement.clientWidth + 1 ? "the window" : null;
  }

  // Texts that are not shown whole, each with what cuts it; the page itself if it scrolls aside.
  function cutOff() {
    const { scrollWidth, clientWidth } = document.documentElement;
    const found = scrollWidth > clientWidth ? [`the page is ${scrollWidth} px wide`] : [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    while (texts.nextNode()) {
      const text = texts.currentNode;
      const element = text.parentElement;
      if (!text.data.trim() || element.closest("script, style, noscript, title, .hidden")) continue;
      if (!visible(element)) continue;
      range.selectNodeContents(text);
      const cut = [...range.getClientRects()].map((box) => box.width && cutter(element, box)).find(Boolean);
      if (cut) found.push(`"${short(text.data)}" by ${cut}`);
    }
    return found;
  }

  // Watches the focus go from control to control; how many there are.
  let missed = new Set();
  const unseen = [];
  function watch() {
    const controls = "button, a[href], input, select, summary, [tabindex]";
    // Of a group of radio buttons Tab reaches the chosen one; the arrows go on from there.
    const skipped = (each) => each.disabled || (each.type === "radio" && !each.checked);
    const reachable = (each) => each.tabIndex >= 0 && !skipped(each) && visible(each);
    missed = new Set([...document.querySelectorAll(controls)].filter(reachable));
    document.addEventListener("focusin", ({ target }) => {
      missed.delete(target);
      const style = getComputedStyle(target);
      if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1.5) unseen.push(short(label(target)));
    });
    return missed.size;
  }

  const walked = () => ({ missed: [...missed].map((each) => short(label(each))), unseen });

  return { emptyCharts, settled, cutOff, watch, walked };
})();
