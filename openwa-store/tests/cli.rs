//! The openwa command, run as people run it.
