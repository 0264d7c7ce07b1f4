// The page: one stream, one model, one picture a frame.

import { render } from "./vendor/preact-11.2.0/preact.mjs";
import { BboChart, DepthChart } from "./charts.js";
import { Model, decimals } from "./model.js";
import { Crossed, Explain, Ladder, Latency, Orders, Timeline, Venues, Verdict, html, hue } from "./panels.js";
import { Stream } from "./stream.js";

const CHART_MS = 400;
const RECALL_MS = 5 * 60_000;
const UNKNOWN = 2; // of a refusal: what was asked may have been done
const SIGN_IN = 16; // it was asked for without a token
const LIKED = { instrument: "ETH-BTC", size: 1, fee: 10, hz: 10, theme: "auto", palette: "green" }; // kept by the browser
const element = (id) => document.getElementById(id);
const path = encodeURIComponent;
const named = () => decodeURIComponent(location.hash.slice(1));

const view = {
  ...LIKED,
  merged: false,
  step: 0,
  hidden: new Set(),
  paused: false,
  found: [],
  told: null, // why venues are in or out
  asking: false,
  needsToken: false,
  orders: null, // of the engine, where there is one
  noOrders: "",
  detail: null, // of one order
  answer: "",
};
for (const name in LIKED) {
  const kept = localStorage.getItem(`dragonfly.${name}`) ?? LIKED[name];
  view[name] = typeof LIKED[name] === "number" ? Number(kept) : kept;
}
const model = new Model();
model.fee = view.fee;
let asked = 0;
let searched = 0;
let explained = "";
let drawn = false;
let bboChart = null;
let depthChart = null;
let chartsAt = 0;
let places = 2; // of prices, as last seen

const stream = new Stream({
  onState(message) {
    if (message.channel === "book") {
      model.takeBook(message, Date.now());
      if (model.book) explainChanges();
    } else if (message.channel === "executable") model.takePrice(message);
    else if (message.channel === "orders") [view.orders] = message.data;
    draw();
  },
  onRefusal(key, answer) {
    if (key === "orders") Object.assign(view, { orders: null, noOrders: answer.code === SIGN_IN ? answer.error : "" });
    else if (answer.code === SIGN_IN) view.needsToken = true;
    else if (key === "book") Object.assign(model, { refusal: answer.error, book: null });
    draw();
  },
  onLink(linked, linkReason) {
    if (model.linked === linked && model.linkReason === linkReason) return;
    Object.assign(model, { linked, linkReason });
    if (linked) recall();
    draw();
  },
});

const of = {
  place: (name) => model.names.indexOf(name),
  set(change) {
    Object.assign(view, change);
    draw();
  },
  toggle(name) {
    if (!view.hidden.delete(name)) view.hidden.add(name);
    draw();
  },
  /** Set what is kept for the next time. */
  like(name, value) {
    view[name] = value;
    localStorage.setItem(`dragonfly.${name}`, value);
    dress();
    subscribe();
  },
  size(text) {
    if (!(Number(text) > 0)) return;
    model.prices = {};
    of.like("size", Number(text));
  },
  fee(text) {
    model.fee = Math.max(0, Number(text) || 0);
    of.like("fee", model.fee);
  },
  signIn: () => of.set({ needsToken: true }),
  async detail(order) {
    const known = view.detail?.order.order_id === order.order_id;
    of.set({ detail: known ? null : { order, children: [], fills: [] } });
    if (known) return;
    const detail = await ask(`v1/orders/${path(order.order_id)}`);
    of.set(detail.error ? { answer: detail.error } : { detail });
  },
  async order(form) {
    const { limit, minutes, ...rest } = Object.fromEntries(new FormData(form));
    const { side, quantity, algorithm } = rest;
    const ticket = { ...rest, client_id: `page-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`, instrument: model.instrument };
    const sweeps = algorithm === "sweep";
    if (limit) ticket.limit = limit;
    if (!sweeps) ticket.end_ns = `${BigInt(Date.now() + Math.round(minutes * 60_000)) * 1_000_000n}`;
    await command(`${side} ${quantity} of ${model.instrument} ${limit ? `at ${limit} or better` : "without a limit"}, ${sweeps ? "now" : `within ${minutes} minutes`}`, "v1/orders", ticket);
  },
  cancel: (order) => command(`Cancel the order to ${order.side} ${order.quantity} of ${order.instrument}`, `v1/orders/${path(order.order_id)}/cancel`, null),
  kill: () => command("Cancel all orders of every customer, and take none until somebody runs `dragonfly kill --release`", "v1/kill", { reason: "the kill button of the page" }),
  async explain(venue) {
    const number = ++asked;
    of.set({ asking: true });
    const told = await ask(`v1/explain/${path(model.instrument)}${venue ? `?venue=${path(venue)}` : ""}`);
    model.takeReasons(told.venues ?? []);
    if (number === asked) of.set({ told, asking: false });
    if (venue) element("t-explain").scrollIntoView({ block: "nearest" });
  },
};

