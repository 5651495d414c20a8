//! No circle: neither among the arrows between rooms, nor among the files of a room.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::paths::{Named, Path};
use super::{ARROWS, files, root};

type Graph<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// A circle in a graph, from a node back to it.
fn circle<'a>(graph: &Graph<'a>) -> Option<Vec<&'a str>> {
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| circle_from(graph, start, &mut Vec::new(), &mut done))
}

fn circle_from<'a>(
    graph: &Graph<'a>,
    node: &'a str,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(at) = way.iter().position(|before| *before == node) {
        return Some(way[at..].iter().copied().chain([node]).collect());
    }
    if done.contains(node) {
        return None;
    }
    way.push(node);
    let found = graph.get(node).into_iter().flatten().find_map(|next| circle_from(graph, next, way, done));
    way.pop();
    done.insert(node);
    found
}

/// The modules of the sources, and what each names.
struct Sources(BTreeMap<Path, Named>);

impl Sources {
    fn read() -> Self {
        let source = root().join("src");
        let modules = files(&source, "rs").into_iter().map(|path| {
            let inside = path.strip_prefix(&source).unwrap().with_extension("");
            let mut module: Path = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            module.pop_if(|last| last == "mod");
            (module, Named::by(&fs::read_to_string(&path).unwrap()))
        });
        Self(modules.collect())
    }

    /// The module in which a path ends that `module` names; through the imports of others, if it is one of those.
    fn resolve(&self, module: &[String], path: &[String]) -> Option<Path> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (module.to_vec(), &path[1..]),
            "super" => {
                let up = path.iter().take_while(|name| *name == "super").count();
                (module[..module.len().checked_sub(up)?].to_vec(), &path[up..])
            }
            child if self.0.contains_key(&join(module, child)) => (module.to_vec(), path),
            _ => return None,
        };
        while let Some(child) = rest.first().filter(|name| self.0.contains_key(&join(&at, name))) {
            at = join(&at, child);
            rest = &rest[1..];
        }
        let import = rest.first().and_then(|name| self.0.get(&at)?.imports.get(name));
        match import.filter(|import| at != module && import.as_slice() != path) {
            Some(import) => self.resolve(&at, &[import, &rest[1..]].concat()).or(Some(at)),
            None => Some(at),
        }
    }

    /// Which file of a room names which other file of it.
    fn graph(&self) -> BTreeMap<String, BTreeSet<String>> {
        let edges = |(module, named): (&Path, &Named)| {
            let named = named.paths.iter().filter_map(|path| self.resolve(module, path));
            let others = named.filter(|other| other != module && other.first() == module.first());
            (module.join("/"), others.map(|other| other.join("/")).collect())
        };
        self.0.iter().map(edges).collect()
    }
}

fn join(module: &[String], child: &str) -> Path {
    module.iter().cloned().chain([child.to_owned()]).collect()
}

#[test]
fn the_arrows_between_rooms_make_no_circle() {
    let graph = ARROWS.iter().map(|(room, below)| (*room, below.iter().copied().collect())).collect();
    let found = circle(&graph);
    assert!(found.is_none(), "{}", found.unwrap().join(" -> "));
}

#[test]
fn the_files_of_a_room_make_no_circle() {
    let graph = Sources::read().graph();
    assert!(graph["pool/driver"].contains("pool/core"), "the sources are not understood");
    assert!(graph["pool/driver"].contains("pool/status"), "the sources are not understood");
    let graph: Graph<'_> =
        graph.iter().map(|(module, others)| (module.as_str(), others.iter().map(String::as_str).collect())).collect();
    let found = circle(&graph);
    assert!(found.is_none(), "{}", found.unwrap().join(" -> "));
}

#[test]
fn a_circle_is_found_wherever_it_is_and_named() {
    let graph = |edges: &[(&'static str, &[&'static str])]| -> Graph<'static> {
        edges.iter().map(|(node, others)| (*node, others.iter().copied().collect())).collect()
    };
    assert_eq!(circle(&graph(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])), None);
    let found = circle(&graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["d"]), ("d", &["b"])]));
    assert_eq!(found.unwrap(), ["b", "c", "d", "b"]);
}
