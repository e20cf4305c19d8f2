//! A clickstream and its product catalogue, made from a seed.
//!
//! The shapes and shares are those of the data on which Flink was measured: a third of the events
//! up to 5 s out of order, 0.4 % far too late, 1 % sent twice, 2 % invalid, sessions of about ten
//! events, half of the product views on few products, catalogue prices that change as the events
//! go on. The same settings give the same bytes.

use std::collections::VecDeque;
use std::fmt::Write as _;

/// Event time of the first event: 2026-01-01T00:00:00Z.
const BASE_MS: i64 = 1_767_225_600_000;

/// Versions that are there before the first event are this much older.
const CATALOGUE_LEAD_MS: i64 = 3_600_000;

/// Events are at most this much out of order, unless they are late.
const DISORDER_MS: i64 = 5_000;

/// Later ones than this are sent twice no more.
const DUPLICATE_DISTANCE_MAX: u64 = 4;

const EVENT_TYPES: [(&str, u64); 6] = [
    ("page_view", 50),
    ("click", 22),
    ("add_to_cart", 9),
    ("remove_from_cart", 3),
    ("purchase", 4),
    ("search", 12),
];
const BAD_EVENT_TYPES: [&str; 5] = ["scroll", "hover", "PAGE_VIEW", "", "purchase "];
const DEVICES: [&str; 6] = ["desktop", "desktop", "mobile", "mobile", "mobile", "tablet"];
const BROWSERS: [&str; 5] = ["Chrome", "Safari", "Firefox", "Edge", "Samsung Internet"];
const COUNTRIES: [&str; 11] = ["US", "US", "US", "DE", "FR", "GB", "IN", "BR", "JP", "SE", "CI"];
const BRANDS: [&str; 6] = ["Acme", "Globex", "Initech", "Umbrella", "Łódź Works", "O'Neill"];

/// As they stand in JSON.
const CATEGORIES: [(&str, &[&str]); 6] = [
    ("Electronics", &["Phones", "Laptops", "Audio"]),
    ("Home", &["Kitchen", "Garden"]),
    ("Sports", &["Running", "Cycling"]),
    ("Books", &["Fiction", "Science"]),
    ("Beauty", &["Skin", "Hair"]),
    ("Toys & Games", &["Puzzles", "Board \\\"classic\\\" games"]),
];

/// As they stand in JSON.
const QUERIES: [&str; 13] = [
    "running shoes",
    "phone",
    "iphone 15 case",
    "café crème",
    "日本茶",
    "50\\\" tv",
    "back\\\\slash",
    "gift  under $20",
    "",
    "ноутбук",
    "a/b test",
    "tab\\there",
    "emoji 🎁",
];

/// What is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Number of events.
    pub(crate) events: u64,
    /// Number of products; a few of them are in no catalogue.
    pub(crate) products: u64,
    /// Events per second of event time.
    pub(crate) rate: f64,
    /// Events of a session beyond its first, on average.
    pub(crate) session_rest: f64,
    /// So many of the first events are sessions of their own.
    pub(crate) lone: u64,
    /// Seed.
    pub(crate) seed: u64,
}

impl Default for Settings {
    /// As Flink was measured, without an event.
    fn default() -> Self {
        Self { events: 0, products: 5_000, rate: 500.0, session_rest: 9.0, lone: 0, seed: 7 }
    }
}

/// One version of a product.
#[derive(Debug)]
pub(crate) struct Version {
    /// Message key.
    pub(crate) product_id: String,
    /// Record timestamp.
    pub(crate) time_ms: i64,
    /// Message value.
    pub(crate) json: String,
}

/// One event.
#[derive(Debug, Clone, Default)]
pub(crate) struct Event {
    /// Message key; empty if it has none.
    pub(crate) session_id: String,
    /// Record timestamp.
    pub(crate) time_ms: i64,
    /// Message value.
    pub(crate) json: String,
}

/// Events in order of arrival.
pub(crate) struct Clickstream {
    settings: Settings,
    random: Random,
    /// (time, product) of versions that appear while events arrive: some events hit them exactly.
    changes: VecDeque<(i64, u64)>,
    sessions: Vec<Session>,
    next_session: u64,
    clock_ms: f64,
    newest_ms: i64,
    next: u64,
    /// Index at which an event comes again.
    again: VecDeque<(u64, Event)>,
    second: (i64, String),
}