/** Have something done that a person confirmed; what may have been done can be sent again as it stands. */
async function command(what, where, body) {
  let question = `${what}, ${view.orders.engine?.paper ? "on paper" : "WITH REAL MONEY"}?`;
  let answer;
  do {
    if (!confirm(question)) return;
    answer = await ask(where, body);
    question = `${answer.error} Send the same again?`;
  } while (answer.code === UNKNOWN);
  if (answer.engine) view.orders.engine = answer; // of a kill
  of.set({ answer: answer.error ?? "Done." });
}

/** Ask again why venues are in or out when any state changed. */
function explainChanges() {
  const states = model.book.venues.map((feed) => feed.venue + feed.state).join();
  if (states === explained || view.paused) return;
  explained = states;
  of.explain("");
}

/** Ask over REST; with a body, or null for an empty one, have something done. */
async function ask(where, body) {
  try {
    const headers = stream.token ? { authorization: `Bearer ${stream.token}` } : {};
    const more = body === undefined ? {} : { method: "POST", body: body && JSON.stringify(body) };
    return await (await fetch(where, { headers, ...more })).json();
  } catch {
    return { error: "The web gateway is not reached.", code: UNKNOWN };
  }
}

/** Have it said what was before this page saw anything; asked for now and then, it goes on being kept. */
async function recall() {
  if (document.hidden || view.paused) return;
  const told = await ask(`v1/history/${path(model.instrument)}`);
  if (!told.error) model.takeHistory(told, Date.now());
  draw();
}

function subscribe() {
  const { instrument } = model;
  stream.want("book", { channel: "book", instrument, max_hz: view.hz });
  for (const side of ["buy", "sell"]) stream.want(side, { channel: "executable", instrument, side, sizes: [view.size], max_hz: 2 });
  stream.want("orders", { channel: "orders" });
}

function choose(instrument) {
  Object.assign(view, { found: [], step: 0, hidden: new Set(), told: null });
  model.reset(instrument);
  explained = "";
  if (named() !== instrument) location.hash = path(instrument);
  document.title = `${instrument} · DragonflyBot`;
  of.like("instrument", instrument);
  if (model.linked) recall();
}

async function search(text) {
  const number = ++searched;
  const { instruments: found = [] } = text ? await ask(`v1/instruments?limit=8&search=${path(text)}`) : {};
  if (number === searched) of.set({ found });
  return found[0]?.instrument ?? text;
}

function Search() {
  const go = async (event) => {
    event.preventDefault();
    const input = element("search");
    // What is found so far may be of fewer letters.
    const best = await search(input.value.trim().toUpperCase());
    input.value = "";
    input.blur();
    if (best) choose(best);
  };
  const typed = async ({ target, inputType }) => {
    const found = await search(target.value.trim());
    if (inputType !== "insertText" && found === target.value) target.form?.requestSubmit(); // it was picked
  };
  const venues = (one) => (one.venues.length > 4 ? `${one.venues.length} venues` : one.venues.join(" "));
  return html`<form class="search" role="search" onSubmit=${go}>
    <input id="search" list="found" autocomplete="off" spellcheck="false" placeholder="Search instruments ( / )" aria-label="Search instruments" onInput=${typed} onKeyDown=${(event) => event.key === "Escape" && event.target.blur()} />
    <datalist id="found">${view.found.map((one) => html`<option value=${one.instrument}>${venues(one)}</option>`)}</datalist>
  </form>`;
}

const Choice = ({ name, label, children }) => html`<label><span class="hidden">${label}</span><select value=${view[name]} onChange=${({ target }) => of.like(name, typeof LIKED[name] === "number" ? Number(target.value) : target.value)}>${children}</select></label>`;

const Head = () => html`<header class="top">
  <span class="brand"><img src="icon.svg" width="26" height="26" alt="" /> DragonflyBot</span>
  <h1>${model.instrument}</h1>
  <${Search} />
  <div class="tools">
    <button aria-pressed=${view.paused} onClick=${pause} title="Pause or go on (space)">${view.paused ? "go on" : "pause"}</button>
    <${Choice} name="hz" label="Updates a second">${[1, 2, 5, 10, 20].map((hz) => html`<option value=${hz}>${hz} a second</option>`)}<//>
    <${Choice} name="palette" label="Colours of bids and asks"><option value="green">green / red</option><option value="blue">blue / orange</option><//>
    <${Choice} name="theme" label="Theme"><option value="auto">system</option><option value="dark">dark</option><option value="light">light</option><//>
    <button onClick=${() => element("help").showModal()} title="Keys (?)" aria-label="Help">?</button>
  </div>
</header>`;

