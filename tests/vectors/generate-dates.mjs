// Writes dates_node.json: what the JavaScript engine of Node says about 10,000 instants and 2,000 texts.
//
//     node generate-dates.mjs > dates_node.json
//
// The same bytes on every run (a fixed seed, no clock, UTC). `iso` holds pairs of milliseconds and
// `new Date(ms).toISOString()`; `parsed` holds pairs of a text and the milliseconds that Date.parse reads from it.
// A text is made from a known instant; where Node's own reading differs (its parser beside ISO 8601 is its own), it
// is left out, since the contract of the store is the stricter one. dates.json holds those cases by hand.

process.env.TZ = 'UTC';

const DAY = 86_400_000;
const MIN = Date.parse('0000-01-01T00:00:00.000Z');
const MAX = Date.parse('9999-12-31T23:59:59.999Z');

// mulberry32: 32 bits of state, good enough to choose test cases.
let state = 0x6f77615f;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const between = (low, high) => low + Math.floor(random() * (high - low + 1));
const pick = (list) => list[between(0, list.length - 1)];
const pad = (n, width) => String(n).padStart(width, '0');

function instants() {
  const set = new Set([MIN, MAX, 0]);
  // Round the edges of months, leap days, years, centuries, the epoch and the sizes of integers.
  const edges = [MIN, MAX, 0, 2 ** 31 * 1000, 2 ** 32 * 1000, -(2 ** 31) * 1000, 2 ** 31, 2 ** 32, -(2 ** 31)];
  for (let year = 0; year <= 9999; year += year % 100 === 96 ? 3 : between(1, 13)) {
    for (const [month, day] of [[0, 1], [1, 28], [1, 29], [2, 1], [between(0, 11), 1]]) {
      const date = new Date(0);
      date.setUTCFullYear(year, month, day);
      edges.push(date.getTime());
    }
  }
  for (const edge of edges) {
    for (const step of [0, -1, pick([1, 999, 1000, -1000, DAY - 1, DAY])]) {
      const ms = edge + step;
      if (ms >= MIN && ms <= MAX && set.size < 6000) set.add(ms);
    }
  }
  while (set.size < 8000) set.add(between(MIN, MAX));
  while (set.size < 10_000) set.add(between(Date.UTC(2009, 0, 1), Date.UTC(2040, 0, 1)));
  return [...set];
}

// One textual form of an instant, with the milliseconds that it means.
function spelling(ms) {
  const offset = pick([0, 0, 0, 0, 0, 0, 0, 0, 60, 120, -300, 330, 345, -210, 765, 840, -720, 1, -1, 1439, -1439]);
  const local = ms + offset * 60_000;
  if (local < MIN || local > MAX) return null;
  const iso = new Date(local).toISOString();
  const digits = between(0, 9);
  const fraction = iso.slice(20, 23) + pad(between(0, 999_999), 6);
  const separator = pick(['T', 'T', ' ']);
  const form = pick(['full', 'full', 'full', 'full', 'full', 'full', 'minutes', 'date']);
  if (form === 'date') return [iso.slice(0, 10), local - (((local % DAY) + DAY) % DAY)];
  const kept = form === 'minutes' ? 0 : Math.min(digits, 3);
  const unit = form === 'minutes' ? 60_000 : 10 ** (3 - kept);
  const meant = local - (((local % unit) + unit) % unit) - offset * 60_000;
  const [hh, mm] = [pad(Math.floor(Math.abs(offset) / 60), 2), pad(Math.abs(offset) % 60, 2)];
  const sign = offset < 0 ? '-' : '+';
  const zone =
    offset === 0 ? pick(['Z', 'Z', '', '+00:00', '-00:00'])
    : mm === '00' ? sign + hh + pick([':00', '00', ''])
    : sign + hh + pick([':', '']) + mm;
  const time = form === 'minutes' ? iso.slice(11, 16) : iso.slice(11, 19) + (digits ? '.' + fraction.slice(0, digits) : '');
  return [iso.slice(0, 10) + separator + time + zone, meant];
}

const all = instants();
const parsed = new Map();
while (parsed.size < 2000) {
  const made = spelling(pick(all));
  if (made && made[1] >= MIN && made[1] <= MAX && Date.parse(made[0]) === made[1]) parsed.set(...made);
}

const lines = (rows) => rows.map((row) => JSON.stringify(row)).join(',\n');
const iso = all.map((ms) => [ms, new Date(ms).toISOString()]);
process.stdout.write(`{"about":"Written by generate-dates.mjs with Node",\n"iso":[\n${lines(iso)}\n],\n"parsed":[\n${lines([...parsed])}\n]}\n`);
