//! Whether another version of the Python package is installed where a worker would import it, if it had not its own:
//! docs/worker_protocol.md 1.8.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// How `portpool/__init__.py` begins, in every version. Anything else of that name is not ours.
const OURS: &str = "\"\"\"The Python side of Portpool";
/// What precedes the version in that file.
const VERSION: &str = "\n__version__ = \"";
/// How much of the file is read.
const MOST: u64 = 64 << 10;

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its version.
    pub version: String,
    /// The entry of Python's path where it is.
    pub entry: String,
}

/// The first package on this path that is ours, if it has another version.
pub fn other_version(path: &[String]) -> Option<Installed> {
    let (entry, version) = path.iter().find_map(|entry| Some((entry, version_in(entry)?)))?;
    (version != env!("CARGO_PKG_VERSION")).then(|| Installed { version, entry: entry.clone() })
}

fn version_in(entry: &str) -> Option<String> {
    let file = Path::new(entry).join("portpool/__init__.py");
    // A worker may have another working directory. Something other than a file might never end.
    if !file.is_absolute() || !fs::metadata(&file).ok()?.is_file() {
        return None;
    }
    let mut source = Vec::new();
    File::open(&file).ok()?.take(MOST).read_to_end(&mut source).ok()?;
    version_of(&String::from_utf8_lossy(&source))
}

fn version_of(source: &str) -> Option<String> {
    let (_, rest) = source.strip_prefix(OURS)?.split_once(VERSION)?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_our_own_package() {
        let ours = include_str!("../../priv/python/portpool/__init__.py");
        assert_eq!(version_of(ours).as_deref(), Some(env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn a_package_that_only_has_the_name_is_not_ours() {
        for source in ["", "\"\"\"Pools of ports.\"\"\"\n__version__ = \"7.0\"\n", "__version__ = \"0.0.9\"\n"] {
            assert_eq!(version_of(source), None, "{source}");
        }
    }
}
