// A chart as a picture: twice its size, with its title and the moment it is true of. Without script there is the table and its CSV.
(() => {
  "use strict";

  const styled = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-weight", "font-family", "text-anchor", "visibility", "paint-order"];

  for (const card of document.querySelectorAll(".chart-card")) {
    const chart = card.querySelector(".chart"), header = card.querySelector("header");
    if (!chart || !header) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-small btn-quiet chart-png";
    button.textContent = document.documentElement.dataset.png || "PNG";
    const title = card.querySelector("h2").textContent.trim();
    button.setAttribute("aria-label", `PNG: ${title}`);
    button.addEventListener("click", () => save(card, chart, title));
    header.append(button);
  }

  function save(card, chart, title) {
    const shown = [...chart.querySelectorAll("svg")].find((svg) => svg.getClientRects().length);
    if (!shown) return;
    const copy = shown.cloneNode(true);
    const from = [shown, ...shown.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
    // The style sheet does not go with the picture, so what it says is written into the copy.
    from.forEach((node, place) => {
      const look = getComputedStyle(node);
      for (const name of styled) to[place].setAttribute(name, look.getPropertyValue(name));
    });
    const [, , width, height] = shown.getAttribute("viewBox").split(" ").map(Number), room = 46;
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    const picture = new Image();
    picture.addEventListener("load", () => {
      const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
      canvas.width = 2 * width;
      canvas.height = 2 * (height + room);
      pen.scale(2, 2);
      const page = getComputedStyle(document.body);
      pen.fillStyle = page.backgroundColor;
      pen.fillRect(0, 0, width, height + room);
      pen.fillStyle = page.color;
      pen.font = `600 14px ${page.fontFamily}`;
      pen.fillText(title, 4, 18, width - 8);
      pen.font = `11px ${page.fontFamily}`;
      const asOf = document.querySelector(".kpi-as-of");
      pen.fillText(asOf ? asOf.textContent.trim().replace(/\s+/g, " ") : "", 4, 34, width - 8);
      pen.drawImage(picture, 0, room);
      const link = document.createElement("a");
      link.download = `${title}.png`;
      link.href = canvas.toDataURL("image/png");
      link.click();
    });
    picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  }
})();
