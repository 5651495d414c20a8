//! instructions.txt: what was counted when somebody last looked, and whether a count still fits.

use std::fs;

use crate::callgrind::version;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions/instructions.txt");
/// How far a count may be from the record, in per cent.
const TOLERANCE: f64 = 15.0;

/// The instructions of one call.
pub(crate) struct Count {
    pub(crate) path: String,
    pub(crate) instructions: u64,
}

/// What comes of a comparison.
pub(crate) struct Verdict {
    pub(crate) holds: bool,
    /// One line for people.
    pub(crate) text: String,
}

/// The counts of the file.
pub(crate) struct Record(Vec<Count>);

impl Record {
    /// What the file says; nothing if there is none.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(FILE).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let counts = lines.filter_map(|line| line.rsplit_once(": ")).map(|(path, count)| Count {
            path: path.to_owned(),
            instructions: count.trim().parse().unwrap_or_else(|_| panic!("{FILE}: {path}: {count:?} is no number")),
        });
        Self(counts.collect())
    }

    /// Replaces the file.
    pub(crate) fn write(counts: &[Count]) {
        let (rustc, valgrind) = (version("rustc"), version("valgrind"));
        let head = format!(
            "# Instructions a call, counted by callgrind. `make test` fails where a count differs by more than {TOLERANCE} %;\n\
             # `make instructions` writes this file. Counted with {rustc}, {valgrind}.\n"
        );
        let lines = counts.iter().map(|Count { path, instructions }| format!("{path}: {instructions}\n"));
        fs::write(FILE, head + &lines.collect::<String>()).unwrap();
    }

    /// Whether a count is near enough to the recorded one. One that has shrunk does not hold either: what was won could be lost again
    /// unseen.
    pub(crate) fn judge(&self, count: &Count) -> Verdict {
        let Count { path, instructions } = count;
        let Some(recorded) = self.0.iter().find(|recorded| recorded.path == *path) else {
            return Verdict {
                holds: false,
                text: format!("{path}: {instructions}, not recorded: `make instructions` does that"),
            };
        };
        let was = recorded.instructions;
        let change = (*instructions as f64 / was as f64 - 1.0) * 100.0;
        let advice = match () {
            () if change > TOLERANCE => ": it has grown; if that is meant, `make instructions` records it",
            () if change < -TOLERANCE => ": it has shrunk; `make instructions` records it, so that it stays so",
            () => "",
        };
        let text = format!("{path}: {instructions} instructions, recorded are {was} ({change:+.1} %){advice}");
        Verdict { holds: advice.is_empty(), text }
    }
}
