//! Values between Python and the library.

mod input;
mod output;
mod scalars;

pub use input::{Place, optional, path, put, require};
pub use output::{object, value_to_python};
pub use scalars::prepare;
