//! The last lines that a process wrote to stderr, for the error that says why it ended.

use std::collections::VecDeque;

/// The number of lines shown in an error.
const MOST: usize = 20;
/// How the report of a crash begins. It is Python's, by `faulthandler`.
const CRASH: &str = "Fatal Python error";
/// How the lines of such a report go on that are not indented. Stacks are: those of Python and, from 3.14 on, of C.
const HEADINGS: [&str; 6] =
    ["Current thread", "Thread 0x", "Stack (most recent", "Python runtime state", "Extension modules", "<"];

/// The line that says why a process ended. Python tells of a crash first, and of where it was after that.
pub(super) fn last_words(lines: &[String]) -> Option<&str> {
    let crash = lines.iter().rev().find(|line| line.starts_with(CRASH));
    crash.or(lines.last()).map(String::as_str)
}

/// The last lines, or the first ones of the report of a crash that is the last thing written, however long it is.
#[derive(Debug, Default)]
pub(super) struct LastLines {
    lines: VecDeque<String>,
    in_report: bool,
}

impl LastLines {
    pub(super) fn keep(&mut self, line: &str) {
        let is_crash = line.starts_with(CRASH);
        self.in_report = is_crash || (self.in_report && goes_on(line));
        if self.lines.len() == MOST {
            let only_report = self.lines.front().is_some_and(|first| first.starts_with(CRASH));
            if self.in_report && only_report && !is_crash {
                return;
            }
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }
}

fn goes_on(line: &str) -> bool {
    line.starts_with(' ') || HEADINGS.iter().any(|heading| line.starts_with(heading))
}

impl From<LastLines> for Vec<String> {
    fn from(last: LastLines) -> Self {
        last.lines.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(lines: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut last = LastLines::default();
        lines.into_iter().for_each(|line| last.keep(&line));
        last.into()
    }

    fn report(of: &str, frames: usize) -> impl Iterator<Item = String> {
        let head = [format!("{CRASH}: {of}"), "Current thread 0x01 (most recent call first):".to_owned()];
        head.into_iter().chain((0..frames).map(|frame| format!("  File \"<string>\", line {frame} in f")))
    }

    fn plain(lines: usize) -> impl Iterator<Item = String> {
        (0..lines).map(|line| format!("line {line}"))
    }

    #[test]
    fn of_plain_lines_the_last_ones_are_kept() {
        assert_eq!(kept(plain(50)), plain(50).skip(50 - MOST).collect::<Vec<_>>());
    }

    #[test]
    fn a_report_is_kept_from_its_first_line_on_whatever_its_length() {
        for (before, frames) in [(0, 3), (0, 200), (17, 10), (50, 200)] {
            let lines = kept(plain(before).chain(report("one", frames)));
            assert_eq!(last_words(&lines), Some("Fatal Python error: one"), "{before} {frames}");
            if frames > MOST {
                assert_eq!(lines, report("one", frames).take(MOST).collect::<Vec<_>>(), "{before}");
            }
        }
    }

    #[test]
    fn a_report_that_is_followed_by_other_lines_goes_like_them() {
        let lines = kept(report("of a child", 200).chain(plain(MOST)));
        assert_eq!(lines, plain(MOST).collect::<Vec<_>>());
        let lines = kept(report("of a child", 200).chain(report("its own", 200)));
        assert_eq!(lines, report("its own", 200).take(MOST).collect::<Vec<_>>());
    }
}
