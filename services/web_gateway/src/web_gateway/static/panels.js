// What is seen: each panel is a function of what the page knows.

import { h } from "./vendor/preact-11.2.0/preact.mjs";
import htm from "./vendor/htm-3.1.1/htm.mjs";
import { TIMELINE_MS, decimals, ladder, quantile, sentence, steps } from "./model.js";

export const html = htm.bind(h);

const MARKS = { LIVE: "●", SYNCING: "◌", STALE: "◐", DOWN: "✕", HALTED: "‖", UNKNOWN: "–", LOST: "?" };
const HOPS = {
  listener: "venue's bytes read, to the bus",
  aggregator: "merged and encoded",
  gateway: "relayed, once the web gateway takes it: 20 times a second at most",
  web: "over gRPC to the web gateway",
  page: "over the WebSocket to this page",
};

/** The colour of a venue: sixteen, of which neighbours are far apart, and the first neither green nor red. */
export const hue = (place) => (250 + 202.5 * place) % 360;
const amount = (value) => (value >= 1e7 ? value.toExponential(3) : value.toFixed(value < 1000 ? 4 : 1));
const percent = (share) => (share === undefined ? "–" : `${(100 * share).toFixed(share < 1 ? 1 : 0)} %`);
const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
const stamp = (ns) => new Date(ns / 1e6).toLocaleString("en-GB");

function lasting(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 120) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
  return s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}

const unseen = (text) => html`<span class="hidden">${text}</span>`;
const swatch = (name, of, style) => html`<i class=${`swatch w${of.place(name) % 4}`} style=${{ "--hue": hue(of.place(name)), ...style }} aria-hidden="true"></i>`;
const venue = (name, of) => html`<span class="venue">${swatch(name, of)}${name}</span>`;
const state = (name) => html`<span class="state">${MARKS[name] ?? "?"} ${name}</span>`;

const Panel = ({ title, id, children, tools }) => html`
  <section class=${`panel p-${id}`} aria-labelledby=${`t-${id}`}>
    <header><h2 id=${`t-${id}`}>${title}</h2>${tools}</header>
    ${children}
  </section>`;

/** A table with `heads`, each [text, class, title]. */
const Table = ({ heads, caption, kind = "rows", children }) => html`<table class=${kind}>
  ${caption && html`<caption class="hidden">${caption}</caption>`}
  <thead><tr>${heads.map(([text, of, title]) => html`<th scope="col" class=${of} title=${title}>${text}</th>`)}</tr></thead>
  <tbody>${children}</tbody>
</table>`;

/** One that scrolls by itself where it is long. */
const Log = ({ label, ...table }) => html`<div class="scroll log" tabindex="0" role="region" aria-label=${label}><${Table} ...${table} /></div>`;

export function Verdict({ model, now }) {
  const { book } = model;
  const trust = model.trust();
  const places = book ? decimals(book) : 2;
  const holds = model.linked && book && !book.lost;
  const mid = model.linked && book?.mid;
  const listed = book?.venues.filter((feed) => feed.state !== "UNKNOWN") ?? [];
  const live = holds ? listed.filter((feed) => feed.state === "LIVE") : [];
  const age = live.length ? lasting(Math.min(...live.map((feed) => feed.age_ns / 1e6)) + now - model.bookAt) : "–";
  const best = (side, label, level) => html`
    <div class=${`best ${side}`}>
      <span class="label">${label}</span>
      <output class="price">${level ? level.price.toFixed(places) : "none"}</output>
      <span class="label">${level ? `${amount(level.amount)} at ${level.venue}` : "no live venue has one"}</span>
    </div>`;
  return html`
    <section class=${`verdict ${trust.word}`} aria-label="Verdict">
      ${best("bid", "▲ best bid", model.linked && book?.bids[0])}
      <div class="between">
        <span class="label">spread</span>
        <output class="spread">${mid ? book.spread.toFixed(places) : "–"}</output>
        <span class="label">${mid ? `${((book.spread / mid) * 10_000).toFixed(2)} bp · mid ${mid.toFixed(places + 1)}` : ""}</span>
      </div>
      ${best("ask", "▼ best ask", model.linked && book?.asks[0])}
      <div class="facts">
        <span><b>${live.length}</b>/${listed.length}<small> venues live</small></span>
        <span><b>${age}</b><small> since the newest change</small></span>
      </div>
      <div class="trust">
        <strong>${{ good: "✓ good", degraded: "! degraded", none: "✕ none" }[trust.word]}</strong>
        <span>${trust.reason}</span>
      </div>
    </section>`;
}

