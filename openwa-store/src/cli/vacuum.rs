use std::ops::ControlFlow;

use clap::Args;
use console::style;
use indicatif::{HumanBytes, HumanCount};

use super::exit::{Exit, Failure, Result};
use super::meter::Meter;
use super::options::Options;
use super::output::Output;
use super::table::{Column, Table};
use crate::record::IntoRecord;
use crate::{Progress, VacuumOptions, VacuumReport};

/// Give the space of deleted rows back
///
/// It keeps nobody from working: SQLite gives free pages back a few at a time, PostgreSQL makes room for new rows in its
/// tables. Ctrl-C stops it and loses nothing.
#[derive(Args)]
pub struct Vacuum {
    /// Write everything anew, which gives back the most. On SQLite nobody can write meanwhile, and as much room as the
    /// database takes is needed beside it; on PostgreSQL nobody can use the table that it is at
    #[arg(long)]
    full: bool,
}

impl Vacuum {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        let mut meter = Meter::rows("vacuum");
        let report = store.vacuum(
            &VacuumOptions { full: self.full },
            Some(&mut |at: Progress| {
                meter.say(match at.total {
                    Some(total) => format!("{}: {} of {}", at.table, HumanCount(at.rows), HumanCount(total)),
                    None => format!("{}: writing it anew", at.table),
                });
                ControlFlow::Continue(())
            }),
        );
        meter.done();
        let report = report?;
        if report.already_running {
            return Err(Failure::new(
                Exit::TryAgain,
                "another process is at it already",
                "wait until it is done",
            ));
        }
        if out.is_json() {
            out.json(&report.into_record().to_json())?;
            return Ok(Exit::Done);
        }
        tell(&report, out)
    }
}

fn tell(report: &VacuumReport, out: &mut Output) -> Result<Exit> {
    let mut table = Table::new(&[
        Column::Left("DATABASE"),
        Column::Left("TABLE"),
        Column::Right("BEFORE"),
        Column::Right("AFTER"),
        Column::Right("GIVEN BACK"),
    ]);
    let size = |n: u64| HumanBytes(n).to_string();
    for part in &report.parts {
        let back = part.bytes_before.saturating_sub(part.bytes_after);
        table.row([
            part.database.to_owned(),
            part.table.clone().unwrap_or_else(|| "all".to_owned()),
            size(part.bytes_before),
            size(part.bytes_after),
            if back > 0 { size(back) } else { "-".to_owned() },
        ]);
    }
    out.table(&table)?;
    let freed = report.bytes_freed();
    out.line(if freed > 0 {
        style(format!("{} given back", HumanBytes(freed))).green().to_string()
    } else {
        "There was nothing to give back.".to_owned()
    })?;
    Ok(Exit::Done)
}
