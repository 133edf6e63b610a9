// Figures that can be looked at closer: buttons, dragging, the wheel with Ctrl, double click, and + - 0 on the keyboard.
(function () {
  "use strict";
  for (const frame of document.querySelectorAll(".zoom")) {
    const image = frame.querySelector("img");
    let scale = 1, x = 0, y = 0, held = null;

    function draw() {
      const width = frame.clientWidth, height = frame.clientHeight;
      x = Math.min(0, Math.max(width * (1 - scale), x));
      y = Math.min(0, Math.max(height * (1 - scale), y));
      image.style.width = scale * 100 + "%"; // laid out anew, not magnified: lines stay sharp
      image.style.left = x + "px";
      image.style.top = y + "px";
      frame.classList.toggle("near", scale > 1);
    }
    function zoom(factor, atX, atY) {
      const next = Math.min(20, Math.max(1, scale * factor));
      x = atX - ((atX - x) * next) / scale;
      y = atY - ((atY - y) * next) / scale;
      scale = next;
      draw();
    }
    const middle = (factor) => zoom(factor, frame.clientWidth / 2, frame.clientHeight / 2);
    const actions = { "+": () => middle(1.5), "−": () => middle(1 / 1.5), "0": () => middle(0) };
    const buttons = document.createElement("div");
    buttons.className = "buttons";
    for (const [sign, name] of [["+", "closer"], ["−", "farther"], ["0", "all of it"]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = sign === "0" ? "⤢" : sign;
      button.title = name;
      button.setAttribute("aria-label", name);
      button.addEventListener("click", actions[sign]);
      buttons.append(button);
    }
    // The frame keeps the size that the whole picture has.
    const fix = () => { if (scale === 1) { frame.style.height = image.clientHeight + "px"; } draw(); };
    image.draggable = false;
    frame.classList.add("live");
    if (image.complete) fix(); else image.addEventListener("load", fix);
    let width = frame.clientWidth;
    window.addEventListener("resize", () => {
      if (frame.clientWidth === width) return; // a bar that comes and goes changes the height alone
      width = frame.clientWidth; scale = 1;
      draw(); fix();
    });
    frame.parentNode.insertBefore(buttons, frame.nextSibling);
    frame.tabIndex = 0;
    frame.addEventListener("keydown", (event) => {
      const action = actions[event.key === "-" ? "−" : event.key];
      if (action) { action(); event.preventDefault(); }
    });
    frame.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && scale === 1) return; // the page scrolls as always
      event.preventDefault();
      const place = frame.getBoundingClientRect();
      zoom(Math.exp(-event.deltaY / 300), event.clientX - place.left, event.clientY - place.top);
    }, { passive: false });
    frame.addEventListener("dblclick", (event) => {
      const place = frame.getBoundingClientRect();
      zoom(scale > 1 ? 0 : 3, event.clientX - place.left, event.clientY - place.top);
    });
    frame.addEventListener("pointerdown", (event) => {
      if (scale > 1) { held = [event.clientX - x, event.clientY - y]; frame.setPointerCapture(event.pointerId); }
    });
    frame.addEventListener("pointermove", (event) => {
      if (held) { x = event.clientX - held[0]; y = event.clientY - held[1]; draw(); }
    });
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => { held = null; });
  }
})();
