// The WebSocket: asks again when it is lost, and acknowledges once a frame was drawn. A tab that is
// hidden or paused draws none, so it is sent nothing.

const SILENT_MS = 3500;
const RETRY_MS = [300, 600, 1200, 2500, 5000];

export class Stream {
  constructor({ onState, onRefusal, onLink }) {
    this.onState = onState;
    this.onRefusal = onRefusal;
    this.onLink = onLink;
    this.wanted = new Map(); // by key: the parameters of a subscription
    this.granted = new Map();
    this.token = "";
    this.paused = false;
    this.received = 0;
    this.seq = 0;
    this.owed = false;
    this.failures = 0;
    this.nextId = 1;
    this.asked = new Map(); // by req_id: what to do with the answer
    this.heardAt = performance.now();
    setInterval(() => this.look(), 500);
    document.addEventListener("visibilitychange", () => {
      this.heardAt = performance.now();
      this.acknowledge();
    });
    this.open();
  }

  /** Want `params` under `key`, or with null nothing under it any more. */
  want(key, params) {
    const text = JSON.stringify(params);
    if (JSON.stringify(this.wanted.get(key) ?? null) === text) return;
    if (params) this.wanted.set(key, params);
    else this.wanted.delete(key);
    if (!this.isOpen) return;
    const before = this.granted.get(key);
    if (before) this.ask("unsubscribe", before);
    this.granted.delete(key);
    if (params) this.subscribe(key, params);
  }

  setPaused(paused) {
    this.paused = paused;
    this.heardAt = performance.now();
    this.acknowledge();
  }

  signIn(token) {
    this.token = token;
    this.close();
  }

  close() {
    this.socket?.close();
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/v1/stream`);
    this.socket = socket;
    socket.onopen = () => {
      this.granted.clear();
      this.asked.clear();
      this.seq = 0;
      this.owed = false;
      this.heardAt = performance.now();
      if (this.token) this.ask("auth", { token: this.token });
      this.send({ method: "ack", seq: 0, window: 1 });
      for (const [key, params] of this.wanted) this.subscribe(key, params);
    };
    socket.onmessage = (event) => this.take(JSON.parse(event.data));
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.onLink(false, "The web gateway is not reached; trying again.");
      const wait = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)];
      setTimeout(() => this.open(), wait * (0.75 + Math.random() / 2));
    };
  }

  send(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
  }

  ask(method, params, then) {
    const id = this.nextId++;
    if (then) this.asked.set(id, then);
    this.send({ method, params, req_id: id });
  }

  subscribe(key, params) {
    this.granted.set(key, params);
    this.ask("subscribe", params, (answer) => {
      if (!answer.success && this.granted.get(key) === params) {
        this.granted.delete(key);
        this.onRefusal(key, answer);
      }
    });
  }

  take(message) {
    this.heardAt = performance.now();
    if (message.type === "snapshot") {
      this.failures = 0;
      this.received += 1;
      this.seq = message.seq;
      this.owed = true;
      this.onState(message);
      this.onLink(true, "");
      requestAnimationFrame(() => this.acknowledge());
    } else if (message.type === "refusal") {
      this.onRefusal(message.channel, message);
    } else if ("success" in message) {
      this.asked.get(message.req_id)?.(message);
      this.asked.delete(message.req_id);
    }
  }

  acknowledge() {
    if (document.hidden || this.paused || !this.owed) return;
    this.owed = false;
    this.send({ method: "ack", seq: this.seq, window: 1 });
  }

  look() {
    const quiet = performance.now() - this.heardAt;
    if (document.hidden || this.paused || this.owed || !this.isOpen) return;
    if (quiet > SILENT_MS) {
      this.onLink(false, `No word from the web gateway for ${Math.round(quiet / 1000)} s.`);
      if (quiet > 3 * SILENT_MS) this.close();
    }
  }
}
