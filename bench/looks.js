// What bench/looks.py asks of a page that is open: each function gives back a list of sentences, one for each thing that is wrong.
window.looks = (() => {
  const named = (one) => {
    const words = (one.getAttribute("aria-label") || one.textContent || one.name || "").trim().replace(/\s+/g, " ").slice(0, 40);
    const kind = one.getAttribute("class")?.trim().split(/\s+/).slice(0, 2).join(".");
    return `${one.localName}${one.id ? "#" + one.id : kind ? "." + kind : ""} “${words}”`;
  };
  const seen = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true }) && !one.closest(".vh, .skip");

  // What is left of a rectangle inside everything that cuts it off.
  function cut(rect, from) {
    let { left, top, right, bottom } = rect;
    for (let one = from; one && one !== document.documentElement; one = one.parentElement) {
      const style = getComputedStyle(one);
      if (style.overflowX === "visible" && style.overflowY === "visible" && style.clipPath === "none") continue;
      if (one instanceof SVGElement && one.localName !== "svg") continue;
      const box = one.getBoundingClientRect();
      left = Math.max(left, box.left); right = Math.min(right, box.right);
      top = Math.max(top, box.top); bottom = Math.min(bottom, box.bottom);
    }
    return { left, top, right, bottom };
  }

  function floats(one) {
    for (; one && one !== document.body; one = one.parentElement) {
      if (["fixed", "sticky"].includes(getComputedStyle(one).position)) return true;
    }
    return false;
  }

  function texts() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const node = walker.currentNode, of = node.parentElement;
      if (!node.data.trim() || !of || ["SCRIPT", "STYLE", "OPTION", "TITLE", "title", "desc", "NOSCRIPT"].includes(of.tagName) || !seen(of) || floats(of)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const style = getComputedStyle(of);
      const size = parseFloat(style.fontSize) || 12;
      for (const rect of range.getClientRects()) {
        const part = cut(rect, of);
        // A line of text is taller than its letters: what may touch is left out.
        const spare = Math.max(0, (part.bottom - part.top - size * 0.9) / 2);
        const box = { left: part.left + 0.5, right: part.right - 0.5, top: part.top + spare, bottom: part.bottom - spare, of, words: node.data.trim().slice(0, 40) };
        if (box.right - box.left > 2 && box.bottom - box.top > 2) found.push(box);
      }
    }
    return found;
  }

  function overlapping() {
    const boxes = texts().sort((one, other) => one.top - other.top);
    const wrong = new Set();
    for (let i = 0; i < boxes.length; i++) {
      for (let j = i + 1; j < boxes.length && boxes[j].top < boxes[i].bottom; j++) {
        const [a, b] = [boxes[i], boxes[j]];
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left), high = Math.min(a.bottom, b.bottom) - b.top;
        if (a.of === b.of || wide < 2 || high < 3) continue;
        wrong.add(`“${a.words}” and “${b.words}” lie on each other in ${named(a.of.closest("section, article, li, tr, figure, form, svg, header, nav") || a.of).slice(0, 60)}`);
      }
    }
    return [...wrong].slice(0, 8);
  }

  function cutOff() {
    const wrong = [];
    for (const one of document.body.querySelectorAll("*")) {
      if (!(one instanceof HTMLElement) || !seen(one) || ["TEXTAREA", "SELECT", "INPUT"].includes(one.tagName)) continue;
      const style = getComputedStyle(one);
      if (![...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
      const hides = (way) => ["hidden", "clip"].includes(way);
      if (style.clipPath !== "none" || style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none") continue;
      if (hides(style.overflowX) && one.scrollWidth > one.clientWidth + 1 || hides(style.overflowY) && one.scrollHeight > one.clientHeight + 2) wrong.push(`${named(one)} is cut off`);
    }
    return wrong.slice(0, 8);
  }

  function sideways() {
    const room = document.documentElement.clientWidth, wide = document.documentElement.scrollWidth;
    if (wide <= room) return [];
    const guilty = [...document.body.querySelectorAll("*")].filter((one) => seen(one)).find((one) => {
      const box = one.getBoundingClientRect();
      if (box.right <= room + 1 && box.left >= -1) return false;
      const part = cut(box, one.parentElement);
      return part.right > room + 1 || part.left < -1;
    });
    return [`it is ${wide} px wide on a screen of ${room} px${guilty ? `, because of ${named(guilty)}` : ""}`];
  }

  const INTERACTIVE = "a[href], button, summary, select, textarea, input:not([type=hidden]), [role=button], [role=tab], [tabindex='0']";

  function unfocused() {
    const wrong = [];
    // It may be shown by the thing itself, by what is drawn around it, or by what holds it.
    const drawn = (one, part) => {
      const style = getComputedStyle(one, part);
      return [style.outlineStyle === "none" ? "none" : style.outlineWidth + style.outlineColor + style.outlineStyle, style.boxShadow, style.borderColor, style.stroke + style.strokeWidth].join("|");
    };
    const look = (one) => [drawn(one), drawn(one, "::before"), drawn(one, "::after")].join();
    for (const one of document.querySelectorAll(INTERACTIVE)) {
      if (!seen(one) || one.disabled || one.matches("[data-region], main")) continue;
      document.activeElement?.blur?.();
      const shown = [one, one.querySelector(".chart-hit"), one.nextElementSibling, one.parentElement, one.parentElement?.parentElement, one.closest("label, article")].filter(Boolean);
      const before = shown.map(look).join();
      one.focus({ focusVisible: true, preventScroll: true });
      if (document.activeElement === one && shown.map(look).join() === before) wrong.push(`${named(one)} does not show that it has the focus`);
    }
    document.activeElement?.blur?.();
    return wrong.slice(0, 8);
  }

  // 44 px for a finger: what it hits, with whatever its style sheet adds around it. Links inside a sentence are as tall as their line.
  function small() {
    const LEAST = 44, wrong = [];
    scrollTo(0, 0);
    for (const one of document.querySelectorAll(INTERACTIVE)) {
      if (!seen(one) || one.disabled || one.ownerSVGElement || one.matches("main, [role=region], pre, .table-wrap, [data-region], [tabindex='-1']")) continue;
      const target = one.matches("input[type=checkbox], input[type=radio]") ? one.closest("label") || one.parentElement : one;
      const style = getComputedStyle(target);
      if (one.localName === "a" && style.display.startsWith("inline") && !one.matches(".btn")) {
        const around = one.parentElement.textContent.replace(/\s+/g, " ").trim().length, own = one.textContent.replace(/\s+/g, " ").trim().length;
        if (around > own + 1 && style.display === "inline") continue;
      }
      const box = target.getBoundingClientRect();
      if (box.width < 1 || box.height < 1 || box.height >= LEAST - 0.5 && box.width >= LEAST - 0.5) continue;
      target.scrollIntoView({ block: "center", inline: "center" });
      const now = target.getBoundingClientRect();
      const x = now.left + now.width / 2, y = now.top + now.height / 2;
      const hits = (dx, dy) => {
        const there = document.elementFromPoint(x + dx, y + dy);
        return there && (target.contains(there) || there.contains(target) && there.matches("a, button, label, summary") || there.closest("label")?.control === one);
      };
      // How far it can be hit from its middle, one way and the other.
      const reach = (dx, dy) => {
        let far = 0;
        while (far < LEAST && hits(dx * (far + 2), dy * (far + 2))) far += 2;
        return far;
      };
      const tall = box.height >= LEAST - 0.5 || reach(0, 1) + reach(0, -1) >= LEAST - 4;
      const wide = box.width >= LEAST - 0.5 || (one.localName === "a" && style.display === "inline") || reach(1, 0) + reach(-1, 0) >= LEAST - 4;
      if (!tall || !wide) wrong.push(`${named(one)} is ${Math.round(box.width)} × ${Math.round(box.height)} px for a finger`);
    }
    // What was scrolled to be hit goes back, titles that end in dots included.
    for (const one of document.querySelectorAll("*")) if (one.scrollLeft) one.scrollLeft = 0;
    scrollTo(0, 0);
    return wrong.slice(0, 12);
  }

  // On paper: nothing that only works on a screen, and nothing wider than the sheet.
  function onPaper() {
    const wrong = [...document.querySelectorAll("nav, .rail, .btn, .toast, dialog, select, textarea, input:not([type=hidden])")].filter((one) => seen(one) && one.getBoundingClientRect().height > 0).map((one) => `${named(one)} is printed`);
    for (const one of document.querySelectorAll(".table-wrap, table, svg, pre")) {
      if (seen(one) && one.parentElement && one.scrollWidth > one.clientWidth + 1) wrong.push(`${named(one)} is cut off on paper`);
    }
    return wrong.slice(0, 8);
  }

  return { overlapping, cutOff, sideways, unfocused, small, onPaper };
})();
