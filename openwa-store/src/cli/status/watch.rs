//! Showing it again and again.

use std::io::Write;
use std::time::Duration;

use console::Term;

use crate::cli::exit::{Exit, Failure, Result};
use crate::cli::output::Output;

/// Shows a frame every `every`. On a terminal each is drawn over the one before, in one write, so that nothing flickers;
/// neither cursor nor screen are switched, so whatever ends this leaves the terminal as it should be. Elsewhere one frame
/// follows another.
pub fn run(
    every: Duration,
    out: &mut Output,
    mut frame: impl FnMut(&Output) -> Result<Vec<String>>,
) -> Result<Exit> {
    let term = Term::stdout();
    let mut before: Option<Drawn> = None;
    loop {
        let lines = match frame(out) {
            // What may pass is shown until it has.
            Err(Failure::Store(e)) if e.retryable() && before.is_some() => vec![format!("openwa: {e}")],
            lines => lines?,
        };
        if term.is_term() && !out.is_json() {
            let (height, width) = term.size();
            let size = (height, width);
            // A line below the last one stays free for the cursor.
            let shown = &lines[..lines.len().min(usize::from(height).saturating_sub(1))];
            out.writer().write_all(drawn(shown, before.as_ref().filter(|b| b.size == size)).as_bytes())?;
            before = Some(Drawn { lines: shown.len(), size });
        } else {
            if before.is_some() && !out.is_json() {
                out.line("")?;
            }
            lines.iter().try_for_each(|line| out.line(line))?;
            before = Some(Drawn { lines: lines.len(), size: (0, 0) });
        }
        out.flush()?;
        std::thread::sleep(every);
    }
}

struct Drawn {
    lines: usize,
    size: (u16, u16),
}

/// The bytes that draw a frame over the one before; without one, or in a terminal of another size, on an empty screen.
fn drawn(lines: &[String], before: Option<&Drawn>) -> String {
    let mut text = match before {
        Some(before) if before.lines > 0 => format!("\x1b[{}A\r", before.lines),
        Some(_) => String::new(),
        None => "\x1b[2J\x1b[H".to_owned(),
    };
    for line in lines {
        // The rest of the line is cleared behind the text, not before it.
        text.extend([line, "\x1b[K\n"]);
    }
    text + "\x1b[J"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_goes_over_the_one_before() {
        let lines = vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(drawn(&lines, None), "\x1b[2J\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J");
        let before = Drawn { lines: 2, size: (24, 80) };
        assert_eq!(drawn(&lines[..1], Some(&before)), "\x1b[2A\rone\x1b[K\n\x1b[J");
    }
}