struct Session {
    id: u64,
    user: Option<u64>,
    anonymous: Option<u64>,
    device: Option<&'static str>,
    browser: &'static str,
    country: Option<&'static str>,
    events_left: u64,
}

/// The fields of an event that its text is made of.
struct Fields {
    event_id: Option<u64>,
    session_id: Option<u64>,
    event_type: Option<&'static str>,
    product: Option<u64>,
    query: Option<&'static str>,
    time_ms: i64,
    /// Index into the sessions.
    session: usize,
}

/// The catalogue in order of time, and the events that go with it.
pub(crate) fn generate(settings: Settings) -> (Vec<Version>, Clickstream) {
    let mut random = Random(settings.seed);
    let (versions, changes) = catalogue(settings, &mut random);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small and positive"
    )]
    let active = ((settings.rate * 30.0) as u64).clamp(20, 5_000);
    let mut stream = Clickstream {
        settings,
        random,
        changes,
        sessions: Vec::new(),
        next_session: 0,
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
        clock_ms: BASE_MS as f64,
        newest_ms: i64::MIN / 2,
        next: 0,
        again: VecDeque::new(),
        second: (i64::MIN, String::new()),
    };
    for _ in 0..active {
        let session = stream.new_session();
        stream.sessions.push(session);
    }
    (versions, stream)
}

fn catalogue(settings: Settings, random: &mut Random) -> (Vec<Version>, VecDeque<(i64, u64)>) {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "milliseconds"
    )]
    let span_ms = ((settings.events as f64 / settings.rate) * 1_000.0) as i64;
    let within =
        |random: &mut Random| BASE_MS + random.below(span_ms.max(1).unsigned_abs()).cast_signed();
    let mut versions: Vec<(i64, Version)> = Vec::new();
    let mut changes = Vec::new();
    for product in 0..settings.products {
        let share = random.unit();
        if share < 0.05 {
            continue;
        }
        let first = if share < 0.85 { BASE_MS - CATALOGUE_LEAD_MS } else { within(random) };
        let (mut category, subcategories) = *random.choose(&CATEGORIES);
        let mut subcategory = *random.choose(subcategories);
        let brand = *random.choose(&BRANDS);
        let mut name = format!("{brand} {subcategory} {product}");
        let mut price = random.log_normal(3.5);
        let count = if random.unit() < 0.6 { random.below(6) } else { 0 };
        let mut times: Vec<i64> = (0..count).map(|_| within(random)).collect();
        times.retain(|time| *time > first);
        times.push(first);
        times.sort_unstable();
        times.dedup();
        for (index, time_ms) in times.into_iter().enumerate() {
            if index > 0 {
                price *= 0.7 + 0.6 * random.unit();
                if random.unit() < 0.15 {
                    let (other, subcategories) = *random.choose(&CATEGORIES);
                    (category, subcategory) = (other, *random.choose(subcategories));
                }
                if random.unit() < 0.10 {
                    name.push('*');
                }
                changes.push((time_ms, product));
            }
            let shown_price =
                if random.unit() < 0.03 { "null".to_owned() } else { format!("{price:.2}") };
            let shown_subcategory = text(Some(subcategory).filter(|_| random.unit() >= 0.05));
            let time = iso_second(time_ms);
            let product_id = format!("p{product:05}");
            let json = format!(
                "{{\"product_id\":\"{product_id}\",\"name\":\"{name}\",\"category\":\"{category}\",\
                 \"subcategory\":{shown_subcategory},\"price\":{shown_price},\"brand\":\"{brand}\",\
                 \"updated_at\":\"{time}.{:03}Z\"}}",
                time_ms.rem_euclid(1_000),
            );
            versions.push((time_ms, Version { product_id, time_ms, json }));
        }
    }
    versions.sort_by_key(|(time, _)| *time);
    changes.sort_unstable();
    (versions.into_iter().map(|(_, version)| version).collect(), changes.into())
}

