//! Writes a document as JSON, for the command line (docs/types.md).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Number, Value};

use super::arena::Kind;
use super::objection::Objection;
use super::root::Document;
use super::scalar::{self, Scalar};
use super::walk::{self, Sink};
use crate::codec::calendar::Moment;
use crate::codec::error::CodecError;
use crate::codec::floats;
use crate::codec::integer::Integer;
use crate::codec::json;
use crate::codec::tensor::Tensor;

/// Builds the JSON value.
pub(super) fn build(document: &Document<'_>) -> Result<Value, CodecError> {
    let mut builder = Builder { open: Vec::new(), done: Value::Null };
    walk::walk(document, &mut builder)?;
    Ok(builder.done)
}

struct Builder {
    open: Vec<Open>,
    done: Value,
}

enum Open {
    Array(Vec<Value>),
    /// An object, and the key whose value comes next.
    Object(Map<String, Value>, Option<String>),
}

impl Builder {
    /// Puts a finished value where it belongs.
    fn put(&mut self, value: Value) -> Result<(), Objection> {
        match self.open.last_mut() {
            None => self.done = value,
            Some(Open::Array(elements)) => elements.push(value),
            Some(Open::Object(object, key)) => match (key.take(), value) {
                (Some(key), value) => drop(object.insert(key, value)),
                (None, Value::String(name)) if object.contains_key(&name) => {
                    return Err(Objection::KeyCollision(format!("{name:?}")));
                }
                (None, Value::String(name)) => *key = Some(name),
                (None, _) => return Err(Objection::JsonKey),
            },
        }
        Ok(())
    }

    /// Refuses what cannot be a key, where a key is expected.
    fn no_key(&self) -> Result<(), Objection> {
        if let Some(Open::Object(_, None)) = self.open.last() { Err(Objection::JsonKey) } else { Ok(()) }
    }
}

impl Sink for Builder {
    fn scalar(&mut self, scalar: Scalar<'_>) -> Result<(), Objection> {
        let value = match scalar {
            Scalar::None => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Integer(Integer::Small(number)) => Value::from(number),
            Scalar::Integer(Integer::Big(big)) => Value::Number(json::number(big)),
            Scalar::Float(number) => Value::Number(Number::from_f64(number).ok_or(Objection::NotFinite)?),
            Scalar::Text(text) => Value::from(std::str::from_utf8(text).map_err(|_| Objection::Surrogate)?),
            Scalar::Bytes(bytes) => {
                self.no_key()?;
                Value::Object(Map::from_iter([(json::BYTES.to_owned(), BASE64_STANDARD.encode(bytes).into())]))
            }
        };
        self.put(value)
    }

    fn floats(&mut self, run: &[u8]) -> Result<(), Objection> {
        let mut numbers = run.chunks_exact(floats::SIZE).filter_map(|float| scalar::at(float, 0));
        numbers.try_for_each(|number| self.scalar(number))
    }

    fn atom(&mut self, name: &[u8]) -> Result<(), Objection> {
        self.scalar(Scalar::Text(name))
    }

    fn opaque(&mut self, _term: &[u8]) -> Result<(), Objection> {
        Err(Objection::JsonValue("a pid, reference, port, fun or bitstring"))
    }

    fn tensor(&mut self, _tensor: &Tensor<'_>) -> Result<(), Objection> {
        Err(Objection::JsonValue("a tensor"))
    }

    fn moment(&mut self, moment: &Moment<'_>) -> Result<(), Objection> {
        self.put(Value::String(moment.iso()))
    }

    fn open(&mut self, kind: Kind, _count: u32) -> Result<(), Objection> {
        self.no_key()?;
        self.open.push(match kind {
            Kind::Dict => Open::Object(Map::new(), None),
            Kind::ImproperList => return Err(Objection::JsonValue("an improper list")),
            _ => Open::Array(Vec::new()),
        });
        Ok(())
    }

    fn close(&mut self, _kind: Kind) -> Result<(), Objection> {
        match self.open.pop() {
            Some(Open::Array(elements)) => self.put(Value::Array(elements)),
            Some(Open::Object(object, _)) => self.put(Value::Object(object)),
            None => Ok(()),
        }
    }
}
