// What the page knows, and what it concludes. No element of the page is touched here.

export const TIMELINE_MS = 15 * 60_000;
export const HISTORY_MS = 5 * 60_000;
const RATE_MS = 10_000;
const HOPS_MS = 60_000;
const MOST_LOGGED = 50;

export class Model {
  constructor() {
    this.linked = false;
    this.linkReason = "Connecting to the web gateway.";
    this.fee = 0; // basis points, of each side of a trade
    this.reset("");
  }

  reset(instrument) {
    Object.assign(this, {
      instrument,
      book: null,
      bookAt: 0,
      refusal: "",
      prices: {}, // what a buy and a sell cost
      history: [[], [], [], []], // seconds, best bid, best ask, spread
      names: [],
      spans: {}, // of each venue: [{from, state, reason}]
      entries: {}, // of each venue: {state, since} by its listener's word
      changes: {}, // of each venue: its newest venue_seq, and when the last ones came
      crossings: [],
      since: Date.now(),
      hops: [],
      epochs: [],
      spoken: "",
      spokenAt: 0,
    });
  }

  takeBook(message, now) {
    const book = message.data[0];
    if (book.instrument !== this.instrument) return;
    const before = this.book;
    const lost = !book.bids || (!book.live && book.reason.startsWith("the gateway"));
    this.refusal = "";
    this.bookAt = now;
    this.book = { ...(book.bids ? {} : { venues: [], ...before, mid: null, bids: [], asks: [] }), ...book, lost };
    for (const feed of this.book.venues) this.#note(feed, lost, now);
    if (!book.bids) return;
    if (before && before.epoch !== book.epoch && book.epoch !== "0") this.epochs.push(now);
    const [bid, ask] = [book.bids[0]?.price ?? null, book.asks[0]?.price ?? null];
    const { history } = this;
    [now / 1000, bid, ask, difference(bid, ask)].forEach((value, column) => history[column].push(value));
    while (history[0][0] < (now - HISTORY_MS) / 1000) for (const column of history) column.shift();
    this.#cross(book, now);
    if (book.live && book.hops) {
      const hop = { at: now, page: Math.max(0, now - message.time_out / 1e6) };
      for (const name of ["listener", "aggregator", "gateway", "web"]) hop[name] = book.hops[`${name}_ns`] / 1e6;
      this.hops.push(hop);
      while (this.hops[0].at < now - HOPS_MS) this.hops.shift();
    }
  }

  /** Take what the web gateway saw before this page did, by this page's clock. */
  takeHistory(told, now) {
    if (told.instrument !== this.instrument) return;
    const at = (ts) => now + Number(BigInt(ts) - BigInt(told.time_out)) / 1e6;
    const column = (of) => told.prices.map(of);
    this.history = [
      column((one) => at(one.ts) / 1000),
      column((one) => one.bid),
      column((one) => one.ask),
      column((one) => difference(one.bid, one.ask)),
    ];
    for (const { venue, states } of told.venues) {
      this.#name(venue);
      this.spans[venue] = states.map((one) => ({ ...one, from: at(one.ts) }));
    }
    this.crossings = told.crossings.reverse().map((one) => {
      const [bids, asks] = ["bid", "ask"].map((side) => [{ price: one[side], amount: one.amount, venue: one[`${side}_venue`] }]);
      return { ...arbitrage({ bids, asks }, this.fee), from: at(one.ts), until: one.until && at(one.until) };
    });
    this.epochs = told.epochs.map(at);
    this.since = at(told.since);
  }

  /** Take why venues are in or out: their listeners know since when. */
  takeReasons(told) {
    for (const { venue, state, since } of told) this.entries[venue] = { state, since: since / 1e6 };
  }

  takePrice(message) {
    const told = message.data[0];
    if (told.instrument === this.instrument && told.side) this.prices[told.side] = told;
  }

  /** When a venue entered its state; where its listener does not tell, when that was seen. */
  entered(venue) {
    const span = this.spans[venue].at(-1);
    const told = this.entries[venue];
    return (told?.state === span.state && told.since) || span.from;
  }

