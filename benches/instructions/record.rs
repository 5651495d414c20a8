//! instructions.txt: the recorded counts, and whether a new count still fits them.

use std::fs;

use crate::callgrind::version;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions/instructions.txt");
/// The largest allowed difference from the record, in per cent.
const TOLERANCE: f64 = 15.0;

/// The instructions of one call.
pub(crate) struct Count {
    pub(crate) path: String,
    pub(crate) instructions: u64,
}

/// The result of a comparison.
pub(crate) struct Verdict {
    pub(crate) holds: bool,
    /// One line for people.
    pub(crate) text: String,
}

/// The recorded counts.
pub(crate) struct Record(Vec<Count>);

impl Record {
    /// Reads the file; empty if there is none.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(FILE).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let counts = lines.filter_map(|line| line.rsplit_once(": ")).map(|(path, count)| Count {
            path: path.to_owned(),
            instructions: count.trim().parse().unwrap_or_else(|_| panic!("{FILE}: {path}: {count:?} is not a number")),
        });
        Self(counts.collect())
    }

    /// Replaces the file.
    pub(crate) fn write(counts: &[Count]) {
        let (rustc, valgrind) = (version("rustc"), version("valgrind"));
        let head = format!(
            "# Instructions per call, counted by callgrind. `make test` fails if a count differs by more than {TOLERANCE} %;\n\
             # `make instructions` writes this file. Counted with {rustc}, {valgrind}.\n"
        );
        let lines = counts.iter().map(|Count { path, instructions }| format!("{path}: {instructions}\n"));
        fs::write(FILE, head + &lines.collect::<String>()).unwrap();
    }

    /// Judges whether a count is close enough to the record. A count that has shrunk fails too, because the gain could
    /// be lost again unnoticed.
    pub(crate) fn judge(&self, count: &Count) -> Verdict {
        let Count { path, instructions } = count;
        let Some(recorded) = self.0.iter().find(|recorded| recorded.path == *path) else {
            return Verdict {
                holds: false,
                text: format!("{path}: {instructions} instructions, not recorded yet: run `make instructions`"),
            };
        };
        let was = recorded.instructions;
        let change = (*instructions as f64 / was as f64 - 1.0) * 100.0;
        let advice = match () {
            () if change > TOLERANCE => ": it has grown; if that is intended, run `make instructions`",
            () if change < -TOLERANCE => ": it has shrunk; run `make instructions` to keep the gain",
            () => "",
        };
        let text = format!("{path}: {instructions} instructions, recorded {was} ({change:+.1} %){advice}");
        Verdict { holds: advice.is_empty(), text }
    }
}
