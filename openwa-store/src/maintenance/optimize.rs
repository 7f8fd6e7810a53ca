//! What keeps a database quick: fresh statistics for its planner, and free pages given back.

use std::ops::ControlFlow;

use super::space;
use crate::entity::Database;
use crate::error::Result;
use crate::store::Store;

/// Renews the statistics, one statement at a time, and gives free pages back. `tell` may stop it between two steps.
pub(super) fn run(
    store: &Store,
    which: Database,
    tell: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    let database = store.database(which);
    let statements = database.read(|conn| conn.dialect().renew_statistics(conn))?;
    let mut done = 0;
    let mut tell = || {
        done += 1;
        tell(done)
    };
    for sql in &statements {
        database.alone(|conn| conn.run(sql, &[])).map_err(|e| e.during("optimize"))?;
        if tell().is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    space::give_back(store, which, "optimize", &mut |_, _| tell())
}
