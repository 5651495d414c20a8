//! What a new Python is told: the stub on its command line and the start order on its channel. docs/worker_protocol.md 1.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::wire::PROTOCOL;
use crate::codec::PickleWriter;

/// Takes the working directory off `sys.path` before anything is imported, then runs the boot module out of the start order.
pub(super) const STUB: &str = "import sys;sys.path[:]=[p for p in sys.path if p];import pickle;\
     order=pickle.load(open(0,'rb',closefd=False));exec(compile(order['boot'],'<portpool>/_boot.py','exec'))";

/// The first argument after the stub, so that `ps` says what this Python is.
pub(super) const TITLE: &str = "portpool-worker";

/// A directory with the package that is used instead of the embedded one, for whoever works on it.
const DIRECTORY: &str = "PORTPOOL_PYTHON_DIR";

const BOOT: (&str, &str) = ("_boot.py", include_str!("../../priv/python/portpool/_boot.py"));

/// Module, file, embedded source.
const SOURCES: [(&str, &str, &str); 6] = [
    ("portpool", "__init__.py", include_str!("../../priv/python/portpool/__init__.py")),
    ("portpool._codec", "_codec.py", include_str!("../../priv/python/portpool/_codec.py")),
    ("portpool._errors", "_errors.py", include_str!("../../priv/python/portpool/_errors.py")),
    ("portpool._types", "_types.py", include_str!("../../priv/python/portpool/_types.py")),
    ("portpool._wire", "_wire.py", include_str!("../../priv/python/portpool/_wire.py")),
    ("portpool._worker", "_worker.py", include_str!("../../priv/python/portpool/_worker.py")),
];

/// The start order, the same for all workers of a pool.
pub(super) fn start_order(python_path: &[PathBuf], max_frame: usize) -> std::io::Result<Vec<u8>> {
    let directory = std::env::var_os(DIRECTORY).map(PathBuf::from);
    let source = |file: &str, embedded: &str| match &directory {
        Some(directory) => std::fs::read_to_string(directory.join("portpool").join(file)),
        None => Ok(embedded.to_owned()),
    };
    let mut order = PickleWriter::new();
    order.dict_start();
    order.str("boot");
    order.str(&source(BOOT.0, BOOT.1)?);
    order.str("sources");
    order.dict_start();
    for (module, file, embedded) in SOURCES {
        order.str(module);
        order.str(&source(file, embedded)?);
    }
    order.dict_end();
    order.str("python_path");
    order.list_start();
    for entry in python_path {
        order.str(&path_text(entry));
    }
    order.list_end();
    for (key, value) in
        [("parent", u64::from(std::process::id())), ("protocol", PROTOCOL), ("max_frame", max_frame as u64)]
    {
        order.str(key);
        order.int(i64::try_from(value).unwrap_or(i64::MAX));
    }
    order.dict_end();
    Ok(order.finish())
}

/// A path as Python writes it in a `str`. Options come as UTF-8, so nothing is lost here.
fn path_text(path: &Path) -> String {
    String::from_utf8_lossy(OsStr::as_bytes(path.as_os_str())).into_owned()
}
