"use strict";
// The pages of a report: NiiVue draws, this only hands it the images of a subject and the wishes of the reader.
const element = (id) => document.getElementById(id);
const stored = new Map([...document.querySelectorAll("script.subject")].map((each) => [each.dataset.name, each]));
const names = [...stored.keys()];
let viewer, shown; // shown: the images of the subject on the screen

async function unpackNiivue() {
  const packed = Uint8Array.from(atob(element("niivue").textContent), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(unpacked).text();
  document.head.append(script);
}

async function openViewer() {
  await unpackNiivue();
  viewer = new niivue.Niivue({
    isRadiologicalConvention: true,
    clipPlaneHotKey: "", // would cut the image away
    cycleClipPlaneHotKey: "",
    viewModeHotKey: "", // would leave the view that this page is made for
    dragAndDropEnabled: false,
    loadingText: "",
    logLevel: "error",
    multiplanarShowRender: niivue.SHOW_RENDER.NEVER,
    multiplanarLayout: niivue.MULTIPLANAR_TYPE.GRID,
    crosshairColor: [0, 0.62, 0.45, 0.9],
    crosshairWidthUnit: "mm",
    crosshairWidth: 0.8,
    crosshairGap: 8,
  });
  viewer.onLocationChange = showLocation;
  await viewer.attachToCanvas(element("viewer"));
}

const image = (name, nifti, options) =>
  niivue.NVImage.loadFromBase64({ base64: nifti, name: `${name}.nii.gz`, ...options });

async function loadSubject(name) {
  const data = JSON.parse(stored.get(name).textContent);
  const contrasts = await Promise.all(
    data.contrasts.map((each) =>
      image(each.name, each.nifti, { colormap: "gray", cal_min: each.black, cal_max: each.white, colorbarVisible: false })),
  );
  const { threshold, highest } = data.map;
  const map = await image("anomaly score", data.map.nifti, {
    colormap: "warm", cal_min: threshold, cal_max: Math.max(highest, threshold),
  });
  const truth = data.truth &&
    (await image("truth", data.truth, { colormap: "blue2cyan", cal_min: 0.5, cal_max: 1, opacity: 0, colorbarVisible: false }));
  return { name, data, contrasts, map, truth };
}

function draw() {
  const { data, contrasts, map, truth } = shown;
  map.opacity = Number(element("opacity").value);
  map.cal_min = Number(element("threshold").value);
  map.cal_max = Math.max(data.map.highest, map.cal_min);
  element("scale-low").textContent = map.cal_min.toPrecision(3);
  element("scale-high").textContent = `${data.map.highest.toPrecision(3)} (peak)`;
  if (truth) truth.opacity = element("truth").checked ? 1 : 0;
  const contrast = contrasts[element("contrast").selectedIndex];
  viewer.volumes = [contrast, map, ...(truth ? [truth] : [])];
  viewer.setVolume(contrast, 0); // the lowest layer
  for (const id of ["opacity", "threshold"]) {
    element(id).nextElementSibling.value = Number(element(id).value).toPrecision(3);
  }
}

function move(axis, steps) { // the crosshair, by voxels along right, anterior or superior
  const mm = [...viewer.frac2mm(viewer.scene.crosshairPos, 0, true)].slice(0, 3);
  mm[axis] += steps * shown.data.voxel_size[axis];
  goTo(mm);
}

const KEYS = {
  ArrowRight: () => move(0, -1), // the patient's right is on the left
  ArrowLeft: () => move(0, 1),
  ArrowUp: () => move(1, 1),
  ArrowDown: () => move(1, -1),
  PageUp: () => move(2, 1),
  PageDown: () => move(2, -1),
  m: () => toggleMap(),
  t: () => element("truth").click(),
};

function toggleMap() {
  const slider = element("opacity");
  [slider.value, slider.dataset.last] = Number(slider.value) ? [0, slider.value] : [slider.dataset.last ?? 0.7, 0];
  draw();
}

function goTo(mm) {
  viewer.scene.crosshairPos = viewer.mm2frac(mm, 0, true); // true: with the rotation of an oblique scan
  viewer.createOnLocationChange();
  viewer.drawScene();
}

function showLocation({ mm, values }) {
  const [x, y, z] = [...mm].map((value) => value.toFixed(1));
  const score = values[1].value;
  element("location").textContent = `x ${x}, y ${y}, z ${z} mm\nanomaly score ${score.toPrecision(3)}`;
}

function setControls({ data, contrasts, truth }) {
  element("contrast").replaceChildren(...data.contrasts.map((each) => new Option(each.name)));
  const { lowest, highest, threshold } = data.map;
  Object.assign(element("threshold"), { min: lowest, max: highest, step: (highest - lowest) / 1000 || 1, value: threshold });
  element("truth-label").hidden = element("truth-help").hidden = !truth;
  element("name").textContent = shown.name;
  for (const [id, step] of [["previous", -1], ["next", 1]]) {
    const neighbor = names[names.indexOf(shown.name) + step];
    element(id).hidden = !neighbor;
    element(id).href = `#${neighbor}`;
  }
  for (const section of document.querySelectorAll("#side section")) {
    section.hidden = section.id !== `about-${shown.name}`;
  }
}

async function showPage() {
  const name = decodeURIComponent(location.hash.slice(1));
  element("cohort").hidden = stored.has(name);
  element("subject").hidden = !stored.has(name);
  if (!stored.has(name)) return;
  scrollTo(0, 0); // a link far down a long table leads here
  if (shown?.name === name) return;
  if (!viewer) await openViewer();
  shown = await loadSubject(name);
  setControls(shown);
  draw();
  goTo(shown.data.peak);
  document.body.dataset.shown = name;
}

element("viewer").addEventListener("keydown", (event) => {
  const action = KEYS[event.key];
  if (!action || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  event.stopImmediatePropagation(); // NiiVue has a meaning of its own for some
  action();
}, true);
for (const id of ["contrast", "opacity", "threshold", "truth"]) element(id).addEventListener("input", draw);
for (const link of document.querySelectorAll("[data-mm]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    goTo(link.dataset.mm.split(" ").map(Number));
  });
}
let turn = Promise.resolve(); // pages open one after the other
const nextPage = () => (turn = turn.then(showPage));
addEventListener("hashchange", nextPage);
nextPage();
