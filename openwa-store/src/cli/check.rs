use clap::Args;
use console::style;
use serde_json::json;

use super::exit::{Exit, Result};
use super::json::{Object, array};
use super::meter::metered;
use super::options::Options;
use super::output::Output;
use super::table::plain;
use crate::record::IntoRecord;
use crate::{Finding, Json, RepairOptions, RepairReport, Text};

/// Check everything that is stored, and repair it
///
/// Pages and indexes, references, counters, ids of messages, values that cannot be read. It reads everything once and
/// holds nobody up. With --repair it mends what can be mended without losing anything, and checks again.
#[derive(Args)]
pub struct Check {
    /// Mend what can be mended without losing anything
    #[arg(long)]
    repair: bool,

    /// Only say what would be mended
    #[arg(long, requires = "repair")]
    dry_run: bool,
}

impl Check {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        let how = RepairOptions { dry_run: self.dry_run || !self.repair };
        let report = metered("check", |tell| store.repair(&how, Some(tell)))?;
        let open = if how.dry_run { &report.found } else { &report.left };
        let exit = if open.is_empty() { Exit::Done } else { Exit::Problems };
        if out.is_json() {
            out.json(&self.document(&report))?;
        } else {
            self.tell(&report, out)?;
        }
        Ok(exit)
    }

    fn document(&self, report: &RepairReport) -> Json {
        let findings = |list: &[Finding]| array(list.iter().map(|f| f.clone().into_record().to_json()));
        let problems = array(report.found.iter().map(|f| text(&line(f))));
        let whole = Object::new()
            .put("sound", json!(report.found.is_empty()))
            .put("problems", problems)
            .put("findings", findings(&report.found));
        if !self.repair {
            return whole.done();
        }
        whole
            .put("dry_run", json!(self.dry_run))
            .put("repaired", array(report.repaired.iter().map(|r| r.clone().into_record().to_json())))
            .put("left", findings(&report.left))
            .put("failed", array(report.failed.iter().map(|f| text(f))))
            .done()
    }

    fn tell(&self, report: &RepairReport, out: &mut Output) -> Result<()> {
        if report.found.is_empty() {
            out.line(
                style("Both databases are sound: pages, indexes, references, counters, values.").green(),
            )?;
            return Ok(());
        }
        for finding in &report.found {
            let mark =
                if finding.repairable { style("!").yellow().bold() } else { style("✗").red().bold() };
            out.line(format_args!("{mark} {}", plain(&line(finding))))?;
            out.line(format_args!("    {}", style(finding.advice).dim()))?;
        }
        out.line("")?;
        if !self.repair {
            let mendable = report.found.iter().filter(|f| f.repairable).count();
            let all = found(report.found.len());
            out.line(match mendable {
                0 => format!("{all}, none of which `--repair` can mend."),
                n if n == report.found.len() => format!("{all}; `openwa db check --repair` mends all of it."),
                n => format!("{all}; `openwa db check --repair` mends {n} of them."),
            })?;
            return Ok(());
        }
        for repaired in &report.repaired {
            let how = if self.dry_run { "would mend" } else { "mended" };
            let what = repaired.kind.name().replace('_', " ");
            out.line(format_args!(
                "{} {how} {}: {what}, {}",
                style("✓").green().bold(),
                plain(&repaired.table),
                repaired.count
            ))?;
        }
        for failed in &report.failed {
            out.line(format_args!("{} not mended: {}", style("✗").red().bold(), plain(failed)))?;
        }
        out.line(match report.left.len() {
            0 if self.dry_run => "Nothing would be left.".to_owned(),
            0 => style("A second check finds nothing.").green().to_string(),
            n if self.dry_run => format!("{} would be left.", found(n)),
            n => format!("A second check finds {}:", found(n)),
        })?;
        if !self.dry_run {
            report.left.iter().try_for_each(|f| out.line(format_args!("  {}", plain(&line(f)))))?;
        }
        Ok(())
    }
}

fn line(finding: &Finding) -> String {
    format!("{}: {}", finding.database, finding.text)
}

fn text(line: &str) -> Json {
    Json::from(json!(Text::from(line).as_stored()))
}

fn found(n: usize) -> String {
    if n == 1 { "1 problem".to_owned() } else { format!("{n} problems") }
}
