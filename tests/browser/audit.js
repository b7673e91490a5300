// What is wrong with the page as it is laid out now: a list of sentences, each "kind: what (where)".
// Called with {width: CSS px of the window, paper: whether media is print}.
({ width, paper }) => {
  const problems = new Set();
  const where = (node) => {
    const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    const path = [];
    for (let each = element; each && each !== document.body && path.length < 4; each = each.parentElement) {
      path.unshift(each.localName + (each.id ? `#${each.id.slice(0, 30)}` : ""));
    }
    const text = (node.textContent || "").trim().replace(/\s+/g, " ").slice(0, 60);
    return `${path.join(" > ")} "${text}"`;
  };
  const say = (kind, what, node) => problems.add(`${kind}: ${what}${node ? ` (${where(node)})` : ""}`);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const round = (number) => Math.round(number * 10) / 10;
  const style = (element) => getComputedStyle(element);
  const once = (ask) => { // answers are kept: nothing changes while this runs
    const known = new Map();
    return (element) => {
      if (!known.has(element)) known.set(element, ask(element));
      return known.get(element);
    };
  };
  const ancestors = function* (element) {
    for (let each = element; each; each = each.parentElement) yield each;
  };

  // Text as it is seen: every text node with the boxes of its lines.
  const isSeen = (element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });
  const isForScreenReaders = once((element) =>
    (element.clientWidth <= 1 && element.clientHeight <= 1 && style(element).overflow === "hidden") ||
    (element.parentElement !== null && isForScreenReaders(element.parentElement)));
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("script, style, title, desc, metadata, defs, template")) continue;
    if (!isSeen(element) || isForScreenReaders(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
    const figure = element.closest("svg");
    if (boxes.length) texts.push({ node, element, boxes: figure ? [element.getBoundingClientRect()] : boxes, figure });
  }
  const isWithin = (inner, outer, slack) =>
    inner.left >= outer.left - slack && inner.right <= outer.right + slack &&
    inner.top >= outer.top - slack && inner.bottom <= outer.bottom + slack;

  // Layout: nothing is wider than the window, cut off, or over something else.
  const root = document.scrollingElement;
  if (innerWidth !== width) say("overflow", `the window is ${innerWidth} px wide, not ${width}: no viewport for phones?`);
  if (root.scrollWidth > width) {
    say("overflow", `the page is ${root.scrollWidth} px wide in a window of ${width}`);
    const isBeyond = (element) => element.getBoundingClientRect().right > width + 1;
    for (const element of all("body *")) {
      if (isBeyond(element) && !isBeyond(element.parentElement)) say("overflow", "reaches beyond the window", element);
    }
  }
  const clips = once((element) => /hidden|clip/.test(style(element).overflowX + style(element).overflowY));
  const scrolls = once((element) => /auto|scroll/.test(style(element).overflowX) && element.scrollWidth > element.clientWidth + 1);
  for (const { node, element, boxes, figure } of texts) {
    const cell = element.closest("td, th, caption");
    if (cell && !boxes.every((box) => isWithin(box, cell.getBoundingClientRect(), 1.5))) say("clipped", "text leaves its cell", node);
    if (figure && !isWithin(boxes[0], figure.getBoundingClientRect(), 1)) say("clipped", "text leaves its picture", node);
    for (const each of ancestors(element)) {
      if (each === document.body || each === document.documentElement || each.closest("svg")) continue;
      if (clips(each) && !boxes.every((box) => isWithin(box, each.getBoundingClientRect(), 1.5))) say("clipped", "text is cut off", node);
    }
    if (root.scrollWidth <= width && ![...ancestors(element)].some(scrolls)) {
      for (const box of boxes) {
        const isAside = element.matches("a") && box.right < 0; // a link that comes into sight with the focus
        if (!isAside && (box.left < -1 || box.right > width + 1)) say("clipped", "text leaves the window", node);
      }
    }
  }
  for (const element of all("body *").filter(scrolls)) {
    if (paper) say("paper", "paper does not scroll", element);
    else if (width > 1000) say("wide", `${element.scrollWidth - element.clientWidth} px out of sight on a desk's screen`, element);
    else if (element.tabIndex < 0 || !element.getAttribute("role") || !(element.getAttribute("aria-label") || element.getAttribute("aria-labelledby")))
      say("keyboard", "scrolls, but has no tabindex, role and label: keyboards cannot reach what is out of sight", element);
  }
  const lines = texts.flatMap(({ node, element, boxes, figure }) => {
    const matrix = figure ? element.getScreenCTM() : null;
    const oblique = matrix && Math.abs(matrix.a) > 0.01 && Math.abs(matrix.b) > 0.01; // its box is larger than its letters
    return oblique ? [] : boxes.map((box) => ({ node, box }));
  }).sort((one, other) => one.box.top - other.box.top);
  lines.forEach(({ node, box }, index) => {
    for (let next = index + 1; next < lines.length && lines[next].box.top < box.bottom; next += 1) {
      const other = lines[next];
      if (other.node === node) continue;
      const over = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
      const down = Math.min(box.bottom, other.box.bottom) - other.box.top;
      const low = Math.min(box.height, other.box.height);
      if (over > 2 && down > 0.4 * low) say("overlap", `text lies on other text: ${where(other.node)}`, node);
    }
  });
  for (const { node, element, figure } of texts) {
    const matrix = figure ? element.getScreenCTM() : null;
    const size = parseFloat(style(element).fontSize) * (matrix ? Math.hypot(matrix.a, matrix.b) : 1);
    if (size < (figure ? 8.95 : paper ? 10.6 : 11.95)) say("small", `letters of ${round(size)} px`, node);
  }

  // Contrast: WCAG 2.2, 1.4.3 (AA), without its exception for large text.
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colours = new Map();
  const colour = (text) => {
    if (!colours.has(text)) {
      pixel.canvas.width = pixel.canvas.height = 1;
      pixel.fillStyle = text;
      pixel.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
      colours.set(text, [red, green, blue, alpha / 255]);
    }
    return colours.get(text);
  };
  const over = (front, back, share = 1) => front.slice(0, 3).map((value, index) => {
    const alpha = front[3] * share;
    return value * alpha + back[index] * (1 - alpha);
  });
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((first, second) => first - second);
    return (high + 0.05) / (low + 0.05);
  };
  const canvas = (() => {
    const probe = document.body.appendChild(document.createElement("div"));
    probe.style.background = "Canvas";
    const found = colour(style(probe).backgroundColor);
    probe.remove();
    return found.slice(0, 3);
  })();
  const background = once((element) =>
    paper ? [255, 255, 255] // backgrounds are not printed unless the reader asks for it
      : over(colour(style(element).backgroundColor), element.parentElement ? background(element.parentElement) : canvas));
  const opacity = once((element) => Number(style(element).opacity) * (element.parentElement ? opacity(element.parentElement) : 1));
  const shapes = new Map(all("svg").map((figure) => [figure, [...figure.querySelectorAll("path, rect, circle, ellipse, polygon")]
    .filter((shape) => !shape.closest("defs, clipPath, pattern, mask, symbol") && isSeen(shape))]));
  const behind = (element, figure) => { // the last shape drawn before the text, at its middle and ends
    const box = element.getBoundingClientRect();
    const points = [0.02, 0.5, 0.98].map((share) => new DOMPoint(box.left + share * box.width, box.top + box.height / 2));
    return points.map((point) => {
      let found = background(figure);
      for (const shape of shapes.get(figure)) {
        if (!(shape.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING)) continue;
        const paint = style(shape);
        if (paint.fill === "none" || paint.fill.startsWith("url")) continue;
        if (shape.isPointInFill(point.matrixTransform(shape.getScreenCTM().inverse())))
          found = over(colour(paint.fill), found, Number(paint.fillOpacity) * Number(paint.opacity));
      }
      return found;
    });
  };
  for (const { node, element, figure } of texts) {
    if (/^[\s\p{So}]+$/u.test(node.data)) continue; // squares of a legend are no letters
    const paint = style(element);
    const faded = opacity(element);
    const ink = colour(figure ? paint.fill : paint.color);
    const grounds = figure ? behind(element, figure.ownerSVGElement || figure) : [background(element)];
    const worst = Math.min(...grounds.map((ground) => contrast(over(ink, ground, faded * (figure ? Number(paint.fillOpacity) : 1)), ground)));
    if (worst < 4.5) say("contrast", `${round(worst)} between ${figure ? paint.fill : paint.color} and its background`, node);
  }
  for (const [figure, drawn] of shapes) { // lines may be pale, but are drawn to be seen
    for (const line of drawn) {
      const { fill, stroke, strokeOpacity } = style(line);
      if (fill !== "none" || !/^(rgb|color|ok|l)/.test(stroke)) continue;
      const ground = background(figure);
      if (contrast(over(colour(stroke), ground, Number(strokeOpacity) * opacity(line)), ground) < 1.2) say("invisible", `a line of ${stroke}`, line);
    }
  }

  // Document: what a screen reader, a keyboard and a search go by.
  if (!document.documentElement.lang) say("document", "no language");
  if (!document.title.trim()) say("document", "no title");
  if (document.characterSet !== "UTF-8") say("document", `characters are ${document.characterSet}`);
  if (all("main").length !== 1) say("document", `${all("main").length} main parts`);
  for (const element of all("script, iframe, object, embed, base, form, link:not([href^='data:'])"))
    say("document", "more than text and pictures", element);
  for (const element of all("*")) {
    for (const { name, value } of element.attributes) {
      if (/^on/i.test(name) || /^\s*javascript:/i.test(value)) say("document", `a script in ${name}`, element);
    }
  }
  const ids = new Map();
  for (const element of all("[id]")) ids.set(element.id, (ids.get(element.id) || 0) + 1);
  for (const [id, count] of ids) if (count > 1) say("document", `${count} elements are called ${id.slice(0, 40)}`);
  for (const link of all("a[href^='#']")) if (!ids.has(decodeURIComponent(link.hash.slice(1)))) say("document", "leads nowhere", link);
  const levels = all("h1, h2, h3, h4, h5, h6");
  if (all("h1").length !== 1) say("headings", `${all("h1").length} of level 1`);
  levels.forEach((heading, index) => {
    const before = index ? Number(levels[index - 1].localName[1]) : 0;
    if (Number(heading.localName[1]) > before + 1) say("headings", `${heading.localName} after level ${before}`, heading);
    if (!heading.textContent.trim()) say("headings", "an empty one", heading);
  });
  for (const table of all("table")) {
    const labelled = table.caption?.textContent.trim() || table.getAttribute("aria-label") || table.getAttribute("aria-labelledby");
    if (!labelled) say("tables", "no caption", table);
    if (!table.querySelector("th")) say("tables", "no heads", table);
    for (const head of table.querySelectorAll("th")) {
      if (!/^(col|row)(group)?$/.test(head.scope)) say("tables", "a head of neither rows nor columns", head);
      if (!head.textContent.trim()) say("tables", "an empty head", head);
    }
    const shown = table.closest("figure details") ? isSeen(table.closest("figure")) : isSeen(table); // or its picture
    if (paper && !shown) say("paper", "a table that is not printed", table);
  }
  if (paper) {
    for (const element of all("tr, figure, svg:not(svg svg), img").filter(isSeen)) {
      if (![...ancestors(element)].some((each) => style(each).breakInside === "avoid")) say("paper", "may be cut by the end of a page", element);
    }
  }
  const isolated = (element) => {
    const { unicodeBidi, display } = style(element);
    return /isolate|plaintext/.test(unicodeBidi) || !display.startsWith("inline") ? element : isolated(element.parentElement);
  };
  for (const { node, element, figure } of texts) {
    if (!figure && /[\u202a-\u202e\u2066-\u2069\u200e\u200f]/.test(node.data) && isolated(element).textContent.trim() !== node.data.trim())
      say("direction", "marks of direction turn the words beside them around", node);
  }
  return [...problems];
}
