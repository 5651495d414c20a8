//! Steps over one term of any depth, in constant memory.

use super::token::{self, Token};
use crate::codec::error::Fault;
use crate::codec::reader::Reader;

/// Steps over exactly one term.
pub(crate) fn skip(reader: &mut Reader<'_>) -> Result<(), Fault> {
    // Each pending term takes at least a byte, and each count was checked against the bytes at hand, but not their sum:
    // 64 bits cannot overflow.
    let mut pending: u64 = 1;
    while pending > 0 {
        pending -= 1;
        pending += match token::next(reader)? {
            Token::List(count) => u64::from(count) + 1,
            Token::Tuple(count) | Token::Fun(count) => u64::from(count),
            Token::Map(count) => 2 * u64::from(count),
            _ => 0,
        };
    }
    Ok(())
}
