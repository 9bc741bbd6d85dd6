
"use strict";

// Whatever comes from a scan is put in as text (textContent), never as HTML.
const data = JSON.parse(document.getElementById("data").textContent);
const cases = data.cases;
const byName = new Map(cases.map((entry) => [entry.case, entry]));
const find = (id) => document.getElementById(id);
const VERDICTS = ["normal", "reduced", "uncertain", "not readable"];
const STORE = `DaTscanAI verdicts ${location.pathname}`;

function element(name, text = "", classes = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  if (classes) made.className = classes;
  return made;
}

const fixed = (value, digits) => (value === null ? "" : value.toFixed(digits));
const signed = (value) => (value === null ? "" : (value > 0 ? "+" : "") + value.toFixed(1));
const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

// --- verdicts ---------------------------------------------------------------------------------------------

let verdicts = new Map();
let keeps = true;

function readVerdicts() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE) || "{}");
    verdicts = new Map(Object.entries(kept));
  } catch {
    keeps = false;
  }
}

function writeVerdicts() {
  try {
    localStorage.setItem(STORE, JSON.stringify(Object.fromEntries(verdicts)));
    keeps = true;
  } catch {
    keeps = false;
  }
  tellWhetherKept();
}

function tellWhetherKept() {
  find("notice").hidden = keeps;
  find("notice").textContent = keeps ? "" : "This browser keeps no verdicts: export them before you close the page.";
}

const verdictOf = (entry) => verdicts.get(entry.case) || { verdict: "", comment: "" };

// A verdict is about the result that was shown: where that has changed since, it says so.
const isStale = (entry) => verdicts.has(entry.case) && verdictOf(entry).stamp !== entry.stamp;

function setVerdict(entry, changes) {
  const verdict = { ...verdictOf(entry), ...changes };
  if ("verdict" in changes) {
    verdict.stamp = entry.stamp;
    verdict.answer_hidden = isBlind();
  }
  if (!("stamp" in verdict)) verdict.stamp = entry.stamp;
  if (verdict.verdict || verdict.comment) verdicts.set(entry.case, verdict);
  else verdicts.delete(entry.case);
  writeVerdicts();
  showVerdict(entry);
  if ("verdict" in changes) find("said").textContent = `${entry.case}: ${verdict.verdict || "no verdict"}`;
}

