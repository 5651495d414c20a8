//! Modules of the user that have the names of the standard library's, and come first on the path. docs/worker_protocol.md 1.5.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::process::Command;

use eetf::Term;

use crate::harness::term::{atom, int, list, string, text};
use crate::harness::{Server, Signpost, pythons, workers};

/// Prints the names of the modules of the standard library.
const NAMES: &str = "import sys, os; print(*sorted(name for name in getattr(sys, 'stdlib_module_names', None) or
    {name.partition('.')[0] for folder in sys.path if os.path.basename(folder) == 'lib-dynload' or folder == os.path.dirname(os.__file__)
     for name in os.listdir(folder)} | {*sys.builtin_module_names} if name.isidentifier()))";

/// Prints which of the modules named on the command line Python itself takes from the folder that comes first.
const OWN: &str = "import sys; sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    try:
        print(__import__(name).mine())
    except Exception:
        pass";

fn ask(python: &str, code: &str, args: &[&str]) -> Vec<String> {
    let output = Command::new(python).args(["-c", code]).args(args).current_dir("/").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

fn names(python: &str) -> Vec<String> {
    let names = ask(python, NAMES, &[]);
    assert!(names.len() > 200, "{names:?}");
    names
}

/// A folder with a module of each of these names.
fn folder<'a>(names: impl IntoIterator<Item = &'a str>) -> Signpost {
    let folder = Signpost::new();
    fs::create_dir(folder.path()).unwrap();
    for name in names {
        let source = format!("def mine():\n    return '{name}'\n");
        fs::write(folder.path().join(format!("{name}.py")), source).unwrap();
    }
    folder
}

fn serve(python: &str, folder: &Path, options: &[(&str, Term)]) -> Server {
    let path = [folder, &workers()].map(|folder| text(folder.to_str().unwrap()));
    let own = [("size", int(1)), ("python", text(python)), ("python_path", list(path))];
    Server::start(own.into_iter().chain(options.iter().cloned()))
}

/// All that a worker does for calls is done as if the modules were not there.
fn assert_works(server: &mut Server, case: &str) {
    let mut call = |function, args: Vec<Term>| server.call(("shadowed", function), args);
    let error = call("fails", vec![text("oh")]).unwrap_err();
    let told = (error.reason(), error.message(), string(&error.detail("type")));
    assert_eq!(told, ("exception".into(), "ValueError: oh".into(), "ValueError".into()), "{case}");
    let traceback = string(&error.detail("traceback"));
    assert!(traceback.starts_with("Traceback (most recent call last):\n  File "), "{case}: {traceback}");
    assert!(traceback.contains("    raise ValueError(text)\n") && traceback.ends_with("ValueError: oh\n"), "{case}");
    assert_eq!(call("awaited", vec![int(7)]), Ok(int(7)), "{case}");
    let error = call("fails_awaited", vec![text("oh")]).unwrap_err();
    assert_eq!((error.reason(), error.message()), ("exception".into(), "ValueError: oh".into()), "{case}");
    let error = call("unencodable", vec![]).unwrap_err();
    assert_eq!((error.reason(), string(&error.detail("path"))), ("unencodable".into(), "element 2".into()), "{case}");
    let error = call("takes", vec![]).unwrap_err();
    assert_eq!(error.reason(), "undef", "{case}");
    assert!(error.message().contains("takes(one) does not take these arguments"), "{case}: {error:?}");
    let error = call("take", vec![]).unwrap_err();
    assert_eq!(
        (error.reason(), string(&error.detail("hint"))),
        ("undef".into(), "did you mean takes?".into()),
        "{case}"
    );
}

