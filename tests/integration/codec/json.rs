//! The command line's JSON, in and out (docs/types.md 3).

use portpool::codec::json::{Defect, Refusal};
use portpool::codec::{Argument, CodecErrorKind, call_from_json, read};
use serde_json::{Value, json};

use super::python::Python;

fn call(args: &[&str], kwargs: &str) -> Result<Vec<u8>, Refusal> {
    let args: Vec<Argument<'_>> = args.iter().map(|text| Argument::Json(text)).collect();
    call_from_json("m", "f", &args, kwargs)
}

/// Evaluates an expression over the arguments in Python; the result as JSON.
fn eval(expression: &str, args: &[&str], kwargs: &str) -> Value {
    let args: Vec<Argument<'_>> = args.iter().map(|text| Argument::Json(text)).collect();
    let call = call_from_json("m", expression, &args, kwargs).expect("a call");
    let pickle = Python::start().call(&call).expect("a value");
    read(&pickle).expect("a pickle").to_json().expect("JSON")
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn json_comes_back_as_it_was() {
    let digits = "9".repeat(1000);
    let value = format!(
        r#"[null, true, false, 0, -1, 255, 256, 65536, 2147483648, -2147483649, 9223372036854775807, -9223372036854775808,
            9223372036854775808, -9223372036854775809, 18446744073709551616, {digits}, -{digits}, 1.5, -0.0, 5e-324,
            "", "text", "δ", [], [ ], [[1], [2, [3]]], {{}}, {{ }}, {{"b": 1, "a": {{"c": [2]}}}}, {{"$bytes": "AP8="}}]"#
    );
    assert_eq!(eval("[args[0], kwargs]", &[&value], "{\"seed\": 7}"), json!([parse(&value), {"seed": 7}]));
}

#[test]
fn json_arrives_with_pythons_own_types() {
    let args = ["1", "1.0", "\"s\"", "null", "true", "[]", "{}", "{\"$bytes\": \"AA==\"}", "1e3", "-0", "-0.0"];
    let types = ["int", "float", "str", "NoneType", "bool", "list", "dict", "bytes", "float", "int", "float"];
    assert_eq!(eval("[type(x).__name__ for x in args]", &args, "{}"), json!(types));
}

#[test]
fn strings_are_those_that_python_reads() {
    let texts = [
        r#""\"\\\/\b\f\n\r\t""#,
        r#""\u0000\u00e9\u20AC\ud83d\ude00""#,
        r#""a\nb\nc""#,
        r#""\n""#,
        "\"δ\u{7f}\u{2028}\u{1f600}\"",
        r#"{"\u0061": "\u0061b"}"#,
    ];
    let texts_in_python = json!(texts).to_string();
    let same = eval(
        "[__import__('json').loads(text) == arg for text, arg in zip(kwargs['texts'], args)]",
        &texts,
        &format!("{{\"texts\": {texts_in_python}}}"),
    );
    assert_eq!(same, json!([true, true, true, true, true, true]));
}

/// What serde_json says of a text is what we say, except where a text is sound and has no form here.
#[test]
fn the_verdict_is_that_of_another_reader_for_every_cut_and_every_change_of_a_text() {
    let text = r#"{"a": [1, -2.5e-3, true, null, {}, [], "\u00e9\n", {"$bytes": "AA=="}], "b": {"c": false}}"#;
    let agree = |text: &str| {
        let (theirs, ours) = (serde_json::from_str::<Value>(text), call(&[text], "{}"));
        match (theirs, ours) {
            (Ok(_), Ok(_)) | (Err(_), Err(_)) => {}
            (Ok(_), Err(Refusal::Argument(0, Defect { message, .. }))) => {
                let known = ["already has the key", "must be base64", "too large for a float"];
                assert!(known.iter().any(|known| message.contains(known)), "{text}: {message}");
            }
            (theirs, ours) => panic!("{text}: {theirs:?}, {ours:?}"),
        }
    };
    agree(text);
    let (mut refused, mut taken) = (0, 0);
    for at in 0..text.len() {
        agree(&text[..at]);
        agree(&text[at..]);
        for change in
            ["", "0", "9", "-", ".", "e", ",", ":", "[", "]", "{", "}", "\"", "\\", "u", "t", " ", "\n", "\u{1}", "ü"]
        {
            let changed = format!("{}{change}{}", &text[..at], &text[at + 1..]);
            agree(&changed);
            let inserted = format!("{}{change}{}", &text[..at], &text[at..]);
            agree(&inserted);
            if call(&[&changed], "{}").is_ok() { taken += 1 } else { refused += 1 }
        }
    }
    assert!(refused > 500 && taken > 200, "{refused} refused, {taken} taken");
}