impl Clickstream {
    /// Writes the next event into `event`; `false` at the end.
    pub(crate) fn next_into(&mut self, event: &mut Event) -> bool {
        if self.next >= self.settings.events {
            return false;
        }
        let gap_ms = 1_000.0 / self.settings.rate;
        self.clock_ms += self.random.exponential() * gap_ms;
        if let Some((_, earlier)) = self.again.pop_front_if(|(at, _)| *at <= self.next)
            && self.newest_ms - earlier.time_ms < DISORDER_MS
        {
            *event = earlier;
            self.next += 1;
            return true;
        }
        let fields = self.fields();
        let is_late = self.newest_ms - fields.time_ms > DISORDER_MS;
        self.write(&fields, event);
        if !is_late && self.random.unit() < 0.01 {
            let at = self.next + 1 + self.random.below(DUPLICATE_DISTANCE_MAX);
            self.again.push_back((at, event.clone()));
        }
        self.newest_ms = self.newest_ms.max(fields.time_ms);
        let session = &mut self.sessions[fields.session];
        session.events_left -= 1;
        if session.events_left == 0 {
            self.sessions[fields.session] = self.new_session();
        }
        self.next += 1;
        true
    }

    fn fields(&mut self) -> Fields {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds")]
        let arrival_ms = self.clock_ms as i64;
        let session = self.random.index(self.sessions.len());
        let share = self.random.unit();
        let is_late = share < 0.004;
        let mut time_ms = arrival_ms - self.delay(share);
        let mut event_type = self.event_type();
        let mut query = (event_type == "search").then(|| *self.random.choose(&QUERIES));
        let mut product = None;
        let is_about_product =
            ["add_to_cart", "remove_from_cart", "purchase"].contains(&event_type);
        if query.is_none() && (is_about_product || self.random.unit() < 0.6) {
            product = Some(self.product());
        }
        if let Some((change_ms, changed)) = self.changes.pop_front_if(|(at, _)| *at <= arrival_ms)
            && !is_late
            && self.newest_ms - change_ms < DISORDER_MS
        {
            // Just before, or at, the time of a version.
            time_ms = change_ms - i64::from(self.random.unit() < 0.3);
            (product, event_type, query) = (Some(changed), "page_view", None);
        }
        let mut fields = Fields {
            event_id: Some(self.next),
            session_id: Some(self.sessions[session].id),
            event_type: Some(event_type),
            product,
            query,
            time_ms: time_ms.max(BASE_MS),
            session,
        };
        self.spoil(&mut fields);
        let session = &mut self.sessions[session];
        if session.user.is_none() && self.random.unit() < 0.03 {
            session.user = Some(self.random.below((self.settings.events / 20).max(50)));
        }
        fields
    }

    /// How much older than its arrival an event is, in milliseconds.
    fn delay(&mut self, share: f64) -> i64 {
        let delay = if share < 0.002 {
            6_000 + self.random.below(114_000)
        } else if share < 0.004 {
            360_000 + self.random.below(69 * 60_000)
        } else if share < 0.35 {
            self.random.below(DISORDER_MS.unsigned_abs())
        } else {
            0
        };
        delay.cast_signed()
    }

