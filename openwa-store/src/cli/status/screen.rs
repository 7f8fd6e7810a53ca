//! What the screen says.

use console::{measure_text_width, style, truncate_str};
use indicatif::{HumanBytes, HumanCount};

use super::chart::{chart, short};
use super::{WIDE, job_name, trouble};
use crate::cli::table::plain;
use crate::entity::SessionStatus;
use crate::{DatabaseOverview, MaintenanceJob, Overview, Timestamp};

/// Problems that are named; of more, their number is.
const PROBLEMS: usize = 6;
/// Sessions and keys that are named.
const NAMED: usize = 5;
/// A log or free space below this size is nothing to speak of.
const NOTABLE: u64 = 1 << 20;
/// Between two columns.
const GAP: usize = 4;
/// Wider lines are hard to read.
const WIDEST: usize = 160;

pub fn screen(it: &Overview, jobs: &[MaintenanceJob], width: usize) -> Vec<String> {
    let width = width.min(WIDEST);
    let mut lines = vec![heading(it, width)];
    lines.extend(problems(it, width));
    let databases = block("DATABASES", databases(it, width));
    let messages =
        block(&messages_title(it), messages(it, if width >= WIDE { width / 2 + 4 } else { width }));
    let rest = [
        block("SESSIONS", sessions(it)),
        block("GROWTH", growth(it)),
        block("WEBHOOKS", webhooks(it)),
        block("API KEYS", keys(it)),
        block("MAINTENANCE", maintenance(jobs, it.at)),
    ];
    lines.extend(databases);
    if width >= WIDE {
        lines.extend(beside(&messages, &rest.concat(), width / 2 + 4));
    } else {
        lines.extend(messages);
        lines.extend(rest.concat());
    }
    lines.iter().map(|line| truncate_str(line, width, "…").trim_end().to_owned()).collect()
}

/// The state stands at the right end, and the time in between where there is room.
fn heading(it: &Overview, width: usize) -> String {
    let name = style(format!("openwa-store {}", it.version)).bold().to_string();
    let at = it.at.to_string();
    let time = style(format!(" · {} {} UTC", &at[..10], &at[11..16])).dim().to_string();
    let state = match it.problems.len() {
        0 => style("all is well".to_owned()).green(),
        1 => style("1 problem".to_owned()).red().bold(),
        n => style(format!("{n} problems")).red().bold(),
    }
    .to_string();
    let room = width.saturating_sub(measure_text_width(&name) + measure_text_width(&state));
    let time = if measure_text_width(&time) + 2 <= room { time } else { String::new() };
    let gap = room.saturating_sub(measure_text_width(&time)).max(2);
    format!("{name}{time}{}{state}", " ".repeat(gap))
}

/// Each begins with a mark and goes on below its own beginning: what to do about it stands at its end.
fn problems(it: &Overview, width: usize) -> Vec<String> {
    let mark = style("!").red().bold().to_string();
    let named = it.problems.iter().take(PROBLEMS).map(|text| plain(text));
    let more = it.problems.len().saturating_sub(PROBLEMS);
    let more = (more > 0).then(|| format!("and {more} more"));
    let mut lines = Vec::new();
    for problem in named.chain(more) {
        for (i, line) in wrapped(&problem, width.saturating_sub(2)).into_iter().enumerate() {
            lines.push(format!("{} {}", if i == 0 { &mark } else { " " }, style(line).yellow()));
        }
    }
    lines
}

/// Text in lines of at most `width`, but for words that are longer.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.extend([" ", word]);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A heading with what stands below it; nothing, if nothing does.
fn block(title: &str, lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() {
        return lines;
    }
    let title = [String::new(), style(title).bold().to_string()];
    title.into_iter().chain(lines.into_iter().map(|line| format!("  {line}"))).collect()
}