#[test]
fn what_is_wrong_with_an_argument_is_told_with_its_place() {
    for (text, at, says) in [
        ("[1, 2,]", 6, "expected a value, found ]"),
        ("{\"a\": 1,}", 8, "expected a key in double quotes, found }"),
        ("[1 2]", 3, "expected a comma or ], found a number"),
        ("{\"a\": 1 \"b\": 2}", 8, "expected a comma or }, found a string"),
        ("{\"a\" 1}", 5, "expected a colon after the key, found a number"),
        ("[1}", 2, "expected a comma or ], found }"),
        ("{]", 1, "expected a key in double quotes, found ]"),
        ("[", 1, "expected a value, found the end"),
        ("{\"a\": [1", 8, "expected a comma or ], found the end"),
        ("[1] ]", 4, "expected nothing after the value, found ]"),
        ("{\"a\": 1, \"\\u0061\": 2}", 9, "this object already has the key \"a\""),
        ("[{\"a\": 1}, {\"a\": 1, \"b\": {\"a\": 2}, \"a\": 3}]", 35, "this object already has the key \"a\""),
        ("{a: 1}", 1, "a is not a JSON value; a string has double quotes"),
        ("['a']", 1, "a string in JSON has double quotes"),
        ("[True]", 1, "JSON has no True; write true"),
        ("[None]", 1, "JSON has no None; write null"),
        ("[NaN]", 1, "JSON has no NaN"),
        ("[01]", 1, "01 is not a JSON number"),
        ("[1.]", 1, "1. is not a JSON number"),
        ("[+1]", 1, "+1 is not a JSON number"),
        ("[-]", 1, "- is not a JSON number"),
        ("[1e999]", 1, "the number is too large for a float"),
        ("\"abc", 0, "this string has no closing quote"),
        ("[\"abc]", 1, "this string has no closing quote"),
        ("\"a\\\"", 0, "this string has no closing quote"),
        ("\"a\\", 2, "the string ends after a backslash"),
        ("\"a\\x\"", 2, "JSON has no escape \\x; a backslash is \\\\"),
        ("\"a\\u12g4\"", 2, "\\u must be followed by four hexadecimal digits"),
        ("\"a\\u+123\"", 2, "\\u must be followed by four hexadecimal digits"),
        ("\"é\\ud800\"", 3, "\\ud800 is half of a surrogate pair, and the other half is missing"),
        ("\"\\udc00\\ud800\"", 1, "\\udc00 is half of a surrogate pair, and the other half is missing"),
        ("\"\\ud800\\n\"", 1, "\\ud800 is half of a surrogate pair, and the other half is missing"),
        ("\"a\tb\"", 2, "a control character in a string must be escaped: \\u0009"),
        ("{\"$bytes\": \"?\"}", 11, "\"$bytes\" must be base64: Invalid symbol 63, offset 0."),
        ("[\u{a0}1]", 1, "\\u{a0}1 is not a JSON value; a string has double quotes"),
    ] {
        assert_eq!(
            call(&["1", text], "{}"),
            Err(Refusal::Argument(1, Defect { at, message: says.to_owned() })),
            "{text}"
        );
    }
}

#[test]
fn arguments_by_keyword_are_an_object_and_nothing_else() {
    for (text, at) in
        [("[1]", 0), ("1", 0), (" \"a\"", 1), ("", 0), ("null", 0), ("{\"a\": 1} 2", 9), ("{\"a\": 1, \"a\": 2}", 9)]
    {
        assert!(matches!(call(&[], text), Err(Refusal::Kwargs(defect)) if defect.at == at), "{text}");
    }
    assert_eq!(eval("kwargs", &[], " {\"$bytes\": \"?\"} "), json!({"$bytes": "?"}), "its keys are names");
}

#[test]
fn an_object_is_bytes_only_if_it_is_nothing_else() {
    let value =
        r#"[{"$bytes": 1}, {"$bytes": "AA==", "b": 1}, {"b": 1, "$bytes": "AA=="}, {"$bytes": {"$bytes": [1]}}]"#;
    assert_eq!(eval("args[0]", &[value], "{}"), parse(value));
}

#[test]
fn text_is_taken_as_it_is() {
    let pickle = call_from_json("m", "args[0]", &[Argument::Text("[1, \"\\n")], "{}").expect("a call");
    let echo = Python::start().call(&pickle).expect("a value");
    assert_eq!(read(&echo).expect("a pickle").to_json().expect("JSON"), json!("[1, \"\\n"));
}

#[test]
fn json_a_million_deep_is_read_and_python_gets_it() {
    let innermost = "(lambda x, depth: [x := x[0] if type(x) is list else x['a'] for _ in range(depth)][-1])(*args)";
    for (depth, open, close) in [(1_000_000, "[", "]"), (100_000, "{\"a\":", "}")] {
        let text = format!("{}7{}", open.repeat(depth), close.repeat(depth));
        assert_eq!(eval(innermost, &[&text, &depth.to_string()], "{}"), json!(7));
        let cut = &text[..text.len() - 1];
        let Err(Refusal::Argument(0, defect)) = call(&[cut], "{}") else { panic!("it is cut") };
        assert_eq!(defect.at, cut.len());
    }
}

#[test]
fn what_json_has_no_type_for_is_shown_as_the_nearest() {
    let shown = eval("[Atom('ok'), (1, (2,)), {3}, b'\\x00\\xff', {Atom('k'): 1}, 2 ** 70]", &[], "{}");
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
