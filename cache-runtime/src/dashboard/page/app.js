"use strict";
(() => {
  const base = location.pathname.replace(/\/?$/, "/");
  const $ = (id) => document.getElementById(id);
  // The x axis, in milliseconds.
  const LONGEST = 15 * 60e3;
  // Points of the chart, and the last frames: a rate over one second alone is restless.
  let past = [], earlier = [];
  // What the sites of a frame are, and the process that it is of.
  let told = null, from = null;
  let latest = null, counted = {}, sort = { by: "calls", down: true }, changed = -1;

  const whole = new Intl.NumberFormat("en");
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const count = (n) => n < 1e5 ? whole.format(n) : compact.format(n);
  const share = (part, all) => all ? part / all : null;
  const percent = (x) => x === null ? "–" : (x * 100).toFixed(x > 0.9995 && x < 1 ? 2 : 1) + " %";
  const scaled = (t) => t < 1 ? [(t * 1e3).toFixed(0), "ns"] : t < 1e3 ? [t.toFixed(t < 10 ? 1 : 0), "µs"] : t < 1e6 ? [(t / 1e3).toFixed(t < 1e4 ? 1 : 0), "ms"] : [(t / 1e6).toFixed(1), "s"];
  const micros = (t) => t === null ? "–" : scaled(t).join(" ");
  const pair = (a, b) => {
    if (a === null || b === null) return "–";
    const [low, high] = [scaled(a), scaled(b)];
    return (low[1] === high[1] ? low[0] : low.join(" ")) + " / " + high.join(" ");
  };
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  // Two units of it, and nothing rounded up.
  const seconds = (t) => {
    if (t === null) return "–";
    if (t < 1) return (t * 1e3).toFixed(0) + " ms";
    if (t < 10 && !Number.isInteger(t)) return t.toFixed(1) + " s";
    const at = units.findIndex(([, size]) => t >= size);
    const [unit, size] = units[at], [next, part] = units[at + 1] || ["", Infinity];
    const rest = Math.floor(t % size / part);
    return Math.floor(t / size) + " " + unit + (rest ? " " + rest + " " + next : "");
  };
  const rate = (n) => n === null ? "–" : n < 10 ? n.toFixed(1) : count(Math.round(n));
  const bytes = (n) => n === null ? "–" : n < 1e3 ? n + " B" : n < 1e6 ? (n / 1e3).toFixed(1) + " kB" : n < 1e9 ? (n / 1e6).toFixed(1) + " MB" : (n / 1e9).toFixed(2) + " GB";
  const clock = (time) => time.toLocaleTimeString();
  const when = (time) => (time.toDateString() === new Date().toDateString() ? "" : time.toLocaleDateString(undefined, { dateStyle: "medium" }) + ", ") + clock(time);

  // What has not changed is left as it is: whoever reads it, has marked it or stands on it stays there.
  const text = (element, value) => { if (element.textContent !== value) element.textContent = value; };
  const put = (element, name, value) => { if (element.getAttribute(name) !== value) element.setAttribute(name, value); };
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const listed = {};
  const list = (id, items, makeOne) => {
    const now = JSON.stringify(items);
    if (listed[id] === now) return;
    listed[id] = now;
    $(id).replaceChildren(...items.map(makeOne));
  };
  const pill = (id, value, look) => { text($(id), value); put($(id), "class", "pill " + (look || "")); };

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
    const before = latest;
    latest = frame;
    if (!from || frame.process.id !== from.id) begin(frame.process);
    else if (before && (before.breaker !== frame.breaker || before.mode !== frame.mode || before.changed !== frame.changed)) examineSoon();
    remember(frame);
    const per = (now, then) => span() > 0 ? Math.max(0, now - then) / span() : null;
    const { minute } = frame;
    pill("mode", "switched " + frame.mode + (frame.fleet ? "" : ", the whole fleet"), frame.mode === "on" ? "good" : "bad");
    pill("breaker", "breaker " + frame.breaker, frame.breaker === "closed" ? "good" : "bad");
    $("undelivered").hidden = !frame.undelivered;
    pill("undelivered", count(frame.undelivered) + " undelivered", "bad");
    for (const of of document.querySelectorAll("[data-of=minute]")) text(of, minute.of >= 55 ? "last minute" : "last " + Math.max(1, Math.round(minute.of)) + " s");
    text($("ratio"), percent(share(minute.spared, minute.calls)));
    text($("ratio-all"), percent(share(frame.spared, frame.calls)));
    text($("calls"), count(frame.calls));
    text($("stale"), frame.stale ? ", " + count(frame.stale) + " stale on purpose" : "");
    text($("load-p99"), micros(minute.load_p99));
    text($("load-p99-all"), micros(frame.load_p99));
    text($("hit-p99"), micros(frame.hit_p99));
    text($("rate"), rate(per(frame.calls, earlier[0].calls)));
    text($("loads-rate"), rate(per(frame.loads, earlier[0].loads)));
    text($("saved"), count(frame.spared));
    text($("saved-time"), frame.saved === null ? "" : "about " + seconds(frame.saved) + " of waiting");
    text($("mismatches"), frame.verified + frame.mismatches ? count(frame.mismatches) : "–");
    put($("mismatches"), "class", "figure" + (frame.mismatches ? " bad" : ""));
    text($("verified"), frame.verified + frame.mismatches ? "of " + count(frame.verified + frame.mismatches) + " verified" : "nothing is verified");
    text($("errors"), count(frame.errors));
    put($("errors"), "class", "figure" + (frame.errors > earlier[0].errors ? " bad" : ""));
    text($("bypasses"), count(frame.bypasses) + " calls went past the cache");
    rows();
    if (frame.changed !== changed) { changed = frame.changed; showChanges(); }
  }

  // Behind a balancer, another process may answer than before: its counters are its own.
  function begin(process) {
    const isAnother = from !== null;
    from = process;
    past = []; earlier = []; changed = -1;
    text($("process"), "· process " + process.pid);
    $("process").title = "of those that answer here, the one with the id " + process.id;
    ask("history").then((known) => {
      if (known.process.id !== from.id) return;
      const first = past.length ? past[0].at : Infinity;
      past = [...known.past.filter((point) => point.at < first).map(point), ...past];
      draw();
    }).catch(() => {});
    ask("snapshot").then(({ snapshot }) => text($("namespace"), snapshot.namespace)).catch(() => {});
    if (isAnother) { examine(); map(); }
  }

  // Rows that stay where they are: a press may last longer than a frame.
  let isPressed = false;
  $("table").addEventListener("pointerdown", () => { isPressed = true; });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { isPressed = false; });
  // Released where nothing tells of it.
  addEventListener("pointermove", (event) => { if (!event.buttons) isPressed = false; });
  function fill(table, all, makeRow, update) {
    const body = table.tBodies[0];
    const known = new Map([...body.rows].map((row) => [row.dataset.site, row]));
    const wanted = all.map((of) => {
      const row = known.get(of.site) || makeRow(of);
      known.delete(of.site);
      update(row, of);
      return row;
    });
    for (const row of known.values()) row.remove();
    if (isPressed && wanted.length === body.rows.length) return;
    const stood = document.activeElement;
    wanted.forEach((row, at) => { if (body.rows[at] !== row) body.insertBefore(row, body.rows[at] || null); });
    if (stood !== document.activeElement && body.contains(stood)) stood.focus({ preventScroll: true });
  }
  const row = (of, ...cells) => make("tr", { role: "row", "data-site": of.site, "data-place": of.place }, ...cells);
  const cell = (label, ...children) => make("td", label ? { role: "cell", "data-label": label } : { role: "cell" }, ...children);
  const named = (of) => cell("", make("code", {}, of.template), make("span", { class: "where" }, of.function.split("::").pop() + " · " + of.place));

  const columns = [
    ["TTL", (of) => of.ttl === null ? "varies" : seconds(of.ttl)],
    ["Hits", (of) => percent(of.ratio)],
    ["Calls", (of) => count(of.calls)],
    ["Calls/s", (of) => rate(of.rate)],
    ["Load p50 / p99", (of) => pair(of.load_p50, of.load_p99)],
    ["Time saved", (of) => seconds(of.saved)],
    ["Stale", (of) => of.verified + of.mismatches ? count(of.mismatches) : "–"],
    ["Entries", (of) => of.entries === null ? "–" : count(of.entries)],
    ["Memory", (of) => bytes(of.memory)],
  ];
  const makeSite = (of) => row(of, named(of),
    ...columns.map(([label]) => label === "Hits" ? cell(label, make("span", { class: "bar", "aria-hidden": "true" }, make("i")), make("span")) : cell(label, make("span"))),
    cell("", make("button", { type: "button", "data-template": of.template }), " ",
      ...(of.reach ? [make("button", { type: "button", class: "danger", "data-empty": of.template, "aria-label": "Empty " + of.template }, "Empty")] : [])));
  function updateSite(row, of) {
    columns.forEach(([, shown], at) => text(row.cells[at + 1].lastElementChild, shown(of)));
    const width = ((of.ratio || 0) * 100).toFixed(1) + "%", bar = row.querySelector(".bar i");
    if (bar.style.width !== width) bar.style.width = width;
    const button = row.querySelector("[data-template]"), is = of.off ? "is off" : "is on";
    text(button, is);
    put(button, "class", of.off ? "off" : "");
    put(button, "data-on", String(of.off));
    put(button, "aria-label", is + ": switch " + of.template + (of.off ? " on" : " off"));
  }
  const makeWriter = (of) => row(of, named(of), cell("What it does", of.effect === "invalidates" ? "invalidates" : "writes through"), cell("Delivered", ""), cell("Queued", ""));
  function updateWriter(row, of) {
    text(row.cells[2], count(of.invalidations));
    text(row.cells[3], count(of.queued));
  }

  const span = () => earlier.length ? (latest.at - earlier[0].at) / 1e3 : 0;
  function rows() {
    if (!latest || !told || told.sites.length !== latest.sites.length) return;
    const all = told.sites.map((site, at) => {
      const now = latest.sites[at], then = earlier[0] && earlier[0].sites.length === told.sites.length && earlier[0].sites[at];
      const found = counted[site.templates[0]];
      return {
        ...site, ...now, site: site.function + " " + site.place, template: site.templates.join(", "), ratio: share(now.spared, now.calls),
        entries: found ? found.entries : null, memory: found ? found.bytes : null,
        rate: then && span() > 0 ? Math.max(0, now.calls - then.calls) / span() : null,
      };
    });
    const cached = all.filter((of) => of.effect === "cached");
    cached.sort((a, b) => {
      const [x, y] = [a[sort.by], b[sort.by]];
      if (x === null || y === null) return (x === null) - (y === null);
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return sort.down ? -order : order;
    });
    fill($("table"), cached, makeSite, updateSite);
    const writers = all.filter((of) => of.effect !== "cached").map((of) => ({ ...of, template: [...of.templates, ...of.tags].join(", ") }));
    $("writing").hidden = !writers.length;
    fill($("writers"), writers, makeWriter, updateWriter);
    $("no-sites").hidden = cached.length > 0;
    text($("no-sites"), told.is_global ? "No function of this program is annotated with #[cached]."
      : "No function that is annotated with #[cached] has used this cache yet, which is not the global one (cache = …). Direct calls are in the totals.");
    put($("table").parentElement, "class", cached.length ? "scroll" : "unseen");
  }

  for (const button of document.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => {
      const by = button.dataset.sort;
      sort = { by, down: sort.by === by ? !sort.down : by !== "template" };
      for (const head of document.querySelectorAll("#table th[aria-sort]")) {
        const its = head.firstElementChild.dataset.sort;
        head.setAttribute("aria-sort", its !== by ? "none" : sort.down ? "descending" : "ascending");
      }
      rows();
    });
  }

  // The chart.
  const point = ({ at, calls, loads, spared }) => ({ at, calls, loads, spared });
  function remember(frame) {
    const isRecent = (longest) => ({ at }) => frame.at - at <= longest;
    past.push(point(frame));
    past = past.filter(isRecent(LONGEST));
    earlier.push(frame);
    earlier = earlier.filter(isRecent(10.5e3)).slice(-11);
    if (!document.hidden) draw();
  }
  // The top of an axis: few digits, and zeros.
  const round = (most) => {
    const zeros = 10 ** Math.floor(Math.log10(most));
    return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((digit) => digit * zeros >= most) * zeros;
  };
  function draw() {
    const width = 900, height = 150, points = [];
    for (let i = 1; i < past.length; i++) {
      const [then, now] = [past[i - 1], past[i]];
      const span = (now.at - then.at) / 1e3;
      // A gap: nobody looked.
      if (span <= 0 || span > 5) { points.push(null); continue; }
      const calls = Math.max(0, now.calls - then.calls);
      points.push({ at: now.at, calls: calls / span, loads: Math.max(0, now.loads - then.loads) / span, hit: share(Math.max(0, now.spared - then.spared), calls) });
    }
    const known = points.filter(Boolean);
    if (known.length < 2) return $("chart").replaceChildren();
    const last = known[known.length - 1].at, start = Math.max(last - LONGEST, Math.min(known[0].at, last - 6e4));
    const most = round(Math.max(1, ...known.map((point) => point.calls)));
    const x = (at) => ((at - start) / (last - start) * width).toFixed(1);
    const y = (part) => ((1 - part) * height).toFixed(1);
    const runs = (of) => {
      const all = [];
      let run = [];
      for (const point of [...points, null]) {
        const part = point && of(point);
        if (part !== null) run.push([x(point.at), y(part)]);
        else if (run.length) { all.push(run); run = []; }
      }
      return all;
    };
    const line = (of) => runs(of).map((run) => "M" + run.map((at) => at.join(" ")).join("L")).join("");
    const area = (of) => runs(of).map((run) => `M${run[0][0]} ${height}L${run.map((at) => at.join(" ")).join("L")}L${run[run.length - 1][0]} ${height}Z`).join("");
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const draw = (tag, attributes) => {
      const element = document.createElementNS(svg.namespaceURI, tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      svg.append(element);
    };
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("preserveAspectRatio", "none");
    for (const part of [0, 0.5, 1]) draw("line", { class: "grid", x1: 0, x2: width, y1: y(part), y2: y(part) });
    const calls = (point) => point.calls / most;
    draw("path", { class: "area", d: area(calls) });
    draw("path", { class: "calls", d: line(calls) });
    draw("path", { class: "loads", d: line((point) => point.loads / most) });
    draw("path", { class: "hit", d: line((point) => point.hit) });
    const axis = (...labels) => make("div", { class: "axis" }, ...labels.map((label) => make("span", {}, label)));
    $("chart").replaceChildren(axis(rate(most) + "/s", rate(most / 2) + "/s", "0"), svg, axis("100 %", "50 %", "0 %"),
      make("div", { class: "times" }, make("span", {}, seconds(Math.round((last - start) / 1e3)) + " ago"), make("span", {}, "now")));
  }

  // What is looked at now and then.
  const failed = (error) => "cannot be read. " + error.message;
  async function showChanges() {
    try {
      const { changes, refused } = await ask("changes");
      text($("refused"), refused ? count(refused) + " refused so far." : "");
      const items = changes.map(({ change, text }) => [when(new Date(change.at * 1e3)), text + (change.by ? ", by " + change.by : "")]);
      list("changes", items.length ? items : [["", "nothing has changed since the start"]],
        ([time, what]) => make("li", time ? {} : { class: "soft" }, make("span", { class: "soft" }, time + " "), make("span", {}, what)));
    } catch (error) {
      list("changes", [failed(error)], (why) => make("li", {}, why));
    }
  }
  let examined = 0, isExamining = false, soon = null;
  // What was found within a second is told again: a look at what has just changed comes after that.
  function examineSoon() {
    clearTimeout(soon);
    soon = setTimeout(examine, 1200);
  }
  async function examine() {
    if (isExamining) return examineSoon();
    isExamining = true;
    examined = Date.now();
    put($("examine"), "aria-busy", "true");
    try {
      const { checks } = await ask("doctor");
      list("health", checks, (check) => make("li", {},
        make("span", { class: "verdict " + check.verdict }, check.verdict + " "), make("span", {}, make("strong", {}, check.what + " "), check.found,
          ...(check.advice ? [make("span", { class: "advice" }, "→ " + check.advice)] : []))));
      text($("looked"), "at " + clock(new Date()));
    } catch (error) {
      list("health", [failed(error)], (why) => make("li", {}, why));
    }
    put($("examine"), "aria-busy", "false");
    isExamining = false;
  }
  const examineIfDue = () => { if (!document.hidden && from && Date.now() - examined >= 30e3) examine(); };
  setInterval(examineIfDue, 5e3);
  document.addEventListener("visibilitychange", examineIfDue);
  async function map() {
    try {
      const { findings, uses } = await ask("audit");
      const finding = ({ text }) => make("p", { class: "finding" }, text);
      const trouble = findings.filter((finding) => finding.is_trouble), quiet = findings.filter((finding) => !finding.is_trouble);
      $("findings").replaceChildren(...trouble.map(finding), make("p", { class: "soft" }, trouble.length ? count(trouble.length) + " to mend." : "Nothing to mend."),
        ...(quiet.length ? [make("details", {}, make("summary", {}, count(quiet.length) + " for information"), ...quiet.map(finding))] : []));
      $("map").tBodies[0].replaceChildren(...uses.map((use) => make("tr", { role: "row" },
        cell("", make("code", {}, use.key)), cell("", use.function), cell("", use.does))));
    } catch (error) {
      $("findings").replaceChildren(make("p", {}, failed(error)));
    }
  }

  // Controls.
  const said = (words, look, ...more) => $("outcome").replaceChildren(make("p", { class: look }, words), ...more);
  function sure(question) {
    $("question").textContent = question;
    const dialog = $("confirm");
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
  }
  const send = (action) => ask("actions", {
    method: "POST", body: JSON.stringify(action), headers: { "content-type": "application/json", "x-cache-dashboard": "1" },
  });
  async function act(action, question, show) {
    if (question && !await sure(question)) return said("nothing was done", "");
    try {
      const { done, why } = await send(action);
      const name = action.action.replaceAll("_", " ");
      if (show) show(done);
      else if (done === "queued") said(name + ": queued. " + why, "warn");
      else said(name + ": " + done, "good");
    } catch (error) {
      said("refused or failed. " + error.message, "bad");
    }
    showChanges();
  }
  const states = {
    empty: "nothing", value: "a value", lease: "no value; it is being loaded (a lease)", fence: "no value; a mutation of it is under way, or was cut off (a fence)",
  };
  const codecs = { 1: "MessagePack", 2: "JSON" };
  const found = (key) => ({ slot, template, age_at_most_ms: age, ttl_left_ms: left, bytes: size, tags, label, undelivered }) => {
    const facts = [
      ["In the store", states[slot] || slot],
      ["Template", template || "none of this program"],
      ["Age", age === null ? null : "at most " + seconds(age / 1e3)],
      ["Lives on for", left === null ? null : seconds(left / 1e3)],
      ["Size", size === null ? null : bytes(size)],
      ["Tags", tags.length ? tags.join(", ") + (slot === "value" ? " (a value stays here when its tag is invalidated; no call takes it then)" : "") : null],
      ["Type", label && label.value_type],
      ["Version", label && String(label.version)],
      ["Codec", label && (codecs[label.codec] || "number " + label.codec)],
      ["Undelivered", undelivered ? "an invalidation of it waits in this process, which reads past the cache until then" : null],
    ];
    const known = facts.filter(([, fact]) => fact !== null);
    said("", "", make("code", {}, key), make("dl", {}, ...known.flatMap(([what, fact]) => [make("dt", {}, what), make("dd", {}, fact)])));
  };
  const revealed = (key) => ({ value, why }) => value === null ? said(why, "") : said("", "", make("code", {}, key), make("pre", { tabindex: "0" }, value));
  const on = () => act({ action: "switch", on: true, process: from && from.id }, latest && latest.mode === "detached"
    ? "Switch the cache of this process on? It is detached: what was changed meanwhile left no trace in the store, so the namespace is emptied (the epoch moves), for every process."
    : "Switch the cache of this process on?");
  const actions = {
    "switch-off": () => act({ action: "switch", on: false, process: from && from.id }, "Switch the cache of this process off? Every annotated function becomes the plain call; invalidations still reach the store."),
    "switch-on": on,
    "fleet-off": () => act({ action: "switch_fleet", on: false }, "Switch the cache off in every process of this namespace? Every annotated function becomes the plain call; invalidations still reach the store."),
    "fleet-on": () => act({ action: "switch_fleet", on: true }, "Switch the cache on in every process of this namespace?"),
    "epoch": () => act({ action: "advance_epoch" }, "Empty the namespace, for every process? The source will be asked for everything again."),
    "reveal": (what) => act({ action: "reveal", key: what }, "Show the value under " + what + "? That you look is on record.", revealed(what)),
    "inspect": (what) => act({ action: "inspect", key: what }, null, found(what)),
    "key": (what) => act({ action: "invalidate_key", key: what }, "Invalidate the key " + what + "?"),
    "tag": (what) => act({ action: "invalidate_tag", tag: what }, "Invalidate everything that has the tag " + what + "?"),
    "under": (what) => act({ action: "invalidate_under", prefix: what }, "Invalidate every key that begins with " + what.replace(/\*$/, "").replace(/:$/, "") + ":?"),
  };
  for (const button of document.querySelectorAll("[data-action]")) {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      // Other white space may be part of a key.
      const what = $("what").value.replace(/^ +| +$/g, "");
      if (button.closest("#one") && !what) return $("what").focus();
      actions[button.dataset.action](what);
    });
  }
  $("table").tBodies[0].addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { template, empty } = button.dataset;
    if (empty) {
      const { reach } = told.sites.find((site) => site.effect === "cached" && site.templates.includes(empty));
      return act({ action: "invalidate_template", template: empty }, reach.key
        ? "Invalidate the key " + reach.key + ", in every process?"
        : "Invalidate every key that begins with " + reach.under + ", in every process? Those of other templates that begin so are among them.");
    }
    const on = button.dataset.on === "true";
    act({ action: "switch_template", template, on }, on ? "Switch " + template + " on in every process?" : "Switch " + template + " off in every process? Its functions become the plain call; invalidations still reach the store.");
  });
  let isCounting = false;
  async function takeCensus() {
    if (isCounting) return;
    isCounting = true;
    put($("count"), "aria-busy", "true");
    text($("census"), "counting …");
    try {
      const { done } = await send({ action: "census" });
      counted = Object.fromEntries(done.templates.map((of) => [of.template, of]));
      const more = [];
      if (done.tags.entries) more.push(count(done.tags.entries) + " of tags");
      if (done.unknown.entries) more.push(count(done.unknown.entries) + " of no template (" + done.unknown_beginnings.join(", ") + ")");
      if (done.of_older_epochs.entries) more.push(count(done.of_older_epochs.entries) + " of older epochs");
      text($("census"), (done.is_complete ? "All " + count(done.keys) + " keys counted" : "Estimated from " + count(done.looked_at) + " of " + count(done.keys) + " keys")
        + " at " + clock(new Date()) + ", in " + seconds(done.took_ms / 1e3) + (more.length ? ". Besides: " + more.join(", ") + "." : "."));
      rows();
    } catch (error) {
      text($("census"), "refused or failed. " + error.message);
      showChanges();
    }
    put($("count"), "aria-busy", "false");
    isCounting = false;
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

  // The stream of frames. Each ends after some seconds, and the browser asks for the next: that is no loss.
  let stream = null, tries = 0, isLost = false, losing = null, silence = null;
  function follow() {
    stream = new EventSource(base + "api/events");
    stream.addEventListener("sites", (event) => { told = JSON.parse(event.data); });
    stream.addEventListener("message", (event) => { arrived(); show(JSON.parse(event.data)); });
    stream.addEventListener("error", broken);
  }
  function arrived() {
    tries = 0; isLost = false;
    clearTimeout(losing); losing = null;
    clearTimeout(silence);
    // A connection that nobody has ended, and over which nothing comes.
    silence = setTimeout(() => { stream.close(); broken(); }, 15e3);
    pill("live", "live", "good");
    $("trouble").hidden = true;
  }
  function broken() {
    losing = losing || setTimeout(() => { isLost = true; lost(); }, 3e3);
    // After an answer that is no stream, such as a 502 during a deploy, the browser gives up. This does not. Nor does it ask a service
    // that is gone five times a second.
    if (stream.readyState !== EventSource.CLOSED && !isLost) return;
    stream.close();
    clearTimeout(silence);
    setTimeout(follow, Math.min(10e3, 500 * 2 ** tries++));
    if (isLost) lost();
  }
  async function lost() {
    pill("live", "connection lost, trying again", "warn");
    let why = null;
    try {
      const answer = await fetch(base + "api/events", { credentials: "same-origin", cache: "no-store" });
      if (answer.ok) return answer.body.cancel();
      const { error } = await answer.json().catch(() => ({}));
      why = answer.status + ": " + (error || answer.statusText);
    } catch {
      why = "the service does not answer";
    }
    // It may have come back meanwhile.
    if (isLost) { $("trouble").hidden = false; text($("trouble"), why); }
  }
  showChanges(); examine(); map();
  follow();
})();
