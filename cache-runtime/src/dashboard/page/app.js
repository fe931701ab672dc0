"use strict";
(() => {
  const base = location.pathname.replace(/\/?$/, "/");
  const $ = (id) => document.getElementById(id);
  const past = [];
  let counted = {};
  let before = null, latest = null, sort = { by: "calls", down: true }, changed = -1, earlier = [];

  const whole = new Intl.NumberFormat("en");
  const count = (n) => n < 1e5 ? whole.format(n) : new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(n);
  const share = (part, all) => all ? part / all : null;
  const percent = (x) => x === null ? "–" : (x * 100).toFixed(x > 0.9995 && x < 1 ? 2 : 1) + " %";
  const micros = (t) => t === null ? "–" : t < 1 ? (t * 1e3).toFixed(0) + " ns" : t < 1e3 ? t.toFixed(t < 10 ? 1 : 0) + " µs" : t < 1e6 ? (t / 1e3).toFixed(t < 1e4 ? 1 : 0) + " ms" : (t / 1e6).toFixed(1) + " s";
  const seconds = (t) => t === null ? "–" : t < 1 ? (t * 1e3).toFixed(0) + " ms" : t < 120 ? t.toFixed(t < 10 ? 1 : 0) + " s" : t < 3600 ? (t / 60).toFixed(0) + " min" : t < 172800 ? (t / 3600).toFixed(0) + " h" : (t / 86400).toFixed(0) + " d";
  const rate = (n) => n === null ? "–" : n < 10 ? n.toFixed(1) : count(Math.round(n));
  const bytes = (n) => n === null ? "–" : n < 1e3 ? n + " B" : n < 1e6 ? (n / 1e3).toFixed(1) + " kB" : n < 1e9 ? (n / 1e6).toFixed(1) + " MB" : (n / 1e9).toFixed(2) + " GB";
  const text = (element, value) => { if (element.textContent !== value) element.textContent = value; };
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const pill = (id, value, look) => { text($(id), value); $(id).className = "pill " + (look || ""); };

  async function ask(path, options) {
    const headers = { ...(options && options.headers) };
    const token = $("token").value;
    if (token) headers.authorization = "Bearer " + token;
    const answer = await fetch(base + "api/" + path, { ...options, headers, credentials: "same-origin", cache: "no-store" });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(answer.status + ": " + (body.error || answer.statusText));
    return body;
  }

  // Figures, each second.
  function show(frame) {
    before = latest; latest = frame;
    remember(frame);
    // A rate over the last ten seconds: one second alone is restless.
    earlier.push(frame);
    if (earlier.length > 11) earlier.shift();
    const first = earlier[0], span = (frame.at - first.at) / 1e3;
    const per = (now, then) => span > 0 ? Math.max(0, now - then) / span : null;
    pill("mode", "switched " + frame.mode + (frame.fleet ? "" : ", the whole fleet"), frame.mode === "on" ? "good" : "bad");
    pill("breaker", "breaker " + frame.breaker, frame.breaker === "closed" ? "good" : "bad");
    $("undelivered").hidden = !frame.undelivered;
    pill("undelivered", count(frame.undelivered) + " undelivered", "bad");
    text($("ratio"), percent(share(frame.spared, frame.calls)));
    text($("ratio-of"), "of " + count(frame.calls) + " calls" + (frame.stale ? ", " + count(frame.stale) + " stale on purpose" : ""));
    text($("saved"), count(frame.spared));
    text($("saved-time"), frame.saved === null ? "" : "about " + seconds(frame.saved) + " of waiting");
    text($("rate"), rate(per(frame.calls, first.calls)));
    text($("loads-rate"), rate(per(frame.loads, first.loads)) + " loads");
    text($("load-p99"), micros(frame.load_p99));
    text($("hit-p99"), "hit p50 " + micros(frame.hit_p50) + ", p99 " + micros(frame.hit_p99));
    text($("mismatches"), frame.verified + frame.mismatches ? count(frame.mismatches) : "–");
    $("mismatches").className = "figure" + (frame.mismatches ? " bad" : "");
    text($("verified"), frame.verified + frame.mismatches ? "of " + count(frame.verified + frame.mismatches) + " verified" : "nothing is verified");
    text($("errors"), count(frame.errors));
    $("errors").className = "figure" + (before && frame.errors > before.errors ? " bad" : "");
    text($("bypasses"), count(frame.bypasses) + " calls went past the cache");
    rows(frame, first, span);
    if (frame.changed !== changed) { changed = frame.changed; showChanges(); }
  }

  function rows(frame, first, span) {
    const all = frame.sites.filter((site) => site.effect === "cached").map((site) => {
      const then = first.sites.find((other) => other.place === site.place && other.function === site.function);
      return {
        ...site, template: site.templates.join(", "), ratio: share(site.spared, site.calls),
        entries: counted[site.templates[0]] ? counted[site.templates[0]].entries : null,
        memory: counted[site.templates[0]] ? counted[site.templates[0]].bytes : null,
        rate: then && span > 0 ? Math.max(0, site.calls - then.calls) / span : null,
      };
    });
    const value = (row) => row[sort.by];
    all.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return sort.down ? -order : order;
    });
    const body = $("table").tBodies[0];
    const wanted = all.map((row) => {
      const bar = make("i");
      bar.style.width = (row.ratio || 0) * 100 + "%";
      return make("tr", { "data-place": row.place },
        make("td", {}, make("code", {}, row.template), make("span", { class: "where" }, row.function.split("::").pop() + " · " + row.place)),
        make("td", {}, row.ttl === null ? "varies" : seconds(row.ttl)),
        make("td", {}, make("span", { class: "bar", "aria-hidden": "true" }, bar), percent(row.ratio)),
        make("td", {}, count(row.calls)), make("td", {}, rate(row.rate)),
        make("td", {}, micros(row.load_p50)), make("td", {}, micros(row.load_p99)), make("td", {}, seconds(row.saved)),
        make("td", {}, row.verified + row.mismatches ? count(row.mismatches) : "–"),
        make("td", {}, row.entries === null ? "–" : count(row.entries)), make("td", {}, bytes(row.memory)),
        make("td", {}, make("button", { type: "button", class: row.off ? "off" : "", "data-template": row.template, "data-on": row.off, "aria-label": (row.off ? "Switch on " : "Switch off ") + row.template }, row.off ? "is off" : "is on")));
    });
    // Whoever is on a button stays there.
    const at = document.activeElement && document.activeElement.dataset.template;
    body.replaceChildren(...wanted);
    if (at) for (const button of body.querySelectorAll("[data-template]")) if (button.dataset.template === at) button.focus();
  }

  for (const button of document.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => {
      const by = button.dataset.sort;
      sort = { by, down: sort.by === by ? !sort.down : by !== "template" };
      for (const head of document.querySelectorAll("#table th[aria-sort]")) {
        const its = head.firstElementChild.dataset.sort;
        head.setAttribute("aria-sort", its !== by ? "none" : sort.down ? "descending" : "ascending");
      }
      if (latest) rows(latest, earlier[0], (latest.at - earlier[0].at) / 1e3);
    });
  }

  // The chart.
  function remember(frame) {
    past.push(frame);
    if (past.length > 900) past.shift();
    draw();
  }
  function draw() {
    const width = 900, height = 170, top = 8, bottom = 20, points = [];
    for (let i = 1; i < past.length; i++) {
      const [then, now] = [past[i - 1], past[i]];
      const span = (now.at - then.at) / 1e3;
      // A gap: nobody looked.
      if (span <= 0 || span > 5) { points.push(null); continue; }
      const calls = Math.max(0, now.calls - then.calls);
      points.push({ at: now.at, calls: calls / span, loads: Math.max(0, now.loads - then.loads) / span, hit: share(Math.max(0, now.spared - then.spared), calls) });
    }
    const known = points.filter(Boolean);
    if (known.length < 2) return;
    const last = known[known.length - 1].at, start = Math.min(known[0].at, last - 6e4);
    const most = Math.max(1, ...known.map((point) => point.calls));
    const x = (at) => (at - start) / (last - start) * width;
    const y = (part) => top + (1 - part) * (height - top - bottom);
    const line = (of) => {
      let d = "", on = false;
      for (const point of points) {
        const part = point && of(point);
        if (part === null || part === undefined) { on = false; continue; }
        d += (on ? "L" : "M") + x(point.at).toFixed(1) + " " + y(part).toFixed(1);
        on = true;
      }
      return d;
    };
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const draw = (tag, attributes, label) => {
      const element = document.createElementNS(svg.namespaceURI, tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      if (label) element.textContent = label;
      svg.append(element);
    };
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("preserveAspectRatio", "none");
    for (const part of [0, 0.5, 1]) draw("line", { class: "grid", x1: 0, x2: width, y1: y(part), y2: y(part) });
    draw("path", { class: "calls", d: line((point) => point.calls / most) });
    draw("path", { class: "loads", d: line((point) => point.loads / most) });
    draw("path", { class: "hit", d: line((point) => point.hit) });
    $("chart").replaceChildren(svg, make("p", { class: "legend" }, rate(most) + " per second at the top, 100 % of the calls hit · the last " + seconds((last - start) / 1e3)));
  }

  // What is looked at now and then.
  async function showChanges() {
    const told = await ask("changes").catch(() => null);
    if (!told) return;
    text($("refused"), told.refused ? count(told.refused) + " refused so far." : "");
    const items = told.changes.map(({ change, text }) => make("li", {},
      make("span", { class: "soft" }, new Date(change.at * 1e3).toLocaleTimeString() + " "), text + (change.by ? ", by " + change.by : "")));
    $("changes").replaceChildren(...(items.length ? items : [make("li", { class: "soft" }, "nothing has changed since the start")]));
  }
  async function examine() {
    $("examine").disabled = true;
    try {
      const { checks } = await ask("doctor");
      $("health").replaceChildren(...checks.map((check) => make("li", {},
        make("span", { class: "verdict " + check.verdict }, check.verdict), make("strong", {}, check.what + " "), check.found,
        ...(check.advice ? [make("span", { class: "advice" }, "→ " + check.advice)] : []))));
    } catch (error) {
      $("health").replaceChildren(make("li", {}, String(error.message)));
    }
    $("examine").disabled = false;
  }
  async function map() {
    const told = await ask("audit").catch(() => null);
    if (!told) return;
    $("findings").replaceChildren(...told.findings.filter((finding) => finding.is_trouble).map((finding) => make("p", { class: "finding" }, finding.text)));
    const quiet = told.findings.filter((finding) => !finding.is_trouble);
    const all = told.findings.length - quiet.length;
    $("findings").append(make("p", { class: "soft" }, (all ? all + " to mend, " : "Nothing to mend, ") + quiet.length + " for information."));
    $("map").tBodies[0].replaceChildren(...told.uses.map((use) => make("tr", {}, make("td", {}, make("code", {}, use.key)), make("td", {}, use.function), make("td", {}, use.does))));
  }

  // Controls.
  const said = (words, look) => { $("outcome").textContent = words; $("outcome").className = look; };
  function sure(question) {
    $("question").textContent = question;
    const dialog = $("confirm");
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
  }
  async function act(action, question) {
    if (question && !await sure(question)) return said("nothing was done", "");
    try {
      const { done } = await ask("actions", {
        method: "POST", body: JSON.stringify(action), headers: { "content-type": "application/json", "x-cache-dashboard": "1" },
      });
      said(typeof done === "string" ? action.action.replaceAll("_", " ") + ": " + done : JSON.stringify(done), "good");
    } catch (error) {
      said("refused or failed. " + error.message, "bad");
    }
    showChanges();
  }
  const actions = {
    "switch-off": () => act({ action: "switch", on: false }, "Switch the cache of this process off? Every annotated function becomes the plain call; invalidations still reach the store."),
    "switch-on": () => act({ action: "switch", on: true }, "Switch the cache of this process on?"),
    "fleet-off": () => act({ action: "switch_fleet", on: false }, "Switch the cache off in every process of this namespace? Every annotated function becomes the plain call; invalidations still reach the store."),
    "fleet-on": () => act({ action: "switch_fleet", on: true }, "Switch the cache on in every process of this namespace?"),
    "epoch": () => act({ action: "advance_epoch" }, "Empty the namespace, for every process? The source will be asked for everything again."),
    "reveal": (what) => act({ action: "reveal", key: what }, "Show the value under " + what + "?"),
    "inspect": (what) => act({ action: "inspect", key: what }),
    "key": (what) => act({ action: "invalidate_key", key: what }, "Invalidate the key " + what + "?"),
    "tag": (what) => act({ action: "invalidate_tag", tag: what }, "Invalidate everything that has the tag " + what + "?"),
    "under": (what) => act({ action: "invalidate_under", prefix: what }, "Invalidate every key that begins with " + what.replace(/[:*]+$/, "") + ":?"),
  };
  for (const button of document.querySelectorAll("[data-action]")) {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      const what = $("what").value.trim();
      if (button.closest("#one") && !what) return $("what").focus();
      actions[button.dataset.action](what);
    });
  }
  $("table").tBodies[0].addEventListener("click", (event) => {
    const button = event.target.closest("[data-template]");
    if (!button) return;
    const { template } = button.dataset, on = button.dataset.on === "true";
    act({ action: "switch_template", template, on }, on ? "Switch " + template + " on in every process?" : "Switch " + template + " off in every process? Its functions become the plain call; invalidations still reach the store.");
  });
  async function takeCensus() {
    $("count").disabled = true;
    text($("census"), "counting …");
    try {
      const { done } = await ask("actions", {
        method: "POST", body: JSON.stringify({ action: "census" }), headers: { "content-type": "application/json", "x-cache-dashboard": "1" },
      });
      counted = Object.fromEntries(done.templates.map((of) => [of.template, of]));
      const more = [];
      if (done.tags.entries) more.push(count(done.tags.entries) + " of tags");
      if (done.unknown.entries) more.push(count(done.unknown.entries) + " of no template (" + done.unknown_beginnings.join(", ") + ")");
      if (done.of_older_epochs.entries) more.push(count(done.of_older_epochs.entries) + " of older epochs");
      text($("census"), (done.is_complete ? "All " + count(done.keys) + " keys counted" : "Estimated from " + count(done.looked_at) + " of " + count(done.keys) + " keys")
        + " in " + seconds(done.took_ms / 1e3) + (more.length ? ". Besides: " + more.join(", ") + "." : "."));
      if (latest) rows(latest, earlier[0], (latest.at - earlier[0].at) / 1e3);
    } catch (error) {
      text($("census"), "refused or failed. " + error.message);
      showChanges();
    }
    $("count").disabled = false;
  }
  $("count").addEventListener("click", takeCensus);
  $("authorization").addEventListener("submit", (event) => event.preventDefault());
  $("one").addEventListener("submit", (event) => event.preventDefault());
  $("examine").addEventListener("click", examine);
  $("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  async function begin() {
    const { past: known } = await ask("history").catch(() => ({ past: [] }));
    past.push(...known);
    draw();
    ask("snapshot").then(({ snapshot }) => text($("namespace"), snapshot.namespace.replace(/:$/, ""))).catch(() => {});
    showChanges(); examine(); map();
    const events = new EventSource(base + "api/events");
    events.addEventListener("open", () => pill("live", "live", "good"));
    events.addEventListener("error", () => pill("live", "connection lost, trying again", "warn"));
    events.addEventListener("message", (event) => show(JSON.parse(event.data)));
  }
  begin();
})();
