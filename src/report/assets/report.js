"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const tip = document.getElementById("tip");

  /* Tooltips: the <title> of what is under the pointer or has the focus. It is taken away while ours is shown,
     so that the browser does not show a second one. */
  let titled = null;

  function hideTip() {
    tip.hidden = true;
    if (titled) {
      titled.title.textContent = titled.text;
      titled = null;
    }
  }

  function showTip(text, x, y) {
    tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(x + 14, innerWidth - box.width - 8);
    const top = y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18;
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, top) + "px";
  }

  function titleOf(element) {
    for (let e = element; e && e.namespaceURI === SVG; e = e.parentNode) {
      if (e.matches("svg.zoom, svg.tl-svg")) {
        return null;
      }
      const title = [...e.children].find((child) => child.localName === "title");
      if (title) {
        return title;
      }
    }
    return null;
  }

  function tipFor(element, x, y) {
    const title = titleOf(element);
    if (titled && titled.title === title) {
      showTip(titled.text, x, y);
      return true;
    }
    hideTip();
    if (!title) {
      return false;
    }
    titled = { title, text: title.textContent };
    title.textContent = "";
    showTip(titled.text, x, y);
    return true;
  }

  document.addEventListener("pointermove", (event) => {
    if (!event.target.closest || !event.target.closest(".tl-svg")) {
      tipFor(event.target, event.clientX, event.clientY);
    }
  });
  function tipForFocus(element) {
    const box = element.getBoundingClientRect();
    tipFor(element, box.left, box.bottom - 12);
  }

  document.addEventListener("focusin", (event) => tipForFocus(event.target));
  document.addEventListener("focusout", hideTip);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
  /* The page also moves because the focus does: then the tooltip goes along. */
  addEventListener("scroll", () => {
    const focused = document.activeElement;
    titled && titleOf(focused) === titled.title ? tipForFocus(focused) : hideTip();
  }, { passive: true });

  /* Zoom: the viewBox of an SVG; `flat`: only from left to right. */
  function zoomable(svg, flat, changed) {
    const all = svg.getAttribute("viewBox").split(" ").map(Number);
    let view = [...all];

    function show(next) {
      const width = Math.min(all[2], Math.max(next[2], all[2] / 20000, 1));
      const height = flat ? all[3] : (width / all[2]) * all[3];
      view = [
        Math.min(Math.max(next[0], all[0]), all[0] + all[2] - width),
        flat ? all[1] : Math.min(Math.max(next[1], all[1]), all[1] + all[3] - height),
        width, height];
      svg.setAttribute("viewBox", view.join(" "));
      changed(view, all);
    }

    /* The point at (fx, fy), as parts of the view, stays where it is. */
    function scale(by, fx, fy) {
      const width = Math.min(all[2], view[2] * by), height = (width / all[2]) * all[3];
      show([view[0] + (view[2] - width) * fx, view[1] + (flat ? 0 : (view[3] - height) * fy), width, height]);
    }

    const move = (x, y) => show([view[0] + view[2] * x, view[1] + (flat ? 0 : view[3] * y), view[2], view[3]]);
    const at = (event) => {
      const box = svg.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };

    svg.addEventListener("wheel", (event) => {
      if (document.activeElement === svg || event.ctrlKey) {
        event.preventDefault();
        scale(Math.exp(Math.max(-100, Math.min(100, event.deltaY)) * 0.004), ...at(event));
      }
    }, { passive: false });
    svg.addEventListener("dblclick", (event) => scale(0.5, ...at(event)));

    let drag = null;
    svg.addEventListener("pointerdown", (event) => {
      if (event.button === 0) {
        drag = { x: event.clientX, y: event.clientY, moved: false };
        svg.focus({ preventScroll: true });
      }
    });
    svg.addEventListener("pointermove", (event) => {
      if (drag && (event.buttons & 1)) {
        const box = svg.getBoundingClientRect();
        const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
        if (drag.moved || Math.abs(dx) + Math.abs(dy) > 4) {
          if (!drag.moved) {
            svg.setPointerCapture(event.pointerId);
          }
          move(-dx / box.width, -dy / box.height);
          drag = { x: event.clientX, y: event.clientY, moved: true };
        }
      }
    });
    svg.addEventListener("click", (event) => {
      if (drag && drag.moved) {
        event.preventDefault();
      }
      drag = null;
    }, true);
    svg.addEventListener("dragstart", (event) => event.preventDefault());

    const keys = {
      "+": () => scale(0.6, 0.5, 0.5), "=": () => scale(0.6, 0.5, 0.5), "-": () => scale(1 / 0.6, 0.5, 0.5),
      "0": () => show(all), ArrowLeft: () => move(-0.15, 0), ArrowRight: () => move(0.15, 0),
      ArrowUp: () => move(0, -0.15), ArrowDown: () => move(0, 0.15) };
    svg.addEventListener("keydown", (event) => {
      const vertical = event.key === "ArrowUp" || event.key === "ArrowDown";
      if (event.target === svg && keys[event.key] && !(flat && vertical) && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        keys[event.key]();
      }
    });
    const buttons = { in: keys["+"], out: keys["-"], all: keys["0"] };
    for (const button of svg.closest("figure").querySelectorAll("button[data-zoom]")) {
      button.addEventListener("click", buttons[button.dataset.zoom]);
    }
    return { view: () => view, at };
  }

  const grouped = (n) => Math.round(n).toLocaleString("en-US");

  function timeline(svg) {
    const figure = svg.closest("figure");
    const marks = figure.querySelector(".scale > g");
    const source = figure.querySelector(".tl-data");
    let parsed = null;
    const data = () => (parsed = parsed || JSON.parse(source.textContent));

    function addText(x, y, text, kind) {
      const element = document.createElementNS(SVG, "text");
      element.setAttribute("x", x.toFixed(3) + "%");
      element.setAttribute("y", y);
      if (kind) {
        element.setAttribute("class", kind);
        element.setAttribute("text-anchor", "middle");
      }
      element.textContent = text;
      marks.append(element);
    }

    function redraw(view) {
      marks.replaceChildren();
      const height = view[3];
      const step = [1, 2, 5, 10].map((m) => m * 10 ** Math.floor(Math.log10(view[2] / 8))).find((s) => view[2] / s <= 10);
      for (let t = Math.ceil(view[0] / step) * step; t <= view[0] + view[2] * 0.96; t += step) {
        addText((100 * (t - view[0])) / view[2], height + 14, grouped(t));
      }
      const lane = data().lanes.find((l) => l.layers);
      (lane ? lane.spans : []).forEach((span, index) => {
        const from = Math.max(span[0], view[0]), to = Math.min(span[0] + span[1], view[0] + view[2]);
        if (to - from > view[2] / 50) {
          const wide = to - from > view[2] / 7 && span[4];
          addText((100 * ((from + to) / 2 - view[0])) / view[2], lane.top + lane.height - 7, wide ? index + " " + span[4].slice(0, 18) : index, "on");
        }
      });
    }

    const zoom = zoomable(svg, true, redraw);

    function spanAt(lane, cycle) {
      let low = 0, high = lane.spans.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        lane.spans[middle][0] <= cycle ? (low = middle + 1) : (high = middle);
      }
      for (let i = low - 1; i >= 0 && i > low - 40; i--) {
        if (lane.spans[i][0] + lane.spans[i][1] > cycle) {
          return i;
        }
      }
      return -1;
    }

    svg.addEventListener("pointermove", (event) => {
      if (titleOf(event.target)) {
        tipFor(event.target, event.clientX, event.clientY);
        return;
      }
      const view = zoom.view(), [fx, fy] = zoom.at(event), y = fy * view[3];
      const lane = data().lanes.find((l) => y >= l.top && y < l.top + l.height);
      const index = lane ? spanAt(lane, view[0] + view[2] * fx) : -1;
      hideTip();
      if (index < 0) {
        return;
      }
      const [begin, cycles, kind, merged, text] = lane.spans[index];
      const what = lane.layers ? "layer " + index + (text ? " " + text : "") : text || data().labels[kind] || "";
      const time = data().us > 0 ? " (" + (cycles * data().us).toPrecision(3) + " \u00b5s)" : "";
      showTip(lane.name + ": " + what + (merged > 1 ? " (mostly; " + merged + " spans)" : "") + ", " +
        grouped(cycles) + " cycles" + time + " from " + grouped(begin), event.clientX, event.clientY);
    });
    svg.addEventListener("pointerleave", hideTip);
  }

  document.querySelectorAll("svg.zoom").forEach((svg) => zoomable(svg, false, () => {}));
  document.querySelectorAll("svg.tl-svg").forEach(timeline);

  /* What is folded away is printed too. */
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((details) => (details.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((details) => (details.open = false)));
})();
