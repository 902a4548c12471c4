"use strict";

document.documentElement.classList.add("js");

document.addEventListener("DOMContentLoaded", () => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const findings = all("details.finding");
  const form = document.querySelector("form.filter");

  // Filter. What is chosen stands in the address, so that a filtered page can be passed on.

  const texts = new Map();
  const textOf = (finding) => {
    if (!texts.has(finding)) texts.set(finding, finding.textContent.toLowerCase());
    return texts.get(finding);
  };

  const chosen = () => {
    const values = new FormData(form);
    return {
      severities: values.getAll("severity"),
      service: values.get("service") || "",
      pass: values.get("pass") || "",
      text: (values.get("text") || "").trim(),
    };
  };

  const applyFilter = () => {
    const { severities, service, pass, text } = chosen();
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const finding of findings) {
      const { severity, service: itsService, pass: itsPass } = finding.dataset;
      const fits =
        (!severities.length || severities.includes(severity)) &&
        (!service || service === itsService) &&
        (!pass || pass === itsPass) &&
        words.every((word) => textOf(finding).includes(word));
      finding.hidden = !fits;
      shown += fits;
    }
    for (const group of all("div.severity")) {
      const left = all("details.finding:not([hidden])", group).length;
      group.hidden = !left;
      group.querySelector(".count").textContent = left.toLocaleString("en");
    }
    const total = `${findings.length.toLocaleString("en")} finding${findings.length === 1 ? "" : "s"}`;
    form.querySelector("output").textContent =
      shown === findings.length ? total : `${shown.toLocaleString("en")} of ${total}`;
    document.querySelector(".none-left").hidden = shown > 0;
    nameOpenAll();
  };

  const rememberFilter = () => {
    const { severities, service, pass, text } = chosen();
    const entries = [...severities.map((each) => ["severity", each]), ["service", service], ["pass", pass], ["text", text]];
    const kept = new URLSearchParams(entries.filter(([, value]) => value)).toString();
    if (kept || location.hash.includes("=")) history.replaceState(null, "", `#${kept}`);
  };

  const recallFilter = () => {
    const kept = new URLSearchParams(location.hash.slice(1));
    form.reset();
    for (const box of all("input[name=severity]", form)) box.checked = kept.getAll("severity").includes(box.value);
    for (const name of ["service", "pass", "text"]) {
      const field = form.elements.namedItem(name);
      if (field && kept.has(name)) field.value = kept.get(name);
    }
    applyFilter();
  };

  const openAll = document.querySelector(".open-all");
  const shownFindings = () => findings.filter((finding) => !finding.hidden);
  const nameOpenAll = () => {
    const shown = shownFindings();
    openAll.textContent = shown.length && shown.every((finding) => finding.open) ? "Close all" : "Open all";
  };

  // A link to a finding opens it, even where the filter hides it.

  const followLink = () => {
    if (location.hash.includes("=")) {
      if (form) recallFilter();
      return;
    }
    const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const finding = named && named.closest("details.finding");
    if (!finding) return;
    if (finding.hidden) {
      form.reset();
      applyFilter();
    }
    finding.open = true;
    finding.scrollIntoView();
    finding.querySelector("summary").focus({ preventScroll: true });
  };

  if (form) {
    form.hidden = false;
    form.addEventListener("input", applyFilter);
    form.addEventListener("change", rememberFilter);
    form.addEventListener("submit", (event) => event.preventDefault());
    openAll.addEventListener("click", () => {
      const open = openAll.textContent === "Open all";
      for (const finding of shownFindings()) finding.open = open;
      nameOpenAll();
    });
    document.getElementById("findings").addEventListener("toggle", nameOpenAll, true);
    applyFilter();
  }
  addEventListener("hashchange", followLink);
  followLink();

  // Copy.

  const copy = async (source) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(source.textContent);
    getSelection().selectAllChildren(source); // a page served over plain HTTP from another host has no clipboard
    if (!document.execCommand("copy")) throw new Error("refused");
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const source = button.parentElement.querySelector("code");
    try {
      await copy(source);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => (button.textContent = "Copy"), 1600);
  });

  // Sort: largest first, and the other way round when asked again. Equals stay as they stand.

  for (const heading of all("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const direction = heading.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      const sign = direction === "ascending" ? 1 : -1;
      const valueOf = (row) => Number.parseFloat(row.cells[heading.cellIndex].dataset.value);
      const body = heading.closest("table").tBodies[0];
      const rows = [...body.rows].sort((one, other) => {
        const [a, b] = [valueOf(one), valueOf(other)];
        return Number.isNaN(a) || Number.isNaN(b) ? Number.isNaN(a) - Number.isNaN(b) : sign * (a - b);
      });
      for (const other of all("th[aria-sort]", heading.parentElement)) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", direction);
      body.append(...rows);
    });
  }
});
