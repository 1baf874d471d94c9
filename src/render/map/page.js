// A map of papers: draws points and names, looks around, finds papers.
//
//   places, texts ─ unpack ─▶ columns ─▶ points: WebGL, or pixel by pixel without it
//                                        names: a canvas above it
//                                        panel, card: elements
//
// A frame is drawn only when something changed. All text is of others: it is set as text, never as markup.
"use strict";
(async () => {
  const $ = (id) => document.getElementById(id);
  const element = (name, text) => Object.assign(document.createElement(name), text === undefined ? {} : { textContent: text });
  const NONE = 65535, REACH = 14, RESULTS = 60, MARKED = 1.7;
  const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

  // --- What is shown -----------------------------------------------------------------------------------------------

  async function unpack(id) {
    const raw = atob($(id).textContent), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    $(id).remove();
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Response(stream).arrayBuffer();
  }
  let places, texts;
  try {
    places = new DataView(await unpack("places"));
    texts = JSON.parse(new TextDecoder().decode(await unpack("texts")));
  } catch (error) {
    $("note").textContent = "This browser cannot unpack the map: it needs DecompressionStream, which browsers have since 2023.";
    throw error;
  }
  const count = places.byteLength / 6;
  const plane = (at) => Uint16Array.from({ length: count }, (_, i) => places.getUint16(2 * (at * count + i), true));
  const xs = plane(0), ys = plane(1), topicOf = plane(2);
  const { topics, parts, ids, titles, abstracts, links, dates } = texts;
  const sizes = new Uint32Array(topics.length + 1);
  for (const topic of topicOf) sizes[topic === NONE ? topics.length : topic]++;

  /** Points by cells of a grid, to find those at a place. */
  const CELLS = clamp(Math.round(Math.sqrt(count / 4)), 1, 256), CELL = 65536 / CELLS;
  const starts = new Uint32Array(CELLS * CELLS + 1), order = new Uint32Array(count);
  const cellOf = (i) => Math.floor(ys[i] / CELL) * CELLS + Math.floor(xs[i] / CELL);
  for (let i = 0; i < count; i++) starts[cellOf(i) + 1]++;
  for (let c = 0; c < CELLS * CELLS; c++) starts[c + 1] += starts[c];
  const next = starts.slice();
  for (let i = 0; i < count; i++) order[next[cellOf(i)]++] = i;

  /** Calls `visit` with each point of a rectangle's cells; stops when it says false. */
  function within(left, top, right, bottom, visit) {
    const cell = (x) => clamp(Math.floor(x / CELL), 0, CELLS - 1);
    for (let row = cell(top); row <= cell(bottom); row++)
      for (let column = cell(left); column <= cell(right); column++)
        for (let at = starts[row * CELLS + column]; at < starts[row * CELLS + column + 1]; at++) if (visit(order[at]) === false) return;
  }

  // --- Where one looks ---------------------------------------------------------------------------------------------

  const pointsCanvas = $("points"), namesCanvas = $("names"), panel = $("panel"), card = $("card");
  const pen = namesCanvas.getContext("2d");
  let width = 0, height = 0, ratio = 1, fitScale = 1;
  /** A place is at (x * scale + left, y * scale + top) on the screen. */
  const view = { scale: 0, left: 0, top: 0 };
  const screenX = (x) => x * view.scale + view.left, screenY = (y) => y * view.scale + view.top;
  const mapX = (x) => (x - view.left) / view.scale, mapY = (y) => (y - view.top) / view.scale;
  let most = [1, 1];
  for (let i = 0; i < count; i++) most = [Math.max(most[0], xs[i]), Math.max(most[1], ys[i])];

  /** The part of the window that the panel leaves free. */
  function free() {
    const box = panel.getBoundingClientRect(), isAbove = box.width > width * 0.7;
    return isAbove ? { left: 0, top: box.bottom, right: width, bottom: height } : { left: box.right, top: 0, right: width, bottom: height };
  }
  function show(left, top, right, bottom, largest) {
    const room = free(), edge = Math.min(40, (room.right - room.left) / 10);
    const across = (room.right - room.left - 2 * edge) / Math.max(1, right - left), down = (room.bottom - room.top - 2 * edge) / Math.max(1, bottom - top);
    view.scale = Math.min(Math.max(1e-4, Math.min(across, down)), largest);
    view.left = (room.left + room.right) / 2 - ((left + right) / 2) * view.scale;
    view.top = (room.top + room.bottom) / 2 - ((top + bottom) / 2) * view.scale;
    draw();
  }
  const showAll = () => { show(0, 0, most[0], most[1], Infinity); fitScale = view.scale; };
  function zoom(factor, x, y) {
    const scale = clamp(view.scale * factor, fitScale / 2, Math.max(fitScale, 1) * 60);
    view.left = x - (x - view.left) * (scale / view.scale);
    view.top = y - (y - view.top) * (scale / view.scale);
    view.scale = scale;
    draw();
  }
  function pan(x, y) { view.left += x; view.top += y; draw(); }

  // --- Points ------------------------------------------------------------------------------------------------------

  const dark = matchMedia("(prefers-color-scheme: dark)");
  let ground, ink, faint, accent, colours, isPrinting = false;
  function readColours() {
    const style = getComputedStyle(document.documentElement), isDark = dark.matches && !isPrinting;
    const of = (name) => style.getPropertyValue(name).trim();
    [ground, ink, faint, accent] = isPrinting ? ["#fff", "#000", "#444", "#05c"] : [of("--ground"), of("--ink"), of("--faint"), of("--accent")];
    colours = [...topics.map((topic) => (isDark ? topic.dark : topic.light)), isDark ? "#62656b" : "#b4b4ae"];
  }
  const colourOf = (i) => colours[topicOf[i] === NONE ? topics.length : topicOf[i]];
  /** 1 for what was searched for; null if nothing was. */
  let marked = null, hovered = -1, held = -1;
  const radius = () => clamp((160 / Math.sqrt(count) + 1.8) * Math.pow(view.scale / fitScale, 0.4), 1.8, 15) / 2;

  const VERTEX = `attribute vec2 place; attribute vec3 colour; attribute float mark; uniform vec4 view; uniform float size, pass; varying vec4 paint;
    void main() { paint = pass == 0.0 ? vec4(mix(colour, vec3(0.5), 0.85), 0.14) : vec4(colour, 0.85); bool shown = pass == 2.0 || mark == pass;
      gl_Position = shown ? vec4(place * view.xy + view.zw, 0.0, 1.0) : vec4(2.0, 2.0, 0.0, 1.0); gl_PointSize = shown ? size : 0.0; }`;
  const FRAGMENT = `precision mediump float; varying vec4 paint; uniform float size;
    void main() { float edge = (0.5 - length(gl_PointCoord - 0.5)) * size; float alpha = paint.a * clamp(edge + 0.5, 0.0, 1.0);
      gl_FragColor = vec4(paint.rgb * alpha, alpha); }`;

  /** False without a graphics processor: WebGL is then slower than `raster`. The address's `#webgl` insists. */
  function isFast() {
    if (location.hash === "#webgl") return true;
    const gl = document.createElement("canvas").getContext("webgl", { failIfMajorPerformanceCaveat: true });
    const names = gl?.getExtension("WEBGL_debug_renderer_info");
    return Boolean(gl) && !/swiftshader|llvmpipe|software|basic render/i.test(names ? gl.getParameter(names.UNMASKED_RENDERER_WEBGL) : "");
  }
  /** Draws with WebGL; null where there is none. */
  function painter() {
    const gl = isFast() ? pointsCanvas.getContext("webgl", { antialias: false, premultipliedAlpha: true }) : null;
    if (!gl) return null;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT.replace("uniform float size", "uniform highp float size")]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, kind === gl.VERTEX_SHADER ? source.replace("uniform float size", "uniform highp float size") : source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
    gl.useProgram(program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const buffer = (name, size, kind, isNormal) => {
      const at = gl.getAttribLocation(program, name), it = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, it);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, size, kind, isNormal, 0, 0);
      return (data) => { gl.bindBuffer(gl.ARRAY_BUFFER, it); gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW); };
    };
    const both = new Uint16Array(2 * count);
    for (let i = 0; i < count; i++) [both[2 * i], both[2 * i + 1]] = [xs[i], ys[i]];
    buffer("place", 2, gl.UNSIGNED_SHORT, false)(both);
    const setColours = buffer("colour", 3, gl.UNSIGNED_BYTE, true), setMarks = buffer("mark", 1, gl.UNSIGNED_BYTE, false);
    const uniform = (name) => gl.getUniformLocation(program, name);
    const [viewAt, sizeAt, passAt] = ["view", "size", "pass"].map(uniform);
    return {
      colours() {
        const rgb = colours.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16))), data = new Uint8Array(3 * count);
        for (let i = 0; i < count; i++) data.set(rgb[topicOf[i] === NONE ? topics.length : topicOf[i]], 3 * i);
        setColours(data);
      },
      marks() { setMarks(marked ?? new Uint8Array(count)); },
      draw() {
        gl.viewport(0, 0, pointsCanvas.width, pointsCanvas.height);
        gl.clearColor(0, 0, 0, 0);
        gl.clear(gl.COLOR_BUFFER_BIT);
        gl.uniform4f(viewAt, (2 * view.scale) / width, (-2 * view.scale) / height, (2 * view.left) / width - 1, 1 - (2 * view.top) / height);
        for (const pass of marked ? [0, 1] : [2]) {
          gl.uniform1f(sizeAt, 2 * radius() * ratio * (pass === 1 ? MARKED : 1));
          gl.uniform1f(passAt, pass);
          gl.drawArrays(gl.POINTS, 0, count);
        }
      },
    };
  }

  /** Pixel by pixel, which takes a tenth of the time of a plain canvas's own discs. */
  function raster() {
    const [w, h] = [pointsCanvas.width, pointsCanvas.height], bytes = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    if (image?.width !== w || image?.height !== h) image = plain.createImageData(w, h);
    const data = image.data, [red, green, blue] = bytes(ground), paints = colours.map(bytes), margin = 20;
    new Uint32Array(data.buffer).fill(((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0);
    for (const pass of marked ? [0, 1] : [2]) {
      const r = radius() * ratio * (pass === 1 ? MARKED : 1), reach = Math.ceil(r), stamp = [];
      for (let y = -reach; y <= reach; y++)
        for (let x = -reach; x <= reach; x++) {
          const cover = clamp(r + 0.5 - Math.hypot(x, y), 0, 1) * (pass === 0 ? 0.14 : 0.85);
          if (cover > 0.02) stamp.push(x, y, Math.round(cover * 256));
        }
      within(mapX(-margin), mapY(-margin), mapX(width + margin), mapY(height + margin), (i) => {
        if (pass !== 2 && marked[i] !== pass) return;
        const x = Math.round(screenX(xs[i]) * ratio), y = Math.round(screenY(ys[i]) * ratio);
        if (x < reach || y < reach || x >= w - reach || y >= h - reach) return;
        const [r, g, b] = pass === 0 ? [128, 128, 128] : paints[topicOf[i] === NONE ? topics.length : topicOf[i]];
        for (let s = 0; s < stamp.length; s += 3) {
          const at = 4 * ((y + stamp[s + 1]) * w + x + stamp[s]), cover = stamp[s + 2];
          data[at] += ((r - data[at]) * cover) >> 8;
          data[at + 1] += ((g - data[at + 1]) * cover) >> 8;
          data[at + 2] += ((b - data[at + 2]) * cover) >> 8;
        }
      });
    }
    plain.putImageData(image, 0, 0);
  }

  /** Disc by disc, on paper. */
  function drawPlain(to) {
    const margin = 20;
    for (const pass of marked ? [0, 1] : [2]) {
      to.globalAlpha = pass === 0 ? 0.14 : 0.85;
      const r = radius() * (pass === 1 ? MARKED : 1);
      within(mapX(-margin), mapY(-margin), mapX(width + margin), mapY(height + margin), (i) => {
        if (pass !== 2 && marked[i] !== pass) return;
        to.fillStyle = pass === 0 ? "#808080" : colourOf(i);
        if (r < 2) return to.fillRect(screenX(xs[i]) - r, screenY(ys[i]) - r, 2 * r, 2 * r) ?? true;
        to.beginPath();
        to.arc(screenX(xs[i]), screenY(ys[i]), r, 0, 7);
        to.fill();
      });
    }
    to.globalAlpha = 1;
  }

  // --- Names -------------------------------------------------------------------------------------------------------

  const FONT = "system-ui, sans-serif";
  const SMALL = innerWidth <= 700 ? 0.85 : 1;
  /** Topics, the largest first, and then the topics within them, which are shown to who looks closely. */
  const label = (name, at, topic, papers, isPart) => {
    const size = Math.round(SMALL * (isPart ? 12 : 12 + 9 * Math.sqrt(papers / count))), font = `${isPart ? 500 : 600} ${size}px ${FONT}`;
    pen.font = font;
    return { name, at, topic, papers, isPart, size, font, half: pen.measureText(name).width / 2 + 6 };
  };
  const largestFirst = (labels) => labels.filter((label) => label.at).sort((a, b) => b.papers - a.papers || a.topic - b.topic);
  const labels = [
    ...largestFirst(topics.map((topic, i) => label(topic.name, topic.at, i, sizes[i], false))),
    ...largestFirst(parts.map((part) => label(part.name, part.at, part.topic, part.papers, true))),
  ];
  const CLOSE = 2;
  let placed = [], placedAt = 0;
  /** Names that have room at this scale, the largest topics first. Moving changes nothing, so that no name flickers. */
  function placeNames() {
    if (placedAt === view.scale) return;
    [placed, placedAt] = [[], view.scale];
    for (const label of labels) {
      if (label.isPart && view.scale < CLOSE * fitScale) break;
      const [x, y] = label.at.map((at) => at * view.scale);
      const box = [x - label.half, y - label.size * 0.8, x + label.half, y + label.size * 0.8];
      if (placed.every(({ box: other }) => box[2] < other[0] || other[2] < box[0] || box[3] < other[1] || other[3] < box[1])) placed.push({ label, box });
    }
  }
  function write(text, x, y, halo) {
    pen.lineWidth = halo;
    pen.strokeStyle = ground;
    pen.strokeText(text, x, y);
    pen.fillText(text, x, y);
  }
  function drawNames() {
    placeNames();
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    const taken = [];
    for (const { label, box } of placed) {
      const moved = [box[0] + view.left, box[1] + view.top, box[2] + view.left, box[3] + view.top];
      if (moved[2] < 0 || moved[0] > width || moved[3] < 0 || moved[1] > height) continue;
      taken.push(moved);
      pen.font = label.font;
      pen.globalAlpha = chosen >= 0 && chosen !== label.topic ? 0.35 : label.isPart ? 0.85 : 1;
      pen.fillStyle = ink;
      write(label.name, (moved[0] + moved[2]) / 2, (moved[1] + moved[3]) / 2, 4);
    }
    pen.globalAlpha = 1;
    drawTitles(taken);
  }
  /** Where few papers are in sight, their titles. */
  function drawTitles(taken) {
    const seen = [], MOST = 60;
    within(mapX(0), mapY(0), mapX(width), mapY(height), (i) => {
      const [x, y] = [screenX(xs[i]), screenY(ys[i])];
      if (x > 0 && x < width && y > 0 && y < height) seen.push(i);
      return seen.length <= MOST;
    });
    if (seen.length > MOST) return;
    pen.font = `12px ${FONT}`;
    pen.textAlign = "left";
    pen.fillStyle = faint;
    for (const i of seen) {
      const text = titles[i].length > 50 ? titles[i].slice(0, 48).trimEnd() + "…" : titles[i];
      const [x, y] = [screenX(xs[i]) + radius() + 4, screenY(ys[i])], box = [x, y - 8, x + pen.measureText(text).width, y + 8];
      if (!taken.every((other) => box[2] < other[0] || other[2] < box[0] || box[3] < other[1] || other[3] < box[1])) continue;
      taken.push(box);
      write(text, x, y, 3);
    }
  }
  function ring(i, colour) {
    if (i < 0) return;
    pen.beginPath();
    pen.arc(screenX(xs[i]), screenY(ys[i]), radius() + 4, 0, 7);
    pen.lineWidth = 2.5;
    pen.strokeStyle = colour;
    pen.stroke();
  }

  // --- Frames ------------------------------------------------------------------------------------------------------

  readColours();
  const webgl = painter();
  const plain = webgl ? null : pointsCanvas.getContext("2d", { alpha: false, willReadFrequently: true });
  let image = null;
  let isDue = false, chosen = -1;
  function draw() {
    if (!isDue) requestAnimationFrame(frame);
    isDue = true;
  }
  function frame() {
    isDue = false;
    if (!isPrinting) {
      if (webgl) webgl.draw();
      else raster();
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (isPrinting) drawPlain(pen);
    drawNames();
    ring(hovered, accent);
    if (held !== hovered) ring(held, ink);
    if (held >= 0) place(held);
  }
  function resize() {
    const isFirst = width === 0, middle = isFirst ? null : [mapX(width / 2), mapY(height / 2)];
    ratio = Math.min(devicePixelRatio || 1, 2);
    [width, height] = [namesCanvas.clientWidth, namesCanvas.clientHeight];
    for (const canvas of [pointsCanvas, namesCanvas]) [canvas.width, canvas.height] = [Math.max(1, width * ratio), Math.max(1, height * ratio)];
    if (isFirst) return showAll();
    view.left = width / 2 - middle[0] * view.scale;
    view.top = height / 2 - middle[1] * view.scale;
    draw();
  }

  // --- The card of a paper -----------------------------------------------------------------------------------------

  const linkOf = (i) => (/^https?:\/\//i.test(links[i]) ? links[i] : null);
  function open(i) { if (i >= 0 && linkOf(i)) window.open(linkOf(i), "_blank", "noopener,noreferrer"); }
  function fill(i) {
    $("card-title").textContent = titles[i] || ids[i];
    $("card-facts").textContent = [ids[i], dates[i], topicOf[i] === NONE ? "" : topics[topicOf[i]].name].filter(Boolean).join(" · ");
    $("card-text").textContent = abstracts[i];
    $("card-link").hidden = !linkOf(i);
    if (linkOf(i)) $("card-link").href = linkOf(i);
    else $("card-link").removeAttribute("href");
    card.hidden = false;
    place(i);
  }
  /** Beside its point, and beside the panel. */
  function place(i) {
    const box = card.getBoundingClientRect(), room = free(), [x, y] = [screenX(xs[i]), screenY(ys[i])], GAP = 16;
    const left = x + GAP + box.width < room.right - 8 ? x + GAP : x - GAP - box.width;
    card.style.left = `${clamp(left, room.left + 8, Math.max(room.left + 8, room.right - box.width - 8))}px`;
    card.style.top = `${clamp(y - 30, room.top + 8, Math.max(room.top + 8, room.bottom - box.height - 8))}px`;
  }
  function hover(i) {
    if (i === hovered) return;
    hovered = i;
    namesCanvas.classList.toggle("over", i >= 0);
    if (held < 0) { if (i >= 0) fill(i); else card.hidden = true; }
    draw();
  }
  function hold(i) {
    held = i;
    card.classList.toggle("held", i >= 0);
    if (i >= 0) fill(i);
    else if (hovered >= 0) fill(hovered);
    else card.hidden = true;
    draw();
  }
  function goTo(i) {
    const room = free(), scale = Math.max(view.scale, fitScale * 4);
    view.scale = scale;
    view.left = (room.left + room.right) / 2 - xs[i] * scale;
    view.top = (room.top + room.bottom) / 2 - ys[i] * scale;
    hold(i);
  }
  function pointAt(x, y) {
    let [best, distance] = [-1, (radius() + REACH / 2) ** 2];
    const reach = radius() + REACH;
    within(mapX(x - reach), mapY(y - reach), mapX(x + reach), mapY(y + reach), (i) => {
      const d = (screenX(xs[i]) - x) ** 2 + (screenY(ys[i]) - y) ** 2;
      // What was searched for lies above the rest.
      if (d < distance && !(marked && best >= 0 && marked[best] > marked[i])) [best, distance] = [i, d];
    });
    return best;
  }

  // --- Hands -------------------------------------------------------------------------------------------------------

  const fingers = new Map();
  let travelled = 0;
  const at = (event) => { const box = namesCanvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  namesCanvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    namesCanvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    if (fingers.size === 1) travelled = 0;
    namesCanvas.classList.add("held");
  });
  namesCanvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event), before = fingers.get(event.pointerId);
    if (!before) return hover(pointAt(x, y));
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, [x, y]);
    travelled += Math.abs(x - before[0]) + Math.abs(y - before[1]);
    if (!other) return pan(x - before[0], y - before[1]);
    const apart = (one) => Math.max(10, Math.hypot(one[0] - other[0], one[1] - other[1]));
    pan((x - before[0]) / 2, (y - before[1]) / 2);
    zoom(apart([x, y]) / apart(before), (x + other[0]) / 2, (y + other[1]) / 2);
  });
  function release(event) {
    const wasHeld = fingers.delete(event.pointerId);
    if (fingers.size === 0) namesCanvas.classList.remove("held");
    if (!wasHeld || event.type !== "pointerup" || fingers.size > 0 || travelled > 6) return;
    const point = pointAt(...at(event));
    // A finger cannot hover: it shows the card first, whose link opens the paper.
    if (event.pointerType === "mouse") { if (point >= 0) open(point); else hold(-1); } else hold(point);
  }
  for (const name of ["pointerup", "pointercancel"]) namesCanvas.addEventListener(name, release);
  namesCanvas.addEventListener("pointerleave", () => { if (fingers.size === 0) hover(-1); });
  namesCanvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const pixels = event.deltaY * [1, 16, 400][event.deltaMode];
    zoom(Math.exp(-clamp(pixels, -300, 300) * (event.ctrlKey ? 0.01 : 0.002)), ...at(event));
  }, { passive: false });

  /** The next paper in a direction from the one that is held, or from the middle. */
  function step(x, y) {
    const room = free();
    const from = held >= 0 ? [xs[held], ys[held]] : [mapX((room.left + room.right) / 2), mapY((room.top + room.bottom) / 2)];
    let [best, distance] = [-1, Infinity];
    for (let i = 0; i < count; i++) {
      if (i === held || (marked && !marked[i])) continue;
      const [dx, dy] = [xs[i] - from[0], ys[i] - from[1]], along = dx * x + dy * y, aside = Math.abs(dx * y) + Math.abs(dy * x);
      if (held >= 0 && (along <= 0 || aside > along)) continue;
      const d = held >= 0 ? along + 2 * aside : dx * dx + dy * dy;
      if (d < distance) [best, distance] = [i, d];
    }
    if (best < 0) return;
    const [toX, toY] = [screenX(xs[best]), screenY(ys[best])];
    if (toX < room.left + 20 || toX > room.right - 20 || toY < room.top + 20 || toY > room.bottom - 20) goTo(best);
    else hold(best);
  }
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const nearer = (factor) => { const room = free(); zoom(factor, (room.left + room.right) / 2, (room.top + room.bottom) / 2); };
  namesCanvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow && event.shiftKey) step(...arrow);
    else if (arrow) pan(-80 * arrow[0], -80 * arrow[1]);
    else if (event.key === "+" || event.key === "=") nearer(1.5);
    else if (event.key === "-") nearer(1 / 1.5);
    else if (event.key === "0") showAll();
    else if (event.key === "Enter") open(held);
    else if (event.key === "Escape") { hold(-1); if (chosen >= 0) choose(-1); }
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target === $("search")) return;
    event.preventDefault();
    $("search").focus();
  });
  $("in").onclick = () => nearer(1.5);
  $("out").onclick = () => nearer(1 / 1.5);
  $("all").onclick = showAll;

  // --- Search and topics -------------------------------------------------------------------------------------------

  let haystack = null, found = [];
  const mark = (is) => { marked = is; webgl?.marks(); draw(); };
  function search() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length > 0 && chosen >= 0) press(-1);
    if (words.length === 0) { found = []; list(); $("found").textContent = ""; return mark(null); }
    haystack ??= titles.map((title, i) => `${title}\n${ids[i]}\n${abstracts[i]}`.toLowerCase());
    const is = new Uint8Array(count);
    found = [];
    for (let i = 0; i < count; i++) if (words.every((word) => haystack[i].includes(word))) { is[i] = 1; found.push(i); }
    const inTitle = (i) => words.every((word) => titles[i].toLowerCase().includes(word));
    const best = found.filter(inTitle);
    found = [...best, ...found.filter((i) => !inTitle(i))];
    $("found").textContent = found.length === 0 ? "No paper has these words" : `${found.length.toLocaleString("en")} of ${count.toLocaleString("en")} papers`;
    list();
    mark(is);
  }
  function list() {
    $("results").hidden = found.length === 0;
    $("results").replaceChildren(...found.slice(0, RESULTS).map((i) => {
      const item = element("li"), button = element("button"), title = element("span", titles[i] || ids[i]);
      title.dir = "auto";
      button.append(swatch(topicOf[i] === NONE ? topics.length : topicOf[i]), title);
      button.onclick = () => goTo(i);
      item.append(button);
      return item;
    }));
  }
  function swatch(topic) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    for (const [name, value] of [["cx", 5], ["cy", 5], ["r", 5], ["fill", colours[topic]]]) dot.setAttribute(name, value);
    svg.setAttribute("viewBox", "0 0 10 10");
    svg.setAttribute("aria-hidden", "true");
    svg.append(dot);
    return svg;
  }
  let asked = 0;
  $("search").addEventListener("input", () => { clearTimeout(asked); asked = setTimeout(search, 120); });
  $("search").addEventListener("keydown", (event) => {
    if (event.key === "Escape") { $("search").value = ""; search(); namesCanvas.focus(); }
    if (event.key !== "Enter") return;
    clearTimeout(asked);
    search();
    if (found.length > 0) showThese(found);
  });
  /** What most of them need; some far away do not make it small. */
  function showThese(points) {
    const range = (of) => { const sorted = Uint16Array.from(points, (i) => of[i]).sort(), cut = Math.floor(sorted.length * 0.03); return [sorted[cut], sorted[sorted.length - 1 - cut]]; };
    const [[left, right], [top, bottom]] = [range(xs), range(ys)];
    show(left, top, right, bottom, fitScale * 12);
  }
  /** Shows which topic is chosen. */
  function press(topic) {
    chosen = topic;
    for (const button of $("legend").querySelectorAll("button")) button.setAttribute("aria-pressed", String(Number(button.dataset.topic) === topic));
  }
  function choose(topic) {
    press(topic);
    hold(-1);
    if (topic < 0) return mark(null);
    [$("search").value, found] = ["", []];
    list();
    $("found").textContent = topics[topic]?.keywords.join(", ") ?? "";
    const is = Uint8Array.from(topicOf, (own) => Number((own === NONE ? topics.length : own) === topic));
    mark(is);
    showThese(Array.from(is.keys()).filter((i) => is[i]));
  }
  function legend() {
    const shown = [...topics.keys()].sort((a, b) => sizes[b] - sizes[a] || a - b).filter((topic) => sizes[topic] > 0);
    if (sizes[topics.length] > 0 && topics.length > 0) shown.push(topics.length);
    $("topics").hidden = shown.length === 0;
    $("legend").replaceChildren(...shown.map((topic) => {
      const item = element("li"), button = element("button"), name = element("span", topics[topic]?.name ?? "in no topic");
      name.dir = "auto";
      button.dataset.topic = topic;
      button.title = topics[topic]?.keywords.join(", ") ?? "";
      button.append(swatch(topic), name, element("b", sizes[topic].toLocaleString("en")));
      button.setAttribute("aria-pressed", String(chosen === topic));
      button.onclick = () => { if (chosen === topic) { $("found").textContent = ""; choose(-1); } else choose(topic); };
      item.append(button);
      return item;
    }));
  }

  // --- Light, dark and paper ---------------------------------------------------------------------------------------

  function recolour() {
    readColours();
    webgl?.colours();
    legend();
    list();
    draw();
  }
  dark.addEventListener("change", recolour);
  let before = null;
  function print(is) {
    if (is === isPrinting) return;
    isPrinting = is;
    if (is) before = { ...view };
    recolour();
    if (is) showAllOn(namesCanvas.clientWidth, namesCanvas.clientHeight);
    else { Object.assign(view, before); resize(); }
    frame();
  }
  /** The same part of the map, on paper. */
  function showAllOn(across, down) {
    const factor = Math.min(across / width, down / height);
    Object.assign(view, { scale: view.scale * factor, left: view.left * factor, top: view.top * factor });
  }
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));

  if (innerWidth <= 700) $("topics").open = false;
  recolour();
  webgl?.marks();
  new ResizeObserver(resize).observe(namesCanvas);
  resize();
  document.documentElement.dataset.ready = webgl ? "webgl" : "raster";
})();