function verdictTable() {
  const columns = ["case", "verdict", "comment", "answer_hidden", "result_changed_since", "answer", "probability_reduced"];
  const rows = cases.filter((entry) => verdicts.has(entry.case)).map((entry) => {
    const given = verdictOf(entry);
    const hidden = given.verdict ? String(Boolean(given.answer_hidden)) : "";
    const probability = entry.probability === null ? "" : entry.probability;
    return [entry.case, given.verdict, given.comment, hidden, isStale(entry), entry.answer, probability];
  });
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

// A text that begins like a formula would be run as one by spreadsheet programs.
function cell(value) {
  const text = String(value).replace(/[\u0000-\u001f\u007f]/g, " ");
  const safe = /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function exportVerdicts() {
  const file = new Blob(["\ufeff", verdictTable()], { type: "text/csv" });
  const link = element("a");
  link.href = URL.createObjectURL(file);
  link.download = "verdicts.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  find("said").textContent = count(verdicts.size, "verdict exported", "verdicts exported");
}

// --- the table --------------------------------------------------------------------------------------------

// name, heading, what it sorts by, classes, width
const COLUMNS = [
  ["case", "Case", (entry) => entry.case, "case", "15%"],
  ["answer", "Answer", (entry) => entry.answer, "col-answer", "114px"],
  ["probability", "Probability of reduced", (entry) => entry.probability, "number col-percent", "98px"],
  ["putamen-right", "SBR putamen right", (entry) => entry.sbr[0], "number", "78px"],
  ["putamen-left", "SBR putamen left", (entry) => entry.sbr[1], "number", "78px"],
  ["caudate-right", "SBR caudate right", (entry) => entry.sbr[2], "number col-caudate", "78px"],
  ["caudate-left", "SBR caudate left", (entry) => entry.sbr[3], "number col-caudate", "78px"],
  ["z", "Lower putamen z", (entry) => entry.z, "number", "78px"],
  ["quality", "Registration quality", (entry) => entry.quality, "number", "104px"],
  ["remarks", "Failures and warnings", remarkOrder, "col-remarks", ""],
  ["verdict", "Your verdict", (entry) => verdictOf(entry).verdict || null, "verdict", "136px"],
].filter(([name]) => name !== "z" || cases.some((entry) => entry.z !== null));

const collator = new Intl.Collator("en", { numeric: true });
const rowOf = new Map();
let sorted = { column: null, down: false };
let shown = cases;

// Failures first, then the most warnings; null goes last.
function remarkOrder(entry) {
  if (entry.error) return -1e6;
  return entry.warnings.length ? -entry.warnings.length : null;
}

function compare(first, second) {
  if (first === null || second === null) return 0;
  return typeof first === "string" ? collator.compare(first, second) : first - second;
}

function inOrder(entries) {
  if (!sorted.column) return entries;
  const value = COLUMNS.find(([name]) => name === sorted.column)[2];
  const keyed = entries.map((entry, place) => ({ entry, place, key: value(entry) }));
  // What is not available stands last, whichever way the rest is sorted.
  const missing = (one) => (one.key === null || one.key === "" ? 1 : 0);
  keyed.sort((a, b) => missing(a) - missing(b)
    || (missing(a) ? 0 : compare(a.key, b.key) * (sorted.down ? -1 : 1)) || a.place - b.place);
  return keyed.map((one) => one.entry);
}

function makeHeadings() {
  const pictures = element("th");
  pictures.scope = "col";
  pictures.style.width = "76px";
  pictures.append(element("span", "Slice of the scan", "unseen"));
  find("columns").append(pictures);
  for (const [name, heading, , classes, width] of COLUMNS) {
    const head = element("th", "", classes);
    head.scope = "col";
    head.dataset.column = name;
    if (width) head.style.width = width;
    const button = element("button", heading);
    button.type = "button";
    button.addEventListener("click", () => sortBy(name));
    head.append(button);
    find("columns").append(head);
  }
}

function sortBy(name) {
  sorted = { column: name, down: sorted.column === name && !sorted.down };
  for (const head of find("columns").children) {
    if (head.dataset.column === name) head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  update();
}

function makeRow(entry) {
  const row = element("tr");
  row.append(thumbnail(entry));
  for (const [name, , value, classes] of COLUMNS) {
    const place = element("td", "", classes);
    fill[name] ? fill[name](place, entry) : (place.textContent = fixed(value(entry), 2));
    row.append(place);
  }
  return row;
}

function thumbnail(entry) {
  const place = element("td", "", "thumbnail");
  if (entry.files.includes("thumbnail.png")) {
    const image = element("img");
    image.loading = "lazy";
    image.decoding = "async";
    image.alt = "";
    image.width = 60;
    image.height = 72;
    image.src = entry.folder + "thumbnail.png";
    place.append(image);
  }
  return place;
}

const fill = {
  case(place, entry) {
    const link = element("a", entry.case);
    link.href = addressOf(entry);
    place.append(link);
  },
  answer(place, entry) {
    place.append(element("span", capital(entry.answer), `chip ${entry.answer}`));
  },
  probability(place, entry) {
    place.textContent = entry.percent;
  },
  z(place, entry) {
    place.textContent = signed(entry.z);
  },
  quality(place, entry) {
    place.textContent = fixed(entry.quality, 2);
    if (entry.accepted === false) {
      place.append(element("div", "not accepted", "not-accepted"));
    }
  },
  remarks(place, entry) {
    if (entry.error) place.append(element("div", entry.error, "error"));
    if (!entry.error && entry.warnings.length) {
      const warning = element("div", "", "warning");
      if (entry.warnings.length > 1) warning.append(element("span", `${entry.warnings.length} warnings: `, "count"));
      warning.append(entry.warnings.join(" "));
      warning.title = entry.warnings.join("\n");
      place.append(warning);
    }
  },
  verdict(place, entry) {
    const choice = element("select");
    choice.setAttribute("aria-label", `Your verdict on ${entry.case}`);
    for (const verdict of ["", ...VERDICTS]) {
      const option = element("option", verdict || "–");
      option.value = verdict;
      choice.append(option);
    }
    choice.addEventListener("change", () => setVerdict(entry, { verdict: choice.value }));
    place.append(choice, element("div", "", "stale"));
  },
};

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function showVerdict(entry) {
  const row = rowOf.get(entry.case);
  if (row) {
    row.querySelector("select").value = verdictOf(entry).verdict;
    row.querySelector(".stale").textContent = isStale(entry) ? "result changed since" : "";
  }
  if (current === entry) showOwnVerdict(entry);
}

function fits(entry) {
  const words = find("search").value.trim().toLowerCase().split(/\s+/);
  const answer = find("by-answer").value;
  const texts = [entry.case, entry.error, ...(isBlind() ? [] : entry.warnings)].join(" ").toLowerCase();
  const given = verdictOf(entry).verdict;
  const states = {
    warnings: entry.warnings.length > 0,
    open: !given,
    given: Boolean(given),
    differs: Boolean(given) && given !== entry.answer,
  };
  const state = find("by-state").value;
  return words.every((word) => texts.includes(word)) && (isBlind() || !answer || entry.answer === answer)
    && (!state || states[state]);
}

// What fits on a screen at once, the rest while the browser has nothing else to do.
const AT_ONCE = 60;
const later = (work) => (window.requestIdleCallback ? requestIdleCallback(work, { timeout: 200 }) : setTimeout(work, 30));
let inTable = 0;

function addRows(until) {
  const rows = document.createDocumentFragment();
  for (; inTable < Math.min(until, shown.length); inTable += 1) rows.append(rowFor(shown[inTable]));
  find("rows").append(rows);
}

function addTheRest(of) {
  if (of !== shown || inTable >= shown.length) return;
  addRows(inTable + AT_ONCE);
  later(() => addTheRest(of));
}

function rowFor(entry) {
  if (!rowOf.has(entry.case)) {
    rowOf.set(entry.case, makeRow(entry));
    showVerdict(entry);
  }
  return rowOf.get(entry.case);
}

function update() {
  shown = inOrder(cases.filter(fits));
  find("rows").replaceChildren();
  inTable = 0;
  addRows(AT_ONCE);
  const of = shown;
  later(() => addTheRest(of));
  find("empty").hidden = shown.length > 0;
  find("summary").textContent = summary();
}

function summary() {
  const left = data.total > cases.length
    ? ` The last ${cases.length.toLocaleString("en")} of ${count(data.total, "case", "cases")}; results.csv has all.` : "";
  const column = COLUMNS.find(([name]) => name === sorted.column);
  const order = column ? `, sorted by ${column[1]}, ${sorted.down ? "descending" : "ascending"}` : "";
  return `${shown.length.toLocaleString("en")} of ${count(cases.length, "case", "cases")} shown${order}.${left}`;
}

function makeCounts() {
  find("heading").textContent = count(data.total, "scan", "scans");
  const among = (test) => cases.filter(test).length;
  const parts = [
    ...["reduced", "normal", "uncertain"].map((answer) => [among((entry) => entry.answer === answer), answer, "model"]),
    [among((entry) => entry.answer === "failed"), "failed", ""],
    [among((entry) => entry.warnings.length > 0), "with warnings", ""],
  ];
  for (const [number, words, classes] of parts) {
    const part = element("li", "", classes);
    part.append(element("b", number.toLocaleString("en")), ` ${words}`);
    find("counts").append(part);
  }
}

// --- without the model's answers --------------------------------------------------------------------------

const BLIND = `DaTscanAI answers hidden ${location.pathname}`;
const isBlind = () => find("blind").checked;

// As it was when the page was left: a reader who has to reload sees no answer in between.
function rememberBlind() {
  try {
    localStorage.setItem(BLIND, String(isBlind()));
  } catch {
    keeps = false;
  }
}

function recallBlind() {
  try {
    find("blind").checked = localStorage.getItem(BLIND) === "true";
  } catch {
    find("blind").checked = false;
  }
  document.body.classList.toggle("blind", isBlind());
}

function hideAnswers() {
  document.body.classList.toggle("blind", isBlind());
  rememberBlind();
  if (isBlind()) {
    find("by-answer").value = "";
    if (find("by-state").value === "differs") find("by-state").value = "";
    if (["answer", "probability", "remarks"].includes(sorted.column)) sorted = { column: null, down: false };
  }
  for (const head of find("columns").children) {
    if (head.dataset.column !== sorted.column) head.removeAttribute("aria-sort");
  }
  update();
}

// --- one case ---------------------------------------------------------------------------------------------

let current = null;
let returnTo = { scroll: 0, name: null };
const addressOf = (entry) => `#case=${encodeURIComponent(entry.case.toWellFormed ? entry.case.toWellFormed() : entry.case)}`;

function route() {
  const given = /^#case=(.*)$/s.exec(location.hash);
  let name = null;
  try {
    name = given && decodeURIComponent(given[1]);
  } catch {
    name = null;
  }
  const entry = name === null ? undefined : byName.get(name);
  entry ? showCase(entry) : showList();
}

function showList() {
  const before = current;
  current = null;
  find("case").hidden = true;
  find("list").hidden = false;
  document.title = "DaTscanAI results";
  if (!before) return;
  update();
  addRows(Math.max(shown.indexOf(before), shown.indexOf(byName.get(returnTo.name))) + AT_ONCE);
  scrollTo(0, returnTo.scroll);
  const row = rowFor(before);
  if (row.isConnected) row.querySelector("a").focus({ preventScroll: returnTo.name === before.case });
}

function showCase(entry) {
  if (!current) returnTo = { scroll: scrollY, name: entry.case };
  current = entry;
  find("list").hidden = true;
  find("case").hidden = false;
  document.title = `${entry.case} – DaTscanAI results`;
  find("name").textContent = entry.case;
  find("series").textContent = entry.series ? `Scan: ${entry.series}` : "";
  showText("failure", entry.error);
  showText("alarm", entry.alarm);
  showAnswer(entry);
  showSteps(entry);
  showOwnVerdict(entry);
  showPictures(entry);
  showNumbers(entry);
  showLists(entry);
  scrollTo(0, 0);
  find("name").focus({ preventScroll: true });
}

function showText(id, text) {
  find(id).hidden = !text;
  find(id).textContent = text;
}

function showAnswer(entry) {
  find("answer-box").hidden = entry.texts.length === 0;
  find("answer").textContent = capital(entry.answer);
  find("answer").className = `chip large ${entry.answer}`;
  find("percent").textContent = entry.percent && `Probability of reduced uptake: ${entry.percent}`;
  find("texts").replaceChildren(...entry.texts.map((text) => element("p", text)));
}

function neighbour(step) {
  const place = shown.indexOf(current);
  return place < 0 ? undefined : shown[place + step];
}

function showSteps() {
  for (const [id, step] of [["previous", -1], ["next", 1]]) {
    const other = neighbour(step);
    if (other) find(id).href = addressOf(other);
    else find(id).removeAttribute("href");
  }
  const place = shown.indexOf(current);
  find("position").textContent = place < 0 ? "" : `${(place + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")}`;
}

function showOwnVerdict(entry) {
  const given = verdictOf(entry);
  for (const button of find("choices").children) {
    button.setAttribute("aria-pressed", String(button.textContent === given.verdict));
  }
  if (document.activeElement !== find("comment")) find("comment").value = given.comment || "";
  find("stale").textContent = isStale(entry)
    ? "This verdict was given on an earlier result of this case: look again, and choose again." : "";
}

function makeChoices() {
  for (const verdict of VERDICTS) {
    const button = element("button", verdict);
    button.type = "button";
    button.addEventListener("click", () => {
      setVerdict(current, { verdict: verdictOf(current).verdict === verdict ? "" : verdict });
    });
    find("choices").append(button);
  }
  find("comment").addEventListener("input", () => setVerdict(current, { comment: find("comment").value }));
}

function layer(source, classes, words = "") {
  const image = element("img", "", classes);
  image.alt = words;
  image.src = source;
  image.draggable = false;
  return image;
}

function showPictures(entry) {
  const has = (name) => entry.files.includes(name);
  const shared = data.pictures;
  const letters = () => entry.sides_known ? [layer(shared.letters, "letters")] : [];
  const orientation = entry.sides_known ? data.orientation.known : data.orientation.unknown;
  find("slices-section").hidden = !has("slices.png");
  find("map-section").hidden = !has("map.png");
  find("graph-section").hidden = !has("normals.png");
  find("slices").replaceChildren();
  find("map").replaceChildren();
  if (has("slices.png")) {
    const words = `Slices of the scan ${entry.case} in MNI space`;
    find("slices").append(layer(entry.folder + "slices.png", "scan", words), layer(shared.template, "template"),
      layer(shared.outlines, "outlines"), ...letters());
    find("slices-caption").textContent = "In multiples of the reference region, by the bar. The template is the mean "
      + `normal scan to which scans are registered; ${data.outline_legend}. ${orientation}`;
  }
  if (has("map.png")) {
    const words = `Relevance of ${entry.case} over the MRI template`;
    find("map").append(layer(shared.mri, "mri"), layer(entry.folder + "map.png", "relevance", words),
      layer(shared.outlines, "outlines"), ...letters());
    find("map-caption").textContent = `${entry.reference}. Relative to the map's maximum; nothing is painted below `
      + `${data.threshold_percent} % of it. ${orientation}`;
  }
  if (has("normals.png")) find("graph").src = entry.folder + "normals.png";
  else find("graph").removeAttribute("src");
  showLayers();
}

function showLayers() {
  const classes = {
    "no-outlines": !find("show-outlines").checked,
    "template-shown": find("show-template").checked,
    "on-hover": find("hover").checked,
    flickers: find("flicker").getAttribute("aria-pressed") === "true",
  };
  for (const [name, on] of Object.entries(classes)) find("slices").classList.toggle(name, on);
  find("map").classList.toggle("no-map", !find("show-map").checked);
  find("map").classList.toggle("no-outlines", !find("map-outlines").checked);
  find("shown-now").textContent = classes.flickers ? "Scan and template in turn"
    : classes["template-shown"] ? "The template" : "";
}

function showNumbers(entry) {
  find("numbers-section").hidden = entry.tables.length === 0;
  find("numbers").replaceChildren(...entry.tables.map(numberTable));
  find("notes").replaceChildren(...entry.notes.map((note) => element("li", note)));
}

function numberTable({ title, headings, rows, by_model: byModel }) {
  const [part, table] = [element("div", "", byModel ? "model" : ""), element("table")];
  const head = element("tr");
  for (const text of headings) {
    const place = element(text ? "th" : "td", text);
    if (text) place.scope = "col";
    head.append(place);
  }
  const body = element("tbody");
  for (const [name, ...texts] of rows) {
    const row = element("tr");
    const first = element("th", name);
    first.scope = "row";
    row.append(first, ...texts.map((text) => element("td", text)));
    body.append(row);
  }
  const top = element("thead");
  top.append(head);
  table.append(top, body);
  part.append(element("h3", title), table);
  return part;
}

const FILES = [["report.pdf", "Report (PDF)"], ["overview.png", "Overview (picture)"], ["result.json", "All results (JSON)"]];

function showLists(entry) {
  find("warnings-section").hidden = entry.warnings.length === 0;
  find("warnings").replaceChildren(...entry.warnings.map((text) => element("li", text)));
  const files = FILES.filter(([name]) => entry.files.includes(name));
  find("files-section").hidden = files.length === 0;
  find("files").replaceChildren(...files.map(([name, words]) => {
    const link = element("a", words);
    link.href = entry.folder + name;
    link.target = "_blank";
    link.rel = "noopener";
    const line = element("li");
    line.append(link);
    return line;
  }));
}

// --- keys -------------------------------------------------------------------------------------------------

const press = (id) => find(id).click();
const goTo = (entry) => entry && (location.hash = addressOf(entry));
const CASE_KEYS = {
  ArrowLeft: () => goTo(neighbour(-1)),
  ArrowRight: () => goTo(neighbour(1)),
  Escape: () => (location.hash = ""),
  t: () => press("show-template"),
  f: () => press("flicker"),
  o: () => press("show-outlines"),
  m: () => press("show-map"),
  0: () => setVerdict(current, { verdict: "" }),
  ...Object.fromEntries(VERDICTS.map((verdict, index) => [index + 1, () => setVerdict(current, { verdict })])),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const writes = event.target.matches("input:not([type=checkbox]), select, textarea");
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (current) {
    if (writes && key === "Escape") event.target.blur();
    else if (!writes && CASE_KEYS[key]) {
      event.preventDefault();
      CASE_KEYS[key]();
    }
    return;
  }
  if (writes) return;
  if (key === "/") {
    event.preventDefault();
    find("search").focus();
  }
  if (key === "ArrowDown" || key === "ArrowUp") step(event, key === "ArrowDown" ? 1 : -1);
}

// From the link of one case to the next one's.
function step(event, by) {
  const links = [...find("rows").querySelectorAll("td.case a")];
  const place = links.indexOf(document.activeElement);
  if (place < 0 || !links[place + by]) return;
  event.preventDefault();
  links[place + by].focus();
}

// --- begin ------------------------------------------------------------------------------------------------

function begin() {
  history.scrollRestoration = "manual";
  recallBlind();
  readVerdicts();
  tellWhetherKept();
  for (const id of ["slices", "map"]) find(id).style.aspectRatio = data.shape.join(" / ");
  find("statement").textContent = data.research_statement;
  find("foot").textContent = data.research_statement;
  find("relevance-bar").style.backgroundImage = `linear-gradient(90deg, ${data.relevance_colors.join(", ")})`;
  makeCounts();
  makeHeadings();
  makeChoices();
  update();
  listen();
  route();
}

function listen() {
  find("tools").addEventListener("submit", (event) => event.preventDefault());
  find("search").addEventListener("input", update);
  for (const id of ["by-answer", "by-state"]) find(id).addEventListener("change", update);
  find("blind").addEventListener("change", hideAnswers);
  find("export").addEventListener("click", exportVerdicts);
  find("clear").addEventListener("click", () => {
    find("tools").reset();
    hideAnswers();
  });
  for (const id of ["show-outlines", "show-template", "hover", "show-map", "map-outlines"]) {
    find(id).addEventListener("change", showLayers);
  }
  find("flicker").addEventListener("click", () => {
    find("flicker").setAttribute("aria-pressed", String(find("flicker").getAttribute("aria-pressed") !== "true"));
    showLayers();
  });
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", route);
  addEventListener("storage", (event) => {
    if (event.key !== STORE) return;
    readVerdicts();
    for (const entry of cases) showVerdict(entry);
  });
}

begin();