    fn event_type(&mut self) -> &'static str {
        let mut place = self.random.below(100);
        for (name, share) in EVENT_TYPES {
            if place < share {
                return name;
            }
            place -= share;
        }
        EVENT_TYPES[0].0
    }

    fn product(&mut self) -> u64 {
        let count = self.settings.products;
        if self.random.unit() < 0.5 {
            (self.random.pareto(0.9) * 7) % count
        } else {
            self.random.below(count)
        }
    }

    /// Makes some events invalid.
    fn spoil(&mut self, fields: &mut Fields) {
        let share = self.random.unit();
        if share < 0.006 {
            fields.event_id = None;
        } else if share < 0.010 {
            fields.session_id = None;
        } else if share < 0.018 {
            fields.event_type = Some(*self.random.choose(&BAD_EVENT_TYPES));
        } else if share < 0.020 {
            fields.event_type = None;
        }
    }

    fn write(&mut self, fields: &Fields, event: &mut Event) {
        event.time_ms = fields.time_ms;
        event.session_id.clear();
        event.json.clear();
        let number = |letter: char, width: usize, value: Option<u64>| match value {
            Some(value) => format!("\"{letter}{value:0width$}\""),
            None => "null".to_owned(),
        };
        let session_id = number('s', 7, fields.session_id);
        event.session_id.push_str(session_id.trim_matches('"'));
        if fields.session_id.is_none() {
            event.session_id.clear();
        }
        let mut json = std::mem::take(&mut event.json);
        let mut field = |name: &str, value: &str| {
            json.push(if json.is_empty() { '{' } else { ',' });
            json.extend(["\"", name, "\":", value]);
        };
        let session = &self.sessions[fields.session];
        let random = &mut self.random;
        field("event_id", &number('e', 9, fields.event_id));
        field("session_id", &session_id);
        if session.user.is_some() || random.unit() < 0.5 {
            field("user_id", &number('u', 6, session.user));
        }
        field("anonymous_id", &number('a', 6, session.anonymous));
        field("event_type", &text(fields.event_type));
        let page = match (fields.product, fields.query) {
            _ if random.unit() < 0.01 => "null".to_owned(),
            (Some(product), _) => format!("\"/product/p{product:05}\""),
            (None, Some(_)) => "\"/search\"".to_owned(),
            (None, None) => format!("\"/c/{}\"", random.below(12)),
        };
        field("page_url", &page);
        let has_referrer = random.unit() >= 0.5;
        let referrer = format!("\"https://ref{}.example/\"", random.below(9));
        field("referrer_url", if has_referrer { &referrer } else { "null" });
        if fields.product.is_some() || random.unit() < 0.5 {
            field("product_id", &number('p', 5, fields.product));
        }
        if fields.query.is_some() || random.unit() < 0.5 {
            field("search_query", &text(fields.query));
        }
        field("device_type", &text(session.device));
        field("browser", &text(Some(session.browser)));
        field("country", &text(session.country));
        let second = fields.time_ms.div_euclid(1_000);
        if self.second.0 != second {
            self.second = (second, iso_second(fields.time_ms));
        }
        let milli = fields.time_ms.rem_euclid(1_000);
        field("timestamp", &format!("\"{}.{milli:03}Z\"", self.second.1));
        json.push('}');
        event.json = json;
    }

    fn new_session(&mut self) -> Session {
        let random = &mut self.random;
        let id = self.next_session;
        self.next_session += 1;
        let users = (self.settings.events / 20).max(50);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let rest = (random.exponential() * self.settings.session_rest) as u64;
        let events_left = if self.next_session <= self.settings.lone { 1 } else { 1 + rest };
        Session {
            id,
            user: (random.unit() >= 0.45).then(|| random.below(users)),
            anonymous: (random.unit() >= 0.04).then(|| random.below(1_000_000)),
            device: (random.unit() >= 0.01).then(|| *random.choose(&DEVICES)),
            browser: BROWSERS[random.index(BROWSERS.len())],
            country: (random.unit() >= 0.02).then(|| *random.choose(&COUNTRIES)),
            events_left,
        }
    }
}

/// A string as it stands in JSON; the value is escaped already.
fn text(value: Option<&str>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| format!("\"{value}\""))
}

/// `2026-01-01T00:00:00`: the second that holds a time.
fn iso_second(time_ms: i64) -> String {
    let mut text = String::new();
    if let Some(time) = arrow::temporal_conversions::timestamp_ms_to_datetime(time_ms) {
        write!(text, "{}", time.format("%Y-%m-%dT%H:%M:%S")).expect("a `String` takes everything");
    }
    text
}

/// A small generator: splitmix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 up to `limit`, which is above 0.
    fn below(&mut self, limit: u64) -> u64 {
        self.bits() % limit
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = self.index(from.len());
        &from[index]
    }

    /// Mean 1.
    fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// `exp` of a normal value with mean `mean` and deviation 1.
    fn log_normal(&mut self, mean: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.unit();
        (mean + radius * angle.cos()).exp()
    }

    /// 1 or more, with a long tail.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    fn pareto(&mut self, shape: f64) -> u64 {
        (1.0 - self.unit()).powf(-1.0 / shape).min(1e12) as u64
    }
}
