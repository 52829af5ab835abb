// A table that is wider than the page scrolls in a box that the keyboard reaches, too.
document.addEventListener("DOMContentLoaded", () => {
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
});
