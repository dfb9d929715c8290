// The timeline's zoom, and the way through its events by keyboard. Everything is drawn already; this only moves it.
"use strict";
for (const figure of document.querySelectorAll(".timeline")) {
  const scroller = figure.querySelector(".scroller");
  const drawing = figure.querySelector("svg.run");
  const told = figure.querySelector(".told");
  const size = Number(drawing.dataset.width);
  const moved = [...drawing.querySelectorAll("[data-x]")];
  const curves = [...drawing.querySelectorAll("[data-curve]")];
  const labels = [...drawing.querySelectorAll("[data-needs]")];
  const events = [...drawing.querySelectorAll(".event")];
  const least = () => Math.min(1, (scroller.clientWidth - 2) / size);
  let zoom = 1, chosen = -1, due = false, sticking = false;

  function place() {
    due = false;
    drawing.setAttribute("width", Math.round(size * zoom));
    for (const part of drawing.querySelectorAll("[data-full]")) part.setAttribute("width", Math.round(size * zoom));
    for (const part of moved) {
      const x = part.dataset.x * zoom;
      if (part.tagName === "g") part.setAttribute("transform", `translate(${x} 0)`);
      else part.setAttribute("x", x);
      if (part.dataset.w) part.setAttribute("width", Math.max(1, part.dataset.w * zoom));
    }
    let free = -1;
    for (const mark of drawing.querySelectorAll(".axis")) {
      const x = mark.dataset.x * zoom, text = mark.querySelector("text");
      mark.style.display = x >= free ? "inline" : "none";
      if (x >= free) free = x + text.textContent.length * 6.3 + 16;
    }
    for (const curve of curves) {
      const [a, y1, b, y2] = curve.dataset.curve.split(" ").map(Number);
      const bend = (y2 - y1) * 0.45;
      curve.setAttribute("d", `M${a * zoom} ${y1}C${a * zoom} ${y1 + bend} ${b * zoom} ${y2 - bend} ${b * zoom} ${y2}`);
    }
    stick();
  }

  // A call that began out of sight keeps its name in sight.
  function stick() {
    const left = scroller.scrollLeft;
    for (const label of labels) {
      const x = label.dataset.x * zoom;
      const held = label.dataset.stays && left > x ? left : x;
      const room = held > x ? label.dataset.stays : label.dataset.room;
      label.setAttribute("x", held);
      label.style.display = x + room * zoom - held >= label.dataset.needs ? "inline" : "none";
    }
  }

  function zoomTo(wanted, at = scroller.clientWidth / 2) {
    const held = (scroller.scrollLeft + at) / zoom;
    zoom = Math.max(least(), Math.min(8, wanted));
    place();
    scroller.scrollLeft = held * zoom - at;
    figure.querySelector(".size").textContent = `${Math.round(zoom * 100)} %`;
  }

  function x(event) {
    return event.querySelector("[data-x]").dataset.x * zoom;
  }

  function choose(number) {
    if (!events.length) return;
    if (chosen >= 0) events[chosen].classList.remove("chosen");
    chosen = Math.max(0, Math.min(events.length - 1, number));
    const event = events[chosen];
    event.classList.add("chosen");
    told.textContent = event.querySelector("title").textContent;
    if (x(event) < scroller.scrollLeft + 20 || x(event) > scroller.scrollLeft + scroller.clientWidth - 60) {
      scroller.scrollLeft = x(event) - scroller.clientWidth / 2;
    }
  }

  // The first event in sight, or the one after (before) the chosen one.
  function next(step) {
    if (chosen >= 0) return chosen + step;
    const seen = events.findIndex((event) => x(event) >= scroller.scrollLeft);
    return seen < 0 ? events.length - 1 : seen;
  }

  const acts = {
    in: () => zoomTo(zoom * 1.5),
    out: () => zoomTo(zoom / 1.5),
    fit: () => zoomTo(0),
    first: () => { choose(0); scroller.scrollLeft = 0; },
    last: () => { choose(events.length - 1); scroller.scrollLeft = size * zoom; },
    previous: () => choose(next(-1)),
    next: () => choose(next(1)),
  };
  const keys = { "+": "in", "=": "in", "-": "out", "0": "fit", Home: "first", End: "last", ArrowLeft: "previous", ArrowRight: "next" };

  figure.querySelector(".controls").hidden = false;
  for (const button of figure.querySelectorAll("button")) {
    button.addEventListener("click", () => acts[button.dataset.act]());
  }
  scroller.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    event.preventDefault();
    acts[keys[event.key]]();
  });
  scroller.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // also what a touchpad's pinch sends; the plain wheel scrolls the page
    event.preventDefault();
    zoomTo(zoom * Math.exp(-event.deltaY / 300), event.clientX - scroller.getBoundingClientRect().left);
  }, { passive: false });
  drawing.addEventListener("click", (event) => {
    const group = event.target.closest(".event");
    if (group) choose(events.indexOf(group));
  });

  scroller.addEventListener("scroll", () => {
    if (!sticking) { sticking = true; requestAnimationFrame(() => { sticking = false; stick(); }); }
  });

  let apart = 0;
  const distance = (touches) => Math.abs(touches[0].clientX - touches[1].clientX) + Math.abs(touches[0].clientY - touches[1].clientY);
  scroller.addEventListener("touchstart", (event) => {
    if (event.touches.length === 2) apart = distance(event.touches);
  }, { passive: true });
  scroller.addEventListener("touchmove", (event) => {
    if (event.touches.length !== 2 || !apart) return;
    event.preventDefault();
    const now = distance(event.touches);
    const at = (event.touches[0].clientX + event.touches[1].clientX) / 2 - scroller.getBoundingClientRect().left;
    if (!due) { due = true; requestAnimationFrame(() => { zoomTo(zoom * now / apart, at); apart = now; }); }
  }, { passive: false });

  scroller.scrollLeft = size; // where it failed
}
