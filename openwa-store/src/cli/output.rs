//! Standard output, for people or for programs.

use std::io::{self, BufWriter, Write};

use crate::Json;

use super::table::Table;

pub struct Output {
    to: BufWriter<Box<dyn Write>>,
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Output { to: BufWriter::new(Box::new(io::stdout())), json }
    }

    /// Standard error instead, for a command whose standard output has what it makes.
    pub fn beside(&self) -> Self {
        Output { to: BufWriter::new(Box::new(io::stderr())), json: self.json }
    }

    /// Whether a program reads.
    pub fn is_json(&self) -> bool {
        self.json
    }

    pub fn line(&mut self, line: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.to, "{line}")
    }

    /// One JSON document on one line.
    pub fn json(&mut self, document: &Json) -> io::Result<()> {
        self.line(document)
    }

    pub fn table(&mut self, table: &Table) -> io::Result<()> {
        table.write(&mut self.to)
    }

    pub fn writer(&mut self) -> &mut impl Write {
        &mut self.to
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