export function Ladder({ model, view, of }) {
  const { book } = model;
  const count = model.names.length > 8 ? 15 : 10;
  const places = book ? decimals(book) : 2;
  const [bids, asks] = ["bid", "ask"].map((side) => ladder(model.linked && book ? book[`${side}s`] : [], side, view).slice(0, count));
  const most = Math.max(bids.at(-1)?.total ?? 0, asks.at(-1)?.total ?? 0, 1e-12);
  const gap = bids[0] && asks[0] ? asks[0].price - bids[0].price : null;
  const blank = (rows) => Array.from({ length: count - rows.length }, () => html`<tr class="blank"><td colspan="4"> </td></tr>`);
  const row = (side) => ({ shares, ...one }) => html`<tr class=${side}>
    <td class="who">${shares.length === 1 ? venue(shares[0].venue, of) : html`
      <span class="shares" title=${shares.map((share) => `${share.venue} ${amount(share.amount)}`).join(", ")}>${shares.map((share) => swatch(share.venue, of, { flexGrow: share.amount }))}</span>
      <span class="names">${shares.map((share) => share.venue).join(" ")}</span>`}</td>
    <td class="n">${amount(one.amount)}</td>
    <td class="n total">${amount(one.total)}</td>
    <th scope="row" class="n price">${one.price.toFixed(places)}<i class="bar" aria-hidden="true" style=${{ width: `${(100 * one.total) / most}%` }}></i></th>
  </tr>`;
  const levels = (merged, text) => html`<button aria-pressed=${view.merged === merged} onClick=${() => of.set({ merged })}>${text}</button>`;
  return html`<${Panel} title="Ladder" id="ladder" tools=${html`
      <span class="tools">
        <span class="tools" role="group" aria-label="Levels">${levels(false, "by level")}${levels(true, "merged")}</span>
        <label>step <select value=${view.step} onChange=${(event) => of.set({ step: Number(event.target.value) })}>
          <option value="0">finest</option>
          ${steps(book?.mid, 10 ** -places).map((step) => html`<option value=${step}>${step < 1 ? step.toFixed(-Math.floor(Math.log10(step))) : step}</option>`)}
        </select></label>
      </span>`}>
    <div class="chips" role="group" aria-label="Venues shown">
      ${model.names.map((name, place) => html`<button class="chip" aria-pressed=${!view.hidden.has(name)} title=${`Show or hide ${name} (${place + 1})`} onClick=${() => of.toggle(name)}>${venue(name, of)}</button>`)}
    </div>
    <${Table} kind="ladder" caption="Asks above, bids below, best prices in the middle" heads=${[["venue"], ["amount", "n"], ["sum", "n total"], ["price", "n"]]}>
      ${blank(asks)}
      ${[...asks].reverse().map(row("ask"))}
      <tr class=${`mid ${gap < 0 ? "is-crossed" : ""}`}><td colspan="4">${gap === null ? "no price on one side or both" : html`${gap < 0 ? "crossed by " : "spread "}<b>${Math.abs(gap).toFixed(places)}</b> · mid <b>${((bids[0].price + asks[0].price) / 2).toFixed(places + 1)}</b>`}</td></tr>
      ${bids.map(row("bid"))}
      ${blank(bids)}
    <//>
    <${Executable} model=${model} view=${view} of=${of} places=${places} />
  <//>`;
}

function Executable({ model, view, of, places }) {
  const [base, quote] = model.instrument.split("-");
  const told = (side) => {
    const one = model.linked && model.prices[side]?.live && model.prices[side].prices[0];
    return html`<div class=${`told ${side}`}><span class="label">${side} ${view.size} ${base}</span><span>${one?.net_avg ? html`
      <b>${one.net_avg.toFixed(places + 1)}</b> ${one.cost_bps === null ? "" : `${one.cost_bps.toFixed(1)} bp from mid`}${one.complete ? "" : html` <em>only ${amount(one.filled)} on offer</em>`}<br />
      <small>${one.parts.map((part) => `${part.venue} ${Math.round((100 * part.amount) / one.filled)} %`).join(" · ")}</small>` : "–"}</span></div>`;
  };
  const fees = model.prices.buy?.fee_source ?? "NONE";
  return html`<div class="executable">
    <label>size <input type="number" min="0" step="any" inputmode="decimal" value=${view.size} onInput=${(event) => of.size(event.target.value)} /> ${base}</label>
    ${told("buy")}${told("sell")}
    <small>in ${quote}, ${fees === "NONE" ? "without fees: the gateway's --fees are not given" : "after taker fees"}</small>
  </div>`;
}

