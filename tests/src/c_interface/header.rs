use cbindgen::{Builder, Config, DocumentationStyle, ExportConfig, Language, Style};
use openwa_store::face::VERBS;

use super::Generated;

/// The files of `ffi/src` in the order of the header, and the heading of their functions.
const FILES: &[(&str, &str)] = &[
    ("codes.rs", ""),
    ("text.rs", "Text"),
    ("error.rs", "Errors"),
    ("version.rs", "Versions"),
    ("store.rs", "Opening and closing"),
    ("record.rs", "Records"),
    ("columns.rs", "Columns of records"),
    ("rows.rs", "Cursors"),
    ("call.rs", ""),
    ("later.rs", "Writes for event loops"),
    ("direct.rs", "Without records"),
    ("verbs.rs", ""),
];

/// The headings of the groups of verbs.
const GROUPS: &[(&str, &str)] = &[
    ("store", "The store: events, files, upkeep"),
    ("sessions", "Sessions and their life"),
    ("messages", "Message history"),
    ("contacts", "Contacts and the two addresses of a person"),
    ("webhooks", "Webhooks, their delivery log, idempotency"),
    ("batches", "Bulk jobs"),
    ("auth", "An engine's credentials"),
    ("api_keys", "API keys, their whitelists and the log of their use"),
    ("audit", "The audit trail"),
    ("policy", "Rules, which need no store"),
];

const INTRODUCTION: &str = "\
/*
 * libopenwa: the embedded store for WhatsApp gateways.
 *
 * Sessions and their life, message history with exact deduplication, contacts, webhooks with delivery log and
 * idempotency, API keys, bulk jobs, audit, in SQLite or PostgreSQL. The guide is docs/c.md.
 *
 *   openwa_error *err = NULL;
 *   openwa_store *store = NULL;
 *   if (openwa_store_open(OPENWA_STR(\"{\\\"dir\\\": \\\"./data\\\"}\"), &store, &err) != OPENWA_OK) {
 *       fprintf(stderr, \"%s\\n\", openwa_error_message(err));
 *       openwa_error_free(err);
 *   }
 *
 * What holds for every function:
 *
 * - It returns OPENWA_OK or one of OPENWA_ERR_…; with an error, *err is an object to be freed. err may be NULL.
 * - Outputs are cleared first and set only on success. An output that does not interest may be NULL; then nothing has
 *   to be freed.
 * - What goes in is copied. A record that goes in stays the caller's.
 * - It blocks until it is done; a write until it is durable. Writes of many threads share commits. Any number of
 *   threads may use one store; a record or cursor belongs to one thread at a time.
 * - It never crashes for NULL, a closed store, a handle that was just freed, or text that is not UTF-8: those are errors.
 *   A defect of the library ends as OPENWA_ERR_INTERNAL.
 * - A store that was open at a fork() answers OPENWA_ERR_FORKED in the child, and so does opening it there. Close it
 *   before, or open it in the child only.
 *
 * Generated from the sources in ffi/; do not edit.
 */
";

const MACROS: &str = "\
/** A literal as openwa_str: OPENWA_STR(\"shop-1\"). */
#ifdef __cplusplus
#define OPENWA_STR(literal) (openwa_str{\"\" literal, sizeof(literal) - 1})
#else
#define OPENWA_STR(literal) ((openwa_str){\"\" literal, sizeof(literal) - 1})
#endif

/** A NUL-terminated string as openwa_str; NULL is no text. */
static inline openwa_str openwa_cstr(const char *text) {
  openwa_str out;
  out.ptr = text;
  out.len = 0;
  while (text != NULL && text[out.len] != '\\0') {
    out.len++;
  }
  return out;
}

/** No text: an argument that is not given. */
#define OPENWA_NONE openwa_cstr(NULL)
";

fn version_macros() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let parts: Vec<i32> = version.split('.').map(|n| n.parse().expect("a plain version")).collect();
    let number = parts[0] * 1_000_000 + parts[1] * 1_000 + parts[2];
    format!(
        "/** The version of this header; the library's own is openwa_version(). */\n#define OPENWA_VERSION \"{version}\"\n\n\
         /** The same as a number: major * 1,000,000 + minor * 1,000 + patch. */\n#define OPENWA_VERSION_NUMBER {number}\n"
    )
}

pub(super) fn file() -> Generated {
    let config = Config {
        language: Language::C,
        cpp_compat: true,
        include_guard: Some("OPENWA_H".to_owned()),
        no_includes: true,
        sys_includes: ["stdbool.h", "stddef.h", "stdint.h"].map(str::to_owned).to_vec(),
        header: Some(INTRODUCTION.to_owned()),
        style: Style::Type,
        usize_is_size_t: true,
        documentation_style: DocumentationStyle::Doxy,
        line_length: 100,
        tab_width: 2,
        // Only in builds for tests.
        export: ExportConfig { exclude: vec!["openwa_test_panic".to_owned()], ..ExportConfig::default() },
        after_includes: Some(format!("\n{}", version_macros())),
        ..Config::default()
    };
    let mut builder = Builder::new().with_config(config);
    for (file, _) in FILES {
        builder = builder.with_src(super::root().join("ffi/src").join(file));
    }
    let mut out = Vec::new();
    builder.generate().expect("a header").write(&mut out);
    let header = String::from_utf8(out).expect("UTF-8");
    Generated { path: "include/openwa.h", content: arranged(&header) }
}

/// Puts headings over the groups of functions, and the macros behind the types they use.
fn arranged(header: &str) -> String {
    let functions_start = "#ifdef __cplusplus\nextern \"C\" {";
    let (types, functions) = header.split_once(functions_start).expect("functions behind types");
    let mut out = format!("{types}{MACROS}\n{functions_start}");
    // A comment belongs to the function behind it, so a heading goes before the comment.
    let mut last = String::new();
    for (i, item) in functions.split("\n/**\n").enumerate() {
        if i > 0 {
            let heading = heading_of(item);
            if heading != last {
                out.push_str(&format!(
                    "\n\n/* ---- {heading} {} */\n",
                    "-".repeat(88 - heading.chars().count())
                ));
                last = heading;
            }
            out.push_str("\n/**\n");
        }
        out.push_str(item.trim_end_matches('\n'));
        out.push('\n');
    }
    out
}

/// The heading for the function behind a comment.
fn heading_of(item: &str) -> String {
    let code = item.split("*/").nth(1).unwrap_or_default();
    let name = code.split('(').next().unwrap_or_default().rsplit([' ', '*']).next().unwrap_or_default();
    if let Some(verb) = VERBS.iter().find(|v| format!("openwa_{}_{}", v.group, v.name) == name) {
        let (_, heading) =
            GROUPS.iter().find(|(group, _)| *group == verb.group).expect("a heading for the group");
        return (*heading).to_owned();
    }
    for (file, heading) in FILES {
        let source =
            std::fs::read_to_string(super::root().join("ffi/src").join(file)).expect("a source file");
        if source.contains(&format!("fn {name}(")) {
            return (*heading).to_owned();
        }
    }
    panic!("{name} is in none of the files: {item}")
}
