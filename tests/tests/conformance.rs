//! Runs every case of the conformance suite against every configuration, each as a test of its own:
//! `sqlite_file::messages::a_duplicate_never_overwrites`.

use libtest_mimic::{Arguments, Trial};
use openwa_tests::conformance::{Configuration, Context, GROUPS};

fn main() {
    let mut trials = Vec::new();
    for &configuration in Configuration::ALL {
        for group in GROUPS {
            let persistent = group.persistent.iter().filter(|_| configuration.persistent());
            for &(name, case) in group.cases.iter().chain(persistent) {
                let name = format!("{}::{}::{name}", configuration.name(), group.name);
                trials.push(Trial::test(name, move || {
                    case(&Context::new(configuration));
                    Ok(())
                }));
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