/// Two columns; the left one is `left_width` wide.
fn beside(left: &[String], right: &[String], left_width: usize) -> Vec<String> {
    let empty = String::new();
    let row = |i| {
        let (l, r) = (left.get(i).unwrap_or(&empty), right.get(i).unwrap_or(&empty));
        let l = truncate_str(l, left_width, "…");
        format!("{l}{}{r}", " ".repeat(left_width + GAP - measure_text_width(&l)))
    };
    (0..left.len().max(right.len())).map(row).collect()
}

/// Cells in columns, aligned on the left.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |i: usize| rows.iter().filter_map(|r| Some(measure_text_width(r.get(i)?))).max();
    let widths: Vec<usize> = (0..columns).map(|i| widest(i).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells =
            row.iter().zip(&widths).map(|(c, w)| format!("{c}{}", " ".repeat(w - measure_text_width(c))));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A line per database, and below it what there is to say beside; where that does not fit, on two lines.
fn databases(it: &Overview, width: usize) -> Vec<String> {
    let row = |d: &DatabaseOverview| {
        let schema = style(format!("schema {}", d.schema_version)).dim().to_string();
        vec![d.database.to_owned(), HumanBytes(d.bytes).to_string(), plain(&d.engine), schema]
    };
    let lines = aligned(&it.databases.iter().map(row).collect::<Vec<_>>());
    let mut out = Vec::new();
    for (line, d) in lines.into_iter().zip(&it.databases) {
        let more = style(database_details(d).join(", ")).dim().to_string();
        let place = format!("      {}", style(plain(&d.place)).dim());
        if more.is_empty() || measure_text_width(&line) + measure_text_width(&more) + 4 <= width {
            out.extend([format!("{line}  {more}"), place]);
        } else {
            out.extend([line, format!("      {more}"), place]);
        }
    }
    out
}

fn database_details(d: &DatabaseOverview) -> Vec<String> {
    let notable = |bytes: &u64| *bytes >= NOTABLE;
    let mut more = Vec::new();
    more.extend(d.wal_bytes.filter(notable).map(|n| format!("log {}", HumanBytes(n))));
    more.extend(d.free_bytes.filter(notable).map(|n| format!("{} to give back", HumanBytes(n))));
    if let (Some(open), Some(most)) = (d.connections, d.max_connections) {
        more.push(format!("{open} of {most} connections"));
    }
    more.extend(d.disk_free_bytes.map(|n| format!("{} left on the disk", HumanBytes(n))));
    more
}

fn about(n: u64, exact: bool) -> String {
    if exact { HumanCount(n).to_string() } else { format!("about {}", short(n)) }
}

fn messages_title(it: &Overview) -> String {
    let kept = it.databases.iter().flat_map(|d| &d.tables).find(|t| t.table == "messages");
    let kept = kept.map_or_else(String::new, |t| format!(" · {} kept", about(t.rows, t.exact)));
    format!("MESSAGES PER DAY{}", style(kept).dim())
}

fn messages(it: &Overview, width: usize) -> Vec<String> {
    if it.days.iter().all(|day| day.messages == 0) {
        return vec![format!("none in the last {} days", it.days.len())];
    }
    let mut lines = chart(&it.days, width.saturating_sub(2));
    let figure = |name: &str, n: u64| format!("{name} {}", about(n, !it.days_estimated));
    let mut figures = Vec::new();
    if let [.., yesterday, today] = &it.days[..] {
        figures.extend([figure("today", today.messages), figure("yesterday", yesterday.messages)]);
    }
    lines.push(figures.join(", "));
    lines
}

fn status(status: SessionStatus, text: String) -> String {
    let styled = style(text);
    match status {
        SessionStatus::Ready => styled.green(),
        SessionStatus::Failed => styled.red(),
        SessionStatus::Disconnected => styled.yellow(),
        _ => styled,
    }
    .to_string()
}

fn sessions(it: &Overview) -> Vec<String> {
    if it.sessions.is_empty() {
        return vec!["none yet".to_owned()];
    }
    let counts = it.sessions.iter().map(|c| status(c.status, format!("{} {}", c.sessions, c.status)));
    let mut lines = vec![counts.collect::<Vec<_>>().join(", ")];
    let named = it.troubled.iter().take(NAMED).map(|s| {
        let name = truncate_str(&plain(s.name.as_stored()), 24, "…").into_owned();
        vec![name, status(s.status, s.status.to_string()), style(ago(s.since, it.at)).dim().to_string()]
    });
    lines.extend(aligned(&named.collect::<Vec<_>>()));
    lines
}

fn growth(it: &Overview) -> Vec<String> {
    let g = &it.growth;
    let mut lines = Vec::new();
    if g.oldest.is_some() {
        let per_day = HumanBytes(g.bytes_per_day);
        lines.push(match g.messages_per_day {
            0 => "no messages in the last days".to_owned(),
            n => format!("about {} messages, {per_day} a day", short(n)),
        });
        let days = g.window.map(|w| w.as_secs() / 86_400);
        lines.push(match (days, g.full_at, g.bytes_when_full) {
            (None, ..) => "messages are kept for ever".to_owned(),
            (Some(days), Some(at), Some(bytes)) => {
                format!("{days} days are full {}: about {}", until(at, it.at), HumanBytes(bytes))
            }
            (Some(days), ..) => format!("{days} days are full: as much goes as comes"),
        });
    }
    let last =
        it.last_retention.map_or("has not run yet".to_owned(), |last| format!("ran {}", ago(last, it.at)));
    lines.push(style(format!("retention {last}")).dim().to_string());
    lines
}

fn webhooks(it: &Overview) -> Vec<String> {
    let d = it.deliveries;
    if d.attempts == 0 {
        return if d.webhooks > 0 {
            vec![format!("{} active, no deliveries in 24 h", d.webhooks)]
        } else {
            Vec::new()
        };
    }
    let rate = d.delivered as f64 * 100.0 / d.attempts as f64;
    // Cut, not rounded: 99.96 % is not everything.
    let text = format!("{:.1} %", (rate * 10.0).floor() / 10.0);
    let rate = if rate >= 95.0 { style(text).green() } else { style(text).red() };
    vec![format!("{rate} of {} deliveries in 24 h, {} active", HumanCount(d.attempts), d.webhooks)]
}

fn keys(it: &Overview) -> Vec<String> {
    let named = it.keys.iter().take(NAMED).map(|k| {
        let name = truncate_str(&plain(k.name.as_stored()), 24, "…").into_owned();
        let when = if k.expires_at <= it.at {
            style(format!("expired {}", ago(k.expires_at, it.at))).red()
        } else {
            style(format!("expires {}", until(k.expires_at, it.at))).yellow()
        };
        vec![name, style(plain(k.key_prefix.as_stored())).dim().to_string(), when.to_string()]
    });
    aligned(&named.collect::<Vec<_>>())
}

/// When each job ran last, and when it is due.
fn maintenance(jobs: &[MaintenanceJob], now: Timestamp) -> Vec<String> {
    let row = |job: &MaintenanceJob| {
        let last = match (trouble(job), job.succeeded_at) {
            _ if job.running => style("running".to_owned()).cyan(),
            (Some(_), _) => style("failed".to_owned()).red(),
            (None, Some(at)) => style(ago(at, now)).green(),
            (None, None) => style("not yet".to_owned()).dim(),
        };
        let next = job.next.map_or_else(String::new, |next| {
            if next <= now { "due".to_owned() } else { format!("next {}", until(next, now)) }
        });
        vec![job_name(job), last.to_string(), style(next).dim().to_string()]
    };
    aligned(&jobs.iter().map(row).collect::<Vec<_>>())
}

/// `3 h ago`.
fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.millis() - at.millis() {
        ms if ms < 60_000 => "just now".to_owned(),
        ms => format!("{} ago", span(ms)),
    }
}

/// `in 3 days`.
fn until(at: Timestamp, now: Timestamp) -> String {
    format!("in {}", span((at.millis() - now.millis()).max(60_000)))
}

fn span(ms: i64) -> String {
    match ms / 60_000 {
        minutes @ ..60 => format!("{minutes} min"),
        minutes @ 60..2880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1440),
    }
}
