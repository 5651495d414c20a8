//! What a run reports at its end: `make test` and `make soak` print it.

use std::path::PathBuf;

/// Prints a part, and leaves it in the folder that PORTPOOL_SUMMARY names, if it does. Parts are shown in the order of their names.
pub fn add(part: &str, text: &str) {
    println!("{text}");
    if let Some(folder) = std::env::var_os("PORTPOOL_SUMMARY").map(PathBuf::from) {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(part), format!("{text}\n")).unwrap();
    }
}