const Help = () => html`<dialog id="help" aria-labelledby="t-help"><h2 id="t-help">Keys</h2>
  <dl><dt>/</dt><dd>search an instrument</dd><dt>space</dt><dd>pause, or go on</dd><dt>m</dt><dd>ladder by level, or merged</dd><dt>1 – 9</dt><dd>show or hide a venue</dd><dt>?</dt><dd>this help</dd></dl>
  <form method="dialog"><button>close</button></form></dialog>`;

const SignIn = () => html`<form class="sign-in" onSubmit=${(event) => { event.preventDefault(); stream.signIn(new FormData(event.target).get("token")); of.set({ needsToken: false }); }}>
  <label>This gateway asks for a token <input name="token" type="password" autocomplete="off" required /></label> <button>sign in</button></form>`;

function App() {
  const all = { model, view, of, now: Date.now() };
  return html`
    <${Head} />
    <main>
      ${view.needsToken && html`<${SignIn} />`}
      <${Verdict} ...${all} />
      <p class="spoken" role="status" aria-live="polite">${view.paused ? "Paused: nothing is sent to this page." : model.spoken}</p>
      <div class="grid">
        <${Ladder} ...${all} />
        <${Venues} ...${all} />
        <section class="panel p-bbo" aria-labelledby="t-bbo"><header><h2 id="t-bbo">Best prices and spread, last 5 minutes</h2><span class="key"><i class="bid"></i>bid <i class="ask"></i>ask <i class="spread"></i>spread <i class="crossed"></i>crossed</span></header><div id="bbo" role="img" aria-label="Best bid and ask and the spread between them over the last five minutes; the verdict has the present figures"></div></section>
        <section class="panel p-depth" aria-labelledby="t-depth"><header><h2 id="t-depth">Depth</h2><span class="key"><i class="total"></i>all <i class="each"></i>each venue</span></header><div id="depth" role="img" aria-label="Amount on offer up to each price, of all venues and of each; the ladder has the figures"></div></section>
        <${Explain} ...${all} />
        <${Latency} ...${all} />
        <${Crossed} ...${all} />
        <${Timeline} ...${all} />
        <${Orders} ...${all} signed=${stream.token !== ""} />
      </div>
    </main>
    <${Help} />`;
}

function draw() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    render(html`<${App} />`, element("app"));
    const now = performance.now();
    if (now - chartsAt < CHART_MS) return;
    chartsAt = now;
    charts();
  });
}

function charts() {
  bboChart ??= new BboChart(element("bbo"), model);
  depthChart ??= new DepthChart(element("depth"));
  const book = model.linked && model.book ? model.book : { bids: [], asks: [], mid: null };
  if (book.bids.length + book.asks.length) places = decimals(book);
  bboChart.update(places);
  const shown = model.names.filter((name) => !view.hidden.has(name));
  depthChart.update(book, shown, shown.map((name) => hue(of.place(name))), places);
}

function pause() {
  view.paused = !view.paused;
  stream.setPaused(view.paused);
  recall();
  draw();
}

const light = matchMedia("(prefers-color-scheme: light)");

function dress() {
  const { theme, palette } = view;
  Object.assign(document.documentElement.dataset, { theme: theme !== "auto" ? theme : light.matches ? "light" : "dark", palette });
  chartsAt = 0;
  draw();
}

const KEYS = {
  "/": () => element("search").focus(),
  " ": pause,
  m: () => of.set({ merged: !view.merged }),
  "?": () => element("help").showModal(),
};
document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches?.("input, select, textarea, dialog *")) return;
  if (key === " " && target.matches?.("button, summary, a")) return;
  const venue = /^[1-9]$/.test(key) && model.names[key - 1];
  const act = venue ? () => of.toggle(venue) : KEYS[key];
  if (!act) return;
  act();
  event.preventDefault();
});
window.addEventListener("hashchange", () => named() && named() !== model.instrument && choose(named()));
light.addEventListener("change", dress);
document.addEventListener("visibilitychange", recall);
setInterval(recall, RECALL_MS);
setInterval(() => document.hidden || view.paused || draw(), 1000);

window.dragonfly = { model, stream, view }; // for who looks at it from the console
choose(named() || view.instrument);
