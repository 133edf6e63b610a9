// The three-dimensional view of the states, by 3Dmol.js. Without WebGL it stays hidden: the pictures tell the same.
(function () {
  "use strict";
  const box = document.getElementById("viewer");
  const canvas = document.createElement("canvas");
  if (!box || !(canvas.getContext("webgl2") || canvas.getContext("webgl"))) return;
  const scene = JSON.parse(document.getElementById("scene").textContent);
  const buttons = box.querySelector(".buttons"), legend = box.querySelector(".legend");
  box.hidden = false;
  const viewer = $3Dmol.createViewer(box.querySelector(".stage"), { backgroundColor: "white", antialias: true });

  const point = (p) => ({ x: p[0], y: p[1], z: p[2] });
  const plus = (a, b) => a.map((x, k) => x + b[k]);

  function addAtoms(part, own) {
    const atoms = part.symbols.map((elem, k) => ({
      elem: elem, serial: k, ...point(part.positions[k]), bonds: [], bondOrder: [],
    }));
    for (const [a, b] of part.bonds || []) {
      atoms[a].bonds.push(b); atoms[a].bondOrder.push(1);
      atoms[b].bonds.push(a); atoms[b].bondOrder.push(1);
    }
    const model = viewer.addModel();
    model.addAtoms(atoms);
    const colors = { prop: "elem", map: scene.colors };
    model.setStyle({}, { sphere: { scale: 0.28, colorscheme: colors }, stick: { radius: 0.12, colorscheme: colors } });
    for (const [a, b] of part.contacts || []) {
      viewer.addCylinder({
        start: point(part.positions[a]), end: point(part.positions[b]), radius: 0.05, dashed: true, color: "#555555",
      });
    }
    for (let k = 0; k < own; k++) {
      viewer.addSphere({ center: point(part.positions[k]), radius: 0.75, color: scene.shown, opacity: 0.45 });
    }
  }

  function addCell(lattice) {
    const zero = [0, 0, 0], [a, b, c] = lattice;
    for (const [along, one, other] of [[a, b, c], [b, a, c], [c, a, b]]) {
      for (const start of [zero, one, other, plus(one, other)]) {
        viewer.addCylinder({ start: point(start), end: point(plus(start, along)), radius: 0.04, color: "#888888" });
      }
    }
  }

  function cube(density, state) {
    const bytes = Uint8Array.from(atob(density.values[state]), (letter) => letter.charCodeAt(0));
    const lines = ["density", "state " + state, "0 " + density.origin.join(" ")];
    density.voxels.forEach((voxel, k) => lines.push(-density.shape[k] + " " + voxel.join(" "))); // negative: Å
    return lines.join("\n") + "\n" + bytes.join(" ");
  }

  function addDensity(density) {
    addCell(density.lattice);
    addAtoms(density, 0);
    density.levels.forEach((level, state) => {
      if (level > 0) {
        const volume = new $3Dmol.VolumeData(cube(density, state), "cube");
        viewer.addIsosurface(volume, { isoval: level, color: scene.state_colors[state], opacity: 0.85, smoothness: 2 });
      }
    });
  }

  function chip(text, color) {
    const one = document.createElement("span"), ball = document.createElement("i");
    ball.style.background = color;
    one.append(ball, text);
    return one;
  }

  function show(index, button) {
    for (const other of buttons.children) other.setAttribute("aria-pressed", other === button);
    viewer.removeAllModels(); viewer.removeAllShapes(); viewer.removeAllSurfaces();
    const part = index < scene.states.length ? scene.states[index] : scene.density;
    scene.shown = scene.state_colors[index];
    if (part === scene.density) addDensity(part); else addAtoms(part, part.own);
    legend.replaceChildren(...[...new Set(part.symbols)].map((name) => chip(name, scene.colors[name])));
    if (part === scene.density) {
      scene.state_colors.forEach((color, state) => legend.append(chip("state " + state, color)));
    }
    viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]);
    viewer.zoomTo();
    viewer.rotate(-25, "y");
    viewer.rotate(20, "x");
    viewer.render();
  }

  const parts = scene.states.map((part, i) => [part, "state " + i]).concat([[scene.density, "density in the cell"]]);
  parts.forEach(([part, name], index) => {
    if (!part) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => show(index, button));
    buttons.append(button);
  });
  const asked = new URLSearchParams(location.search).get("show");
  (buttons.children[asked] || buttons.firstElementChild).click();
})();
