document.addEventListener("DOMContentLoaded", () => {
  // An entry of the index leads to a place without text, of which Sphinx makes no summary and then fails: take the whole page's.
  if (typeof Search !== "undefined" && Search.makeSearchSummary) {
    const make = Search.makeSearchSummary;
    Search.makeSearchSummary = (page, words, anchor) => make(page, words, anchor) || make(page, words, "") || document.createElement("p");
  }
  // A table of verdicts becomes cards on a telephone; the roles keep it a table for screen readers.
  for (const table of document.querySelectorAll(".bd-article table")) {
    const names = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
    if (!names.includes("rule") && !names.includes("our claims")) continue;
    table.classList.add("cards");
    table.setAttribute("role", "table");
    for (const part of table.querySelectorAll("thead, tbody")) part.setAttribute("role", "rowgroup");
    for (const row of table.querySelectorAll("tr")) row.setAttribute("role", "row");
    for (const cell of table.querySelectorAll("thead th")) cell.setAttribute("role", "columnheader");
    for (const row of table.querySelectorAll("tbody tr")) {
      [...row.cells].forEach((cell, place) => {
        cell.setAttribute("role", "cell");
        cell.dataset.column = names[place] || "";
      });
    }
  }
  // A table that is wider than the page scrolls in a box that the keyboard reaches, too.
  for (const table of document.querySelectorAll(".bd-article table")) {
    const box = document.createElement("div");
    box.className = "scroll";
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "table");
    table.replaceWith(box);
    box.append(table);
  }
  for (const formula of document.querySelectorAll(".bd-article div.math, .bd-article math[display=block]")) formula.tabIndex = 0;
  // One button opens and closes all code of a notebook.
  const folded = [...document.querySelectorAll(".bd-article div.cell details.hide")];
  for (const one of folded) one.querySelector("summary").removeAttribute("aria-label"); // its text says more: which code, how long
  const before = document.querySelector(".bd-article p.get");
  if (folded.length && before) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "code-switch";
    const name = () => (button.textContent = folded.every((one) => one.open) ? "Fold all long code" : "Show all code");
    button.addEventListener("click", () => {
      const open = !folded.every((one) => one.open);
      for (const one of folded) one.open = open;
      name();
    });
    name();
    before.append(" ", button);
  }
});
