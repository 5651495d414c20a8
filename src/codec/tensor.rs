//! `%Portpool.Tensor{}`, from and to external terms, with data of the size that its type and shape require.

use bytes::BufMut;

use super::etf::{self, Token, tag, token};
use super::fields::{atom, binary, number};
use super::integer::Integer;
use super::reader::Reader;

/// The name of the struct.
const STRUCT: &str = "Elixir.Portpool.Tensor";
/// The limit of older versions of numpy.
pub(crate) const MOST_DIMENSIONS: u32 = 32;

/// Numbers of one type in row-major order. Only consistent tensors exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tensor<'t> {
    /// The element type in Nx's terms: `s`, `u`, `f`, `bf`, `c`, or future ones.
    pub(crate) kind: &'t str,
    /// The bits per element.
    pub(crate) bits: i64,
    pub(crate) shape: Vec<i64>,
    /// Little-endian.
    pub(crate) data: &'t [u8],
}

/// Reads the rest of a map of four pairs that is a tensor, with `reader` after its head. Returns the tensor, and the
/// reader after the map. Returns `None` for any other map, and for an inconsistent tensor.
pub(crate) fn read<'t>(mut reader: Reader<'t>) -> Option<(Tensor<'t>, Reader<'t>)> {
    let (mut is_ours, mut element, mut shape, mut data) = (false, None, None, None);
    for _ in 0..4 {
        match atom(&mut reader)? {
            "__struct__" => is_ours = atom(&mut reader)? == STRUCT,
            "type" => element = Some(read_type(&mut reader)?),
            "shape" => shape = Some(read_shape(&mut reader)?),
            "data" => data = Some(binary(&mut reader)?),
            _ => return None,
        }
    }
    let (kind, bits) = element.filter(|_| is_ours)?;
    Tensor::new(kind, bits, shape?, data?).map(|tensor| (tensor, reader))
}

/// `{:f, 64}`
fn read_type<'t>(reader: &mut Reader<'t>) -> Option<(&'t str, i64)> {
    match token::next(reader) {
        Ok(Token::Tuple(2)) => Some((atom(reader)?, number(reader)?)),
        _ => None,
    }
}

/// `{2, 3}`
fn read_shape(reader: &mut Reader<'_>) -> Option<Vec<i64>> {
    match token::next(reader) {
        Ok(Token::Tuple(arity)) if arity <= MOST_DIMENSIONS => (0..arity).map(|_| number(reader)).collect(),
        _ => None,
    }
}

impl<'t> Tensor<'t> {
    /// Builds a tensor; `None` if its parts are inconsistent.
    pub(crate) fn new(kind: &'t str, bits: i64, shape: Vec<i64>, data: &'t [u8]) -> Option<Self> {
        let dimension = |dimension: &i64| u64::try_from(*dimension).ok();
        let elements = shape.iter().try_fold(1, |product: u64, size| product.checked_mul(dimension(size)?))?;
        let wanted = elements.checked_mul(u64::try_from(bits).ok().filter(|bits| *bits > 0)?)?;
        let fits = wanted == 8 * data.len() as u64 && shape.len() <= MOST_DIMENSIONS as usize && etf::atom::fits(kind);
        fits.then_some(Self { kind, bits, shape, data })
    }

    /// The number of bytes that [`Tensor::write_term`] writes.
    pub(crate) fn term_size(&self) -> u64 {
        let names: usize =
            ["__struct__", STRUCT, "data", "shape", "type", self.kind].map(|name| 2 + name.len()).iter().sum();
        let number = |number: i64| Integer::Small(number).term_size();
        let shape: u64 = self.shape.iter().copied().map(number).sum();
        // An atom of more than 255 bytes has a two-byte length.
        let long_kind = usize::from(self.kind.len() > 255);
        (5 + names + long_kind + 5 + self.data.len() + 2 + 2) as u64 + shape + number(self.bits)
    }

    /// Writes the map, with its keys in alphabetical order.
    pub(crate) fn write_term(&self, out: &mut impl BufMut) {
        out.put_u8(tag::MAP_EXT);
        out.put_u32(4);
        etf::atom::write("__struct__", out);
        etf::atom::write(STRUCT, out);
        etf::atom::write("data", out);
        out.put_u8(tag::BINARY_EXT);
        // A pickle is smaller than 2 GiB.
        out.put_u32(self.data.len() as u32);
        out.put_slice(self.data);
        etf::atom::write("shape", out);
        out.put_slice(&[tag::SMALL_TUPLE_EXT, self.shape.len() as u8]);
        self.shape.iter().for_each(|size| Integer::Small(*size).write_term(out));
        etf::atom::write("type", out);
        out.put_slice(&[tag::SMALL_TUPLE_EXT, 2]);
        etf::atom::write(self.kind, out);
        Integer::Small(self.bits).write_term(out);
    }
}