const VENUE_HEADS = [
  ["venue"],
  ["state"],
  ["for", "n wide-only", "How long it is in this state"],
  ["age", "n"],
  ["changes/s", "n", "Changes that this page saw in the last ten seconds"],
  ["score", "n", "Audits that agreed: of the last ten minutes, and of all"],
  ["venue's number", "n wide-only"],
  ["depth", "n wide-only", "Levels a side that are proven"],
  [unseen("more")],
];

export function Venues({ model, now, of }) {
  const feeds = model.book?.venues ?? [];
  return html`<${Panel} title="Venues" id="venues">
    <div class="scroll"><${Table} caption="Each venue's state in this book" heads=${VENUE_HEADS}>${feeds.map((feed) => {
      const name = model.book.lost || !model.linked ? "LOST" : feed.state;
      return html`<tr class=${`s-${name}`}>
        <th scope="row">${venue(feed.venue, of)}</th>
        <td>${state(name)}${name !== "LIVE" && html`<br /><small>${feed.reason || model.book.reason}</small>`}</td>
        <td class="n wide-only">${lasting(now - model.entered(feed.venue))}</td>
        <td class="n">${feed.ts_recv ? lasting(feed.age_ns / 1e6 + now - model.bookAt) : "–"}</td>
        <td class="n">${name === "LIVE" ? model.rate(feed.venue, now).toFixed(1) : "–"}</td>
        <td class="n">${percent(feed.score)}<small>${feed.score_total === undefined ? "" : ` · ${percent(feed.score_total)}`}</small></td>
        <td class="n wide-only">${feed.venue_seq}</td>
        <td class="n wide-only">${feed.depth || "–"}</td>
        <td><button class="quiet" onClick=${() => of.explain(feed.venue)}>why${unseen(` is ${feed.venue} in or out`)}?</button></td>
      </tr>`;
    })}
    ${feeds.length === 0 && html`<tr><td colspan="9">${model.trust().reason}</td></tr>`}<//></div>
  <//>`;
}

export function Timeline({ model, now }) {
  const from = now - TIMELINE_MS;
  const place = (at) => (100 * Math.max(0, at - from)) / TIMELINE_MS;
  const told = (span, lasts) => `${span.state} from ${clock(span.from)}${lasts}${span.reason ? `: ${span.reason}` : ""}`;
  return html`<${Panel} title="Health, last 15 minutes" id="timeline">
    <ul class="timeline">
      ${model.names.filter((name) => model.spans[name]).map((name) => html`<li><span>${name}</span><div class="strip" role="img" aria-label=${`${name}: ${model.spans[name].map((span) => told(span, "")).join("; ")}`}>
        ${model.spans[name].map((span, index, all) => {
          const end = all[index + 1]?.from ?? now;
          return html`<i class=${`seg s-${span.state}`} title=${told(span, ` for ${lasting(end - span.from)}`)} style=${{ left: `${place(span.from)}%`, width: `max(2px, ${place(end) - place(span.from)}%)` }}></i>`;
        })}
        ${model.epochs.filter((at) => at > from).map((at) => html`<i class="tick" title=${`another aggregator speaks since ${clock(at)}`} style=${{ left: `${place(at)}%` }}></i>`)}
      </div></li>`)}
    </ul>
    <div class="legend">${["LIVE", "SYNCING", "STALE", "DOWN", "HALTED", "LOST"].map((name) => html`<span><i class=${`seg s-${name}`}></i>${name.toLowerCase()}</span>`)}<span><i class="tick"></i>another aggregator</span><span class="ends">${clock(from)} – ${clock(now)}</span></div>
  <//>`;
}

