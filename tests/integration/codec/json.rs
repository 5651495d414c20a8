//! The command line's JSON, in and out (docs/types.md).

use portpool::codec::{CodecErrorKind, call_from_json, read};
use serde_json::{Map, Value, json};

use super::python::Python;

/// Evaluates an expression over the arguments in Python; the result as JSON.
fn eval(expression: &str, args: Value, kwargs: Value) -> Value {
    let (Value::Array(args), Value::Object(kwargs)) = (args, kwargs) else { panic!("arguments") };
    let call = call_from_json("m", expression, &args, &kwargs).expect("a call");
    let pickle = Python::start().call(&call).expect("a value");
    read(&pickle).expect("a pickle").to_json().expect("JSON")
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn json_comes_back_as_it_was() {
    let digits = "9".repeat(1000);
    let value = parse(&format!(
        r#"[null, true, false, 0, -1, 255, 256, 65536, 2147483648, -2147483649, 9223372036854775807, -9223372036854775808,
            9223372036854775808, -9223372036854775809, 18446744073709551616, {digits}, -{digits}, 1.5, -0.0, 5e-324,
            "", "text", "δ", [], [[1], [2, [3]]], {{}}, {{"b": 1, "a": {{"c": [2]}}}}, {{"$bytes": "AP8="}}]"#
    ));
    let (echo, kwargs) = (value.clone(), json!({"seed": 7}));
    assert_eq!(eval("[args[0], kwargs]", Value::Array(vec![value]), kwargs.clone()), json!([echo, kwargs]));
}

#[test]
fn json_arrives_with_pythons_own_types() {
    let args = parse(r#"[1, 1.0, "s", null, true, [], {}, {"$bytes": "AA=="}, 1e3, 123456789012345678901234567890]"#);
    let types = ["int", "float", "str", "NoneType", "bool", "list", "dict", "bytes", "float", "int"];
    assert_eq!(eval("[type(x).__name__ for x in args]", args, json!({})), json!(types));
}

#[test]
fn what_json_has_no_type_for_is_shown_as_the_nearest() {
    let shown = eval("[Atom('ok'), (1, (2,)), {3}, b'\\x00\\xff', {Atom('k'): 1}, 2 ** 70]", json!([]), json!({}));
    let expected = parse(r#"["ok", [1, [2]], [3], {"$bytes": "AP8="}, {"k": 1}, 1180591620717411303424]"#);
    assert_eq!(shown, expected);
}

#[test]
fn what_json_cannot_show_is_refused_with_the_path() {
    let mut python = Python::start();
    let mut refusal = |expression: &str| {
        let pickle = python.eval(expression).expect("a value");
        let refusal = read(&pickle).expect("a pickle").to_json().expect_err(expression);
        assert_eq!(refusal.kind, CodecErrorKind::Unencodable);
        refusal.to_string()
    };
    for key in ["1", "1.5", "None", "True", "b'k'", "(1,)"] {
        let message = refusal(&format!("[{{'a': {{{key}: 1}}}}]"));
        assert!(message.starts_with("element 1, key \"a\", key ") && message.contains("must be text"), "{message}");
    }
    assert!(refusal("[Opaque(b'x')]").contains("cannot be represented in JSON"));
    assert!(refusal("ImproperList([1], 2)").contains("cannot be represented in JSON"));
    assert!(refusal("[float('nan')]").starts_with("element 1: NaN"));
    assert!(refusal("{'a': ['\\ud800']}").starts_with("key \"a\", element 1: "));
}

#[test]
fn a_bad_argument_is_found_by_number_key_and_element() {
    let call = |args: &str, kwargs: &str| {
        let (Value::Array(args), Value::Object(kwargs)) = (parse(args), parse(kwargs)) else { panic!("arguments") };
        call_from_json("m", "f", &args, &kwargs).expect_err("refused").to_string()
    };
    assert!(call(r#"[1, {"a": [1, {"$bytes": "?"}]}]"#, "{}").starts_with("argument 2, key \"a\", element 2: "));
    assert!(call("[1e999]", "{}").starts_with("argument 1: 1e"));
    assert!(call("[]", r#"{"k": [1e999]}"#).starts_with("keyword \"k\", element 1: "));
}

#[test]
fn an_object_is_bytes_only_if_it_is_nothing_else() {
    let value = parse(r#"[{"$bytes": 1}, {"$bytes": "AA==", "b": 1}]"#);
    assert_eq!(eval("args[0]", json!([value.clone()]), json!({})), value);
}

#[test]
fn json_a_hundred_thousand_deep_is_no_danger() {
    let mut value = Value::Null;
    for _ in 0..100_000 {
        value = Value::Array(vec![value]);
    }
    let pickle = call_from_json("m", "f", std::slice::from_ref(&value), &Map::new()).expect("a call");
    assert!(pickle.len() > 200_000);
    // serde_json drops by recursion: take it apart from the outside.
    while let Value::Array(mut inner) = value {
        value = inner.pop().unwrap_or_default();
    }
}
