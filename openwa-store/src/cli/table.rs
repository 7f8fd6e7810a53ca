//! Aligned tables for people.

use std::io::{self, Write};

use console::{Term, measure_text_width, style, truncate_str};

/// A table whose last column may be cut to fit the terminal.
pub struct Table {
    columns: &'static [Column],
    rows: Vec<Vec<String>>,
}

/// Heading of a column and on which side it is aligned.
pub enum Column {
    Left(&'static str),
    Right(&'static str),
}

const GAP: usize = 2;
/// The last column keeps this much, however narrow the terminal is.
const LAST_AT_LEAST: usize = 12;

impl Table {
    pub fn new(columns: &'static [Column]) -> Self {
        Table { columns, rows: Vec::new() }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns.len());
        self.rows.push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let term = Term::stdout();
        let width = if term.is_term() { usize::from(term.size().1) } else { usize::MAX };
        let widths = self.widths(width);
        let heading: Vec<String> = self.columns.iter().map(|c| c.heading().to_owned()).collect();
        writeln!(to, "{}", style(self.line(&heading, &widths)).bold())?;
        self.rows.iter().try_for_each(|row| writeln!(to, "{}", self.line(row, &widths)))
    }

    fn widths(&self, terminal: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|c| measure_text_width(c.heading())).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(measure_text_width(cell));
            }
        }
        if let Some((last, others)) = widths.split_last_mut() {
            let taken = others.iter().sum::<usize>() + others.len() * GAP;
            *last = (*last).min(terminal.saturating_sub(taken).max(LAST_AT_LEAST));
        }
        widths
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut out = String::new();
        for ((cell, width), column) in cells.iter().zip(widths).zip(self.columns) {
            let cell = truncate_str(cell, *width, "…");
            let pad = " ".repeat(width.saturating_sub(measure_text_width(&cell)));
            match column {
                Column::Left(_) => out.extend([&*cell, &pad]),
                Column::Right(_) => out.extend([&*pad, &cell]),
            }
            out.push_str(&" ".repeat(GAP));
        }
        out.truncate(out.trim_end().len());
        out
    }
}

impl Column {
    fn heading(&self) -> &'static str {
        match self {
            Column::Left(heading) | Column::Right(heading) => heading,
        }
    }
}

/// A cell on one line, without anything that a terminal would obey: what strangers write is shown here.
pub fn plain(cell: &str) -> String {
    cell.chars()
        .map(|c| match c {
            '\n' => '⏎',
            '\t' | '\r' => ' ',
            // Marks that turn the direction of the text, and so would reorder the line.
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => ' ',
            '\u{2028}' | '\u{2029}' => '⏎',
            c if c.is_control() => '·',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[Column::Left("NAME"), Column::Right("N"), Column::Left("BODY")];

    fn table() -> Table {
        let mut table = Table::new(COLUMNS);
        table.row(["日本".into(), "7".into(), "one\ntwo\u{1b}[31m".into()]);
        table.row(["ab".into(), "1234".into(), "a long body that does not fit".into()]);
        table
    }

    #[test]
    fn wide_characters_align_and_nothing_reaches_the_terminal_unseen() {
        let table = table();
        let widths = table.widths(usize::MAX);
        assert_eq!(table.line(&table.rows[0], &widths), "日本     7  one⏎two·[31m");
        assert_eq!(table.line(&table.rows[1], &widths), "ab    1234  a long body that does not fit");
    }

    #[test]
    fn the_last_column_gives_way_to_a_narrow_terminal() {
        let table = table();
        let widths = table.widths(30);
        let line = table.line(&table.rows[1], &widths);
        assert_eq!(line, "ab    1234  a long body that …");
        assert_eq!(measure_text_width(&line), 30);
    }
}