  #name(venue) {
    if (!this.names.includes(venue)) this.names.push(venue);
  }

  #note(feed, lost, now) {
    const { venue, venue_seq: seq } = feed;
    this.#name(venue);
    this.#enter(venue, lost ? "LOST" : feed.state, (lost ? this.book.reason : feed.reason) ?? "", now);
    const changes = (this.changes[venue] ??= { seq: "", at: [] });
    if (changes.seq !== seq) changes.at.push(now);
    changes.seq = seq;
    while (changes.at[0] < now - RATE_MS) changes.at.shift();
  }

  #enter(venue, state, reason, now) {
    const spans = (this.spans[venue] ??= []);
    const last = spans.at(-1);
    if (last?.state === state) {
      last.reason = reason;
      return;
    }
    if (last) this.#say(`${venue} is ${state.toLowerCase()}${reason ? `: ${reason}` : ""}`, now);
    spans.push({ from: now, state, reason });
    while (spans[1]?.from < now - TIMELINE_MS) spans.shift();
  }

  #cross(book, now) {
    const [last] = this.crossings;
    const open = last && !last.until;
    if (!book.crossed) {
      if (open) last.until = now;
      return;
    }
    const found = arbitrage(book, this.fee);
    if (!open) {
      this.crossings = [{ from: now, until: 0, ...found }, ...this.crossings].slice(0, MOST_LOGGED);
      this.#say(`the market is crossed: ${found.bid} bids more than ${found.ask} asks`, now);
    } else if (found.gain > last.gain) Object.assign(last, found);
  }

  /** Say a change, with all others of the same moment. */
  #say(text, now) {
    this.spoken = this.spokenAt === now ? `${this.spoken}; ${text}` : text;
    this.spokenAt = now;
  }

  /** How many times a second a venue changed. */
  rate(venue, now) {
    const watched = Math.max(1000, Math.min(RATE_MS, now - this.spans[venue][0].from));
    return (this.changes[venue].at.filter((at) => at > now - RATE_MS).length * 1000) / watched;
  }

  /** Return {word, reason}: whether the price can be trusted, and why not. */
  trust() {
    const { book } = this;
    if (this.refusal) return { word: "none", reason: this.refusal };
    const none = (!this.linked && this.linkReason) || (!book && `Waiting for the book of ${this.instrument}`) || (!book.live && (book.reason || "No venue is live"));
    if (none) return { word: "none", reason: sentence(none) };
    const listed = book.venues.filter((feed) => feed.state !== "UNKNOWN");
    const out = listed.filter((feed) => feed.state !== "LIVE").map((feed) => `${feed.venue} is ${feed.state}${feed.reason ? ` (${feed.reason})` : ""}`);
    const doubtful = listed.filter((feed) => feed.score < 0.999).map((feed) => `${feed.venue}'s book agreed with ${(100 * feed.score).toFixed(1)} % of its audits`);
    const doubt =
      (out.length && `${sentence(out.join("; "))} All levels shown are of live venues`) ||
      doubtful.join("; ") ||
      (book.crossed && "the market is crossed: one venue bids more than another asks");
    if (doubt) return { word: "degraded", reason: sentence(doubt) };
    return { word: "good", reason: listed.length === 1 ? "Its one venue is live." : `All ${listed.length} venues are live.` };
  }
}

export function sentence(text) {
  const whole = text[0].toUpperCase() + text.slice(1);
  return whole.endsWith(".") ? whole : `${whole}.`;
}

const difference = (bid, ask) => (bid === null || ask === null ? null : ask - bid);

/** What could be bought at one venue and sold at another at once, after a fee on each side. */
function arbitrage(book, feeBps) {
  const fee = feeBps / 10_000;
  const [bids, asks] = [book.bids, book.asks].map((side) => side.map((level) => ({ ...level })));
  const found = { bid: bids[0]?.venue, ask: asks[0]?.venue, size: 0, gain: 0 };
  while (bids.length && asks.length && bids[0].price > asks[0].price) {
    const amount = Math.min(bids[0].amount, asks[0].amount);
    const net = amount * (bids[0].price * (1 - fee) - asks[0].price * (1 + fee));
    if (net > 0) {
      found.gain += net;
      found.size += amount;
    }
    for (const side of [bids, asks]) if ((side[0].amount -= amount) <= 0) side.shift();
  }
  return found;
}

/** The rows of one side of the ladder: levels, or all of one price or step together. */
export function ladder(levels, side, { merged, step, hidden }) {
  const rows = new Map();
  levels.forEach(({ venue, price, amount }, place) => {
    if (hidden.has(venue)) return;
    const shown = step ? stepped(price, step, side) : price;
    const key = merged || step ? shown : place;
    if (!rows.has(key)) rows.set(key, { price: shown, amount: 0, shares: [] });
    const { shares } = rows.get(key);
    const share = shares.find((one) => one.venue === venue);
    if (share) share.amount += amount;
    else shares.push({ venue, amount });
    rows.get(key).amount += amount;
  });
  let total = 0;
  for (const row of rows.values()) {
    row.total = total += row.amount;
    row.shares.sort((one, other) => other.amount - one.amount);
  }
  return [...rows.values()];
}

function stepped(price, step, side) {
  const number = price / step;
  const near = Math.round(number);
  const whole = Math.abs(number - near) < 1e-6 ? near : side === "bid" ? Math.floor(number) : Math.ceil(number);
  return Number((whole * step).toPrecision(12));
}

/** Price steps that make sense at `price`: powers of ten times 1 and 5. */
export function steps(price, tick) {
  const first = Math.floor(Math.log10(tick)) + 1;
  return [0, 1, 2, 3].flatMap((more) => [1, 5].map((by) => Number(`${by}e${first + more}`))).filter((step) => step < price / 10);
}

/** How many decimals the prices of a book have, at most twelve. */
export function decimals(book) {
  const of = ({ price }) => {
    const [digits, exponent = 0] = price.toString().split("e");
    return (digits.split(".")[1]?.length ?? 0) - exponent;
  };
  return Math.min(12, Math.max(0, ...book.bids.map(of), ...book.asks.map(of)));
}

export const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