#[test]
fn modules_with_all_names_of_the_standard_library_disturb_nobody_and_are_the_users() {
    for python in pythons() {
        let names = names(&python);
        let folder = folder(names.iter().map(String::as_str));
        let mut args = vec![folder.path().to_str().unwrap()];
        args.extend(names.iter().map(String::as_str));
        // Some modules that Python itself has print something.
        let own: BTreeSet<String> = ask(&python, OWN, &args).into_iter().filter(|word| names.contains(word)).collect();
        assert!(own.len() > 150, "{python}: {own:?}");
        for template in [false, true] {
            let preload = [("preload", list([text("shadowed")]))];
            let mut server = serve(&python, folder.path(), if template { &preload } else { &[] });
            let case = format!("{python}, template: {template}");
            let mine = |server: &mut Server| {
                own.iter()
                    .filter(|name| server.call(("shadowed", "its_own"), [text(name)]) == Ok(text(name)))
                    .cloned()
                    .collect()
            };
            // Before all of what a worker imports at need, and after it.
            assert_eq!(own, mine(&mut server), "{case}");
            assert_works(&mut server, &case);
            assert_eq!(own, mine(&mut server), "{case}");
            assert_works(&mut server, &case);
        }
    }
}

#[test]
fn a_module_with_the_name_of_what_a_worker_imports_at_need_disturbs_nobody() {
    let python = pythons().pop().unwrap();
    for name in ["asyncio", "traceback", "ast", "tokenize", "inspect", "logging", "selectors", "socket", "queue"] {
        let folder = folder([name]);
        let mut server = serve(&python, folder.path(), &[]);
        assert_works(&mut server, name);
        assert_eq!(server.call(("shadowed", "its_own"), [text(name)]), Ok(text(name)));
        assert_works(&mut server, name);
    }
}

#[test]
fn what_a_worker_has_imported_is_what_the_user_gets_where_the_user_has_nothing_of_that_name() {
    let python = pythons().pop().unwrap();
    let folder = folder(["queue"]);
    let mut server = serve(&python, folder.path(), &[]);
    for _ in 0..2 {
        assert_eq!(server.call(("shadowed", "runs_in"), []), Ok(atom("true")));
    }
}

/// An archive with a module of each of these names.
const ARCHIVE: &str = "import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as archive:
    for name in sys.argv[2:]:
        archive.writestr(name + '.py', 'def mine():\\n    return ' + repr(name) + '\\n')";

#[test]
fn modules_in_an_archive_or_in_the_working_directory_disturb_nobody_and_are_the_users() {
    for python in pythons() {
        let names = names(&python);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let folder = folder(names.iter().copied());
        let archive = Signpost::new();
        let archive_path = archive.path().to_str().unwrap();
        ask(&python, ARCHIVE, &[&[archive_path], &names[..]].concat());
        let mut server = serve(&python, archive.path(), &[]);
        assert_works(&mut server, &python);
        assert_eq!(server.call(("shadowed", "its_own"), [text("asyncio")]), Ok(text("asyncio")), "{python}");
        assert_works(&mut server, &python);
        // Python is started there, before any of our code runs.
        let cd = [("cd", text(folder.path().to_str().unwrap()))];
        let mut server = Server::start(
            [("size", int(1)), ("python", text(&python)), ("python_path", list([text(workers().to_str().unwrap())]))]
                .into_iter()
                .chain(cd),
        );
        assert_works(&mut server, &python);
        let safe = server.call(("os", "getenv"), [text("PYTHONSAFEPATH")]).unwrap();
        assert_eq!(safe, atom("nil"), "{python}");
    }
}

#[test]
fn a_sitecustomize_that_takes_stdout_and_stderr_away_takes_no_worker_along() {
    for python in pythons() {
        for (source, template) in [
            ("import sys; sys.stdout = sys.stderr = None", false),
            ("import sys; sys.stdout = sys.stderr = None", true),
            ("import sys, io; sys.stdout = io.StringIO(); sys.stderr = io.BytesIO()", false),
            ("import sys; sys.modules['portpool'] = None", false),
        ] {
            let folder = Signpost::new();
            fs::create_dir(folder.path()).unwrap();
            fs::write(folder.path().join("sitecustomize.py"), source).unwrap();
            let path = HashMap::from([(text("PYTHONPATH"), text(folder.path().to_str().unwrap()))]);
            let preload = list(template.then(|| text("shadowed")));
            let options = [("env", eetf::Map::from(path).into()), ("preload", preload)];
            assert_works(&mut serve(&python, &workers(), &options), &format!("{python}, {source}, {template}"));
        }
    }
}
