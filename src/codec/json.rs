//! Turns JSON arguments from the command line into the pickle of a call (docs/types.md).

use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use num_bigint::{BigInt, BigUint, Sign};
use serde_json::{Map, Number, Value};

use super::address;
use super::error::CodecError;
use super::integer::{Big, Integer};
use super::pickle_writer::PickleWriter;

/// The single key of an object that stands for bytes, with base64 as its value.
pub(super) const BYTES: &str = "$bytes";

/// Writes the pickle of `(module, function, (args..), {kwargs})`.
///
/// Integers keep all their digits; `{"$bytes": "AAE="}` becomes bytes.
///
/// # Errors
/// `Unencodable`, with the path, for an invalid number or invalid base64.
pub fn call_from_json(
    module: &str,
    function: &str,
    args: &[Value],
    kwargs: &Map<String, Value>,
) -> Result<Vec<u8>, CodecError> {
    let mut writer = Writer { out: PickleWriter::new(), open: Vec::new() };
    writer.out.tuple_start();
    writer.out.str(module);
    writer.out.str(function);
    writer.out.tuple_start();
    for (position, value) in args.iter().enumerate() {
        writer.value(value, || format!("argument {}", position + 1))?;
    }
    writer.out.tuple_end();
    writer.out.dict_start();
    for (name, value) in kwargs {
        writer.out.str(name);
        writer.value(value, || format!("keyword {name:?}"))?;
    }
    writer.out.dict_end();
    writer.out.tuple_end();
    Ok(writer.out.finish())
}

/// A large integer as a JSON number.
pub(super) fn number(big: Big<'_>) -> Number {
    let sign = if big.is_negative() { Sign::Minus } else { Sign::Plus };
    let digits = BigInt::from_bytes_le(sign, &big.magnitude()).to_string();
    // An optional sign and digits are a number.
    Number::from_str(&digits).unwrap_or_else(|_| Number::from(0))
}

struct Writer<'v> {
    out: PickleWriter,
    open: Vec<Open<'v>>,
}

/// A value that is being written, and its remaining parts.
enum Open<'v> {
    Array { count: usize, rest: std::slice::Iter<'v, Value> },
    Object { key: &'v str, rest: serde_json::map::Iter<'v> },
}

impl<'v> Writer<'v> {
    /// Writes one value with all its parts.
    fn value(&mut self, value: &'v Value, root: impl Fn() -> String) -> Result<(), CodecError> {
        let mut next = Some(value);
        while let Some(value) = next {
            self.begin(value).map_err(|message| CodecError::unencodable(self.address(root()), message))?;
            next = self.advance();
        }
        Ok(())
    }

    /// Closes what is complete, then finds the next value.
    fn advance(&mut self) -> Option<&'v Value> {
        loop {
            match self.open.last_mut()? {
                Open::Array { rest, .. } => match rest.next() {
                    Some(value) => return Some(value),
                    None => self.out.list_end(),
                },
                Open::Object { key, rest } => match rest.next() {
                    Some((name, value)) => {
                        *key = name;
                        self.out.str(name);
                        return Some(value);
                    }
                    None => self.out.dict_end(),
                },
            }
            self.open.pop();
        }
    }

    fn begin(&mut self, value: &'v Value) -> Result<(), String> {
        match value {
            Value::Null => self.out.none(),
            Value::Bool(value) => self.out.bool(*value),
            Value::Number(number) => return self.number(number),
            Value::String(text) => self.out.str(text),
            Value::Array(elements) => {
                self.out.list_start();
                self.open.push(Open::Array { count: elements.len(), rest: elements.iter() });
            }
            Value::Object(object) => match bytes(object)? {
                Some(bytes) => self.out.bytes(&bytes),
                None => {
                    self.out.dict_start();
                    self.open.push(Open::Object { key: "", rest: object.iter() });
                }
            },
        }
        Ok(())
    }

    fn number(&mut self, number: &Number) -> Result<(), String> {
        let text = number.to_string();
        if let Ok(small) = text.parse() {
            self.out.int(small);
        } else if let Ok(big) = BigInt::from_str(&text) {
            let (sign, magnitude) = (big.sign(), BigUint::to_bytes_le(big.magnitude()));
            self.out.integer(Integer::Big(Big::Magnitude { negative: sign == Sign::Minus, bytes: &magnitude }));
        } else {
            let float = text.parse().ok().filter(|float: &f64| float.is_finite());
            self.out.float(float.ok_or_else(|| format!("{text} is beyond the floats"))?);
        }
        Ok(())
    }

    fn address(&self, root: String) -> String {
        let steps = self.open.iter().map(|open| match open {
            Open::Array { count, rest } => format!("element {}", count - rest.len()),
            Open::Object { key, .. } => format!("key {}", address::quote(key)),
        });
        address::join(std::iter::once(root).chain(steps).collect())
    }
}

/// The bytes that an object stands for, if any.
fn bytes(object: &Map<String, Value>) -> Result<Option<Vec<u8>>, String> {
    match (object.len(), object.get(BYTES)) {
        (1, Some(Value::String(text))) => match BASE64_STANDARD.decode(text) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => Err(format!("{BYTES:?} is not base64: {error}")),
        },
        _ => Ok(None),
    }
}
