//! Messages per day as bars.

use console::style;
use indicatif::HumanCount;

use crate::DayCount;

/// Lines of the bars.
const HEIGHT: u64 = 6;
/// A line of a bar in eighths.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The widest a day gets.
const WIDEST: usize = 5;

/// The chart, at most `width` columns wide. The oldest days are left out if there is no room for all.
pub fn chart(days: &[DayCount], width: usize) -> Vec<String> {
    let most = days.iter().map(|d| d.messages).max().unwrap_or(0).max(1);
    let label = short(most);
    let room = width.saturating_sub(label.chars().count() + 3).max(1);
    let days = &days[days.len().saturating_sub(room / 2)..];
    let wide = (room / days.len().max(1)).clamp(2, WIDEST);
    let mut lines: Vec<String> = (0..HEIGHT)
        .rev()
        .map(|line| {
            let bars: String = days
                .iter()
                .map(|d| {
                    let bar = EIGHTHS[eighths(d.messages, most, line)].to_string().repeat(wide - 1);
                    format!("{bar} ")
                })
                .collect();
            let mark = if line + 1 == HEIGHT { &*label } else { "" };
            let axis = style(format!("{mark:>w$} ┤", w = label.chars().count())).dim();
            format!("{axis}{}", style(bars.trim_end()).cyan())
        })
        .collect();
    let line = "─".repeat(days.len() * wide);
    lines.push(style(format!("{:>w$} └{line}", 0, w = label.chars().count())).dim().to_string());
    lines.push(
        style(format!("{}{}", " ".repeat(label.chars().count() + 2), dates(days, wide))).dim().to_string(),
    );
    lines
}

/// How much of a line a bar fills, in eighths. What is there at all shows.
fn eighths(n: u64, most: u64, line: u64) -> usize {
    let height = (u128::from(n) * u128::from(HEIGHT * 8)).div_ceil(u128::from(most));
    usize::try_from(height.saturating_sub(u128::from(line * 8)).min(8)).unwrap_or(8)
}

/// The days below the bars: the day of the month where it fits, and the month where it begins.
fn dates(days: &[DayCount], wide: usize) -> String {
    let mut out = String::new();
    for (i, d) in days.iter().enumerate() {
        let date = d.day.to_string();
        let at = i * wide;
        if out.chars().count() > at {
            continue;
        }
        let (month, day) = (&date[5..7], &date[8..10]);
        let text = if i == 0 || day == "01" { format!("{day}.{month}.") } else { day.to_owned() };
        // Every day has its number where there is room; else every week.
        let due = wide > 2 || i % 7 == 0 || day == "01";
        let gap = if out.is_empty() { 0 } else { 1 };
        if due && out.chars().count() + gap <= at && at + text.len() <= days.len() * wide + 2 {
            out.push_str(&" ".repeat(at - out.chars().count()));
            out.push_str(&text);
        }
    }
    out
}

/// A number in at most five characters.
pub fn short(n: u64) -> String {
    const UNITS: [(u64, char); 3] = [(1_000_000_000, 'G'), (1_000_000, 'M'), (1000, 'k')];
    // What rounds up to the next unit is shown in it.
    match UNITS.iter().find(|(unit, _)| n + unit / 2000 >= *unit && n >= 10_000) {
        Some((unit, name)) => {
            let value = n as f64 / *unit as f64;
            if value < 9.95 { format!("{value:.1}{name}") } else { format!("{value:.0}{name}") }
        }
        None => HumanCount(n).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (9999, "9,999"),
            (10_000, "10k"),
            (333_333, "333k"),
            (999_600, "1.0M"),
            (1_250_000, "1.2M"),
            (12_500_000_000, "12G"),
        ] {
            assert_eq!(short(n), text);
        }
    }

    #[test]
    fn bars_fill_lines_in_eighths_and_nothing_hides() {
        let bar = |n| (0..HEIGHT).map(|line| EIGHTHS[eighths(n, 4800, line)]).collect::<String>();
        assert_eq!(bar(4800), "██████");
        assert_eq!(bar(2400), "███   ");
        assert_eq!(bar(2450), "███▁  ");
        assert_eq!(bar(1), "▁     ");
        assert_eq!(bar(0), "      ");
    }

    #[test]
    fn a_narrow_chart_shows_the_latest_days() {
        let start: crate::Timestamp = "2026-01-25".parse().unwrap();
        let days: Vec<DayCount> = (0..14u32)
            .map(|i| DayCount {
                day: start.plus(std::time::Duration::from_secs(86_400) * i),
                messages: u64::from(i),
            })
            .collect();
        for width in [40, 60, 80, 140] {
            let lines = chart(&days, width);
            let widest = lines.iter().map(|l| console::measure_text_width(l)).max().unwrap();
            assert!(widest <= width, "{widest} > {width}:\n{}", lines.join("\n"));
            assert!(lines.last().unwrap().contains("01.02."), "{}", lines.join("\n"));
        }
    }
}