export function Latency({ model }) {
  const rows = Object.entries(HOPS).map(([name, what]) => {
    const sorted = model.hops.map((hop) => hop[name]).sort((a, b) => a - b);
    return { name, what, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
  });
  const most = Math.max(...rows.map((row) => row.p99), 1);
  const ms = (value) => html`<td class="n">${value.toFixed(value < 10 ? 2 : 0)}</td>`;
  const bar = (row, name) => html`<i class=${name} style=${{ width: `${(100 * row[name]) / most}%` }}></i>`;
  return html`<${Panel} title="Latency, last minute" id="latency">
    <${Table} caption="Milliseconds of each hop: median and 99th percentile" heads=${[["hop"], ["p50 ms", "n"], ["p99 ms", "n"], [unseen("bars")]]}>
      ${rows.map((row) => html`<tr title=${row.what}><th scope="row">${row.name}</th>${ms(row.p50)}${ms(row.p99)}<td class="bars">${bar(row, "p99")}${bar(row, "p50")}</td></tr>`)}
    <//>
    <small>The gateway's part is mostly the wait for this page's pace; a bot has none. The page's needs one clock for both machines.</small>
  <//>`;
}

export function Crossed({ model, now, of, view }) {
  const quote = model.instrument.split("-")[1];
  return html`<${Panel} title="Crossed markets" id="crossed" tools=${html`<label>fee <input type="number" min="0" step="any" value=${view.fee} onInput=${(event) => of.fee(event.target.value)} /> bp a side</label>`}>
    ${model.crossings.length === 0
      ? html`<p class="label">No venue has bid more than another asked since ${clock(model.since)}.</p>`
      : html`<${Log} label="Log of crossed markets" heads=${[["since"], ["for", "n"], ["bid at"], ["asked at"], ["gain after fees", "n"]]}>
        ${model.crossings.map((one) => html`<tr class=${one.until ? "" : "is-crossed"}><th scope="row">${clock(one.from)}</th><td class="n">${lasting((one.until || now) - one.from)}${one.until ? "" : " …"}</td><td>${one.bid}</td><td>${one.ask}</td><td class="n">${one.gain > 0 ? `${one.gain.toPrecision(3)} ${quote} on ${amount(one.size)}` : "none"}</td></tr>`)}<//>`}
  <//>`;
}

export function Explain({ model, view, of }) {
  const { told, asking } = view;
  const facts = (one) => [
    one.symbol && `the venue calls it ${one.symbol}`,
    one.listed ? "listed" : "not listed",
    one.since && `${one.state} since ${stamp(one.since)}`,
    one.age_ns && `last change ${lasting(one.age_ns / 1e6)} ago`,
    one.score !== null && `${percent(one.score)} of the last ten minutes' audits agreed`,
    one.audited_at && `the last ${one.audit_agreed ? "agreed" : "disagreed"}, ${stamp(one.audited_at)}`,
    one.listener && `${one.listener}, ${one.connections} connection${one.connections === 1 ? "" : "s"}`,
  ];
  return html`<${Panel} title="Why is a venue in or out?" id="explain" tools=${html`<button class="quiet" onClick=${() => of.explain("")}>ask again</button>`}>
    ${asking && html`<p class="label">Asking …</p>`}
    ${told?.error && html`<p>${told.error}</p>`}
    <ul class="explained">${told?.venues?.map((one) => html`<li class=${`s-${one.state}`}>
      <p><span class="state">${MARKS[one.state]}</span> <b>${sentence(one.sentence)}</b></p>
      ${one.remedy && html`<p>${sentence(one.remedy)}</p>`}
      <small>${facts(one).filter(Boolean).join(" · ")}</small>
    </li>`)}</ul>
    <details><summary>How do I add a venue or a bot of mine?</summary>
      <p>A venue that is supported: <code>dragonfly up --venue NAME</code>. One that is not: one folder, as docs/adding-a-venue.md says, and <code>dragonfly conformance --venue NAME</code> examines it.</p>
      <p>A bot: <code>from dragonfly_client import DragonflyClient</code>, or what this page speaks: <code>GET /v1/book/${model.instrument}</code> and the WebSocket <code>/v1/stream</code>; <a href="openapi.json">openapi.json</a> has the rest.</p>
    </details>
  <//>`;
}

const price = (text) => (text ? Number(text).toPrecision(7) : "–");

/** Where the market stood when an order arrived and since, and its average against that. */
function standing({ side, average, arrival_mid: arrival, interval }) {
  const { mid, seen_ns: seen, whole_ns: whole } = interval ?? {};
  const worse = (average / mid - 1) * (side === "buy" ? 10_000 : -10_000);
  return [
    `mid at arrival ${price(arrival)}`,
    `by time since ${price(mid)}`,
    whole - seen >= 5e7 && `${lasting((whole - seen) / 1e6)} of ${lasting(whole / 1e6)} not seen`,
    average && mid && `average ${Math.abs(worse).toFixed(1)} bp ${worse > 0 ? "worse" : "better"}, before fees`,
  ].filter(Boolean).join(" · ");
}

const ORDER_HEADS = [["order"], ["what"], ["how"], ["state"], ["filled", "n"], ["average", "n"], [unseen("do")]];

export function Orders({ model, view, of, signed }) {
  const { orders: told, detail, noOrders, answer } = view;
  if (!told && !noOrders) return null;
  const engine = told?.engine;
  const signIn = html` <button onClick=${of.signIn}>sign in</button>`;
  const row = (one) => {
    const open = detail?.order.order_id === one.order_id;
    return html`<tr>
      <th scope="row">${one.client_id}</th>
      <td><b class=${one.side}>${one.side}</b> ${one.quantity} ${one.instrument}<br /><small>${one.limit ? `at ${one.limit} or better` : "no limit"}</small></td>
      <td>${one.algorithm}</td>
      <td>${one.state}${one.unknown ? html` <em>${one.unknown} in doubt</em>` : ""}<br /><small>${one.reason}</small></td>
      <td class="n">${one.filled}<br /><small>${Math.round((100 * one.filled) / one.quantity)} %</small></td>
      <td class="n">${price(one.average)}</td>
      <td class="n"><button class="quiet" aria-expanded=${open} onClick=${() => of.detail(one)}>parts</button>${signed && !one.over && html` <button class="quiet" onClick=${() => of.cancel(one)}>cancel …</button>`}</td>
    </tr>${open && html`<tr><td colspan="7"><p class="label">${standing(one)}</p><ul class="parts">${detail.children.length === 0 && html`<li class="label">Nothing at a venue so far.</li>`}
      ${[...detail.children].reverse().map((part) => html`<li><b>${part.venue}</b> ${part.amount} at ${part.limit}: ${part.state}, ${part.filled} filled <small>${part.text}</small></li>`)}</ul></td></tr>`}`;
  };
  return html`<${Panel} title="Orders" id="orders" tools=${engine && html`<span class="tools">
      <span class="label">${engine.engine}, ${engine.paper ? "on paper" : "with real money"}${engine.killed ? html`: <b class="out">killed, it takes no order</b>` : ""}</span>
      ${signed && html`<button class="danger" onClick=${of.kill}>kill …</button>`}
    </span>`}>
    ${!told && html`<p class="label">${sentence(noOrders)}${signIn}</p>`}
    ${told && !told.live && html`<p class="out">${sentence(told.reason)}</p>`}
    ${told?.live && told.orders.length === 0 && html`<p class="label">No order so far.</p>`}
    ${told?.orders.length > 0 && html`<${Log} label="List of orders" heads=${ORDER_HEADS}>${told.orders.map(row)}<//>`}
    ${signed && engine ? html`<${Ticket} base=${model.instrument.split("-")[0]} of=${of} />` : told && html`<small>Read-only: orders are given with a token of scope trade.${signIn}</small>`}
    <p role="status">${answer}</p>
  <//>`;
}

const Ticket = ({ base, of }) => html`<form class="ticket" onSubmit=${(event) => { event.preventDefault(); of.order(event.target); }}>
  <label>side <select name="side"><option>buy</option><option>sell</option></select></label>
  <label>amount <input name="quantity" inputmode="decimal" pattern="[0-9]+([.][0-9]+)?" required size="8" /> ${base}</label>
  <label>limit <input name="limit" inputmode="decimal" pattern="[0-9]+([.][0-9]+)?" placeholder="none" size="10" /></label>
  <label>how <select name="algorithm"><option value="sweep">sweep: all now</option><option value="twap">twap: equal slices</option><option value="is">is: more at first</option></select></label>
  <label>minutes <input name="minutes" type="number" min="1" step="any" value="10" required /></label>
  <button>order …</button></form>`;
