// The two charts, by uPlot; colours are the style sheet's, asked for at each drawing.

import { HISTORY_MS } from "./model.js";

const uPlot = window.uPlot;
const HEIGHT = 230;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const axis = (more) => ({
  stroke: () => colour("--muted"),
  grid: { stroke: () => colour("--line"), width: 1 },
  ticks: { show: false },
  font: "12px system-ui, sans-serif",
  ...more,
});

const stepped = (stroke, align, more) => ({
  stroke,
  width: 1.5,
  paths: uPlot.paths.stepped({ align }),
  points: { show: false },
  ...more,
});

class Chart {
  constructor(element) {
    this.element = element;
    this.places = 2; // decimals of prices
    this.price = (plot, values) => values.map((value) => value.toFixed(this.places));
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(element);
  }

  size() {
    return { width: Math.max(200, this.element.clientWidth), height: HEIGHT };
  }

  make(options, data) {
    this.plot?.destroy();
    const shared = { legend: { show: false }, cursor: { y: false }, padding: [8, 32, 0, 0] };
    this.plot = new uPlot({ ...shared, ...options, ...this.size() }, data, this.element);
  }
}

/** Best bid and ask over the last minutes, and the spread below; crossed intervals are shaded. */
export class BboChart extends Chart {
  constructor(element, model) {
    super(element);
    this.model = model;
    const time = (plot, values) => values.map((at) => new Date(at * 1000).toLocaleTimeString("en-GB"));
    const prices = (plot, least, most) => [least - (most - least) * 0.45, most + (most - least) * 0.08];
    const spreads = (plot, least, most) => {
      const low = Math.min(0, least);
      return [low, low + Math.max(most - low, 1e-12) * 3.4];
    };
    this.make(
      {
        scales: { x: { range: () => this.shown() }, price: { range: prices }, spread: { range: spreads } },
        axes: [axis({ size: 24, space: 90, values: time }), axis({ scale: "price", size: 84, space: 36, values: this.price })],
        series: [
          {},
          stepped(() => colour("--bid"), 1, { scale: "price" }),
          stepped(() => colour("--ask"), 1, { scale: "price", dash: [6, 2] }),
          stepped(() => colour("--muted"), 1, { scale: "spread", width: 1, fill: () => colour("--shade") }),
        ],
        hooks: { drawClear: [(plot) => this.shade(plot)] },
      },
      model.history,
    );
  }

  /** From when there is something to show, 10 s ago at least. */
  shown() {
    const now = Date.now() / 1000;
    return [Math.max(now - HISTORY_MS / 1000, Math.min(now - 10, this.model.history[0][0] ?? now)), now];
  }

  shade(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = colour("--crossed");
    for (const { from, until } of this.model.crossings) {
      const left = Math.max(bbox.left, plot.valToPos(from / 1000, "x", true));
      const right = plot.valToPos((until || Date.now()) / 1000, "x", true);
      if (right > bbox.left) ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
    }
    ctx.restore();
  }

  update(places) {
    this.places = places;
    this.plot.setData(this.model.history);
  }
}

/** How much is on offer up to each price: all venues together as a line, each venue below it. */
export class DepthChart extends Chart {
  update(book, venues, colours, places) {
    this.places = places;
    const levels = [...book.bids, ...book.asks].map((level) => level.price);
    // Where neither side has anything, lines end.
    const prices = [...new Set(book.mid === null || book.crossed ? levels : [...levels, book.mid])].sort((a, b) => a - b);
    const columns = [prices, sums(prices, book.bids, []), sums(prices, [], book.asks)];
    for (const venue of venues) columns.push(sums(prices, book.bids, book.asks, venue));
    if (this.venues === venues.join()) {
      this.plot.setData(columns);
      return;
    }
    this.venues = venues.join();
    const total = (name, align) => stepped(() => colour(name), align, { fill: () => colour(`${name}-shade`), width: 2 });
    const each = (hue) => stepped(() => `oklch(${colour("--tone")} ${hue})`, 1, { width: 1, dash: [4, 3] });
    this.make(
      {
        scales: { x: { time: false }, y: { range: (plot, least, most) => [0, most * 1.05] } },
        axes: [axis({ size: 28, space: 90, values: this.price }), axis({ size: 84, space: 36 })],
        series: [{}, total("--bid", -1), total("--ask", 1), ...colours.map(each)],
      },
      columns,
    );
  }
}

/** What is on offer up to each of `prices`, of all venues or of one; null where the side has none. */
function sums(prices, bids, asks, venue) {
  const found = prices.map(() => null);
  const add = (levels, order, within) => {
    const own = levels.filter((level) => !venue || level.venue === venue);
    let [sum, next] = [0, 0];
    for (const place of order) {
      while (next < own.length && within(own[next].price, prices[place])) sum += own[next++].amount;
      if (next > 0) found[place] = sum;
    }
  };
  const places = [...prices.keys()];
  add(asks, places, (price, at) => price <= at);
  add(bids, places.reverse(), (price, at) => price >= at);
  return found;
}
