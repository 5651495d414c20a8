//! `portpool term`: prints external terms. Exit status: 0 success, 1 not a term, 2 wrong usage, or a file that cannot
//! be read.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::complaint::{complain, say};
use super::output::print_line;
use crate::codec::etf::show::{Style, Syntax, show};

const OK: u8 = 0;
const NO_TERM: u8 = 1;
const USAGE: u8 = 2;
/// The maximum size of an inflated term, in bytes.
const LARGEST: usize = 1 << 30;

/// The arguments of `portpool term`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File that holds a term, which begins with the byte 131; - is stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print Elixir syntax instead of Erlang
    #[arg(long)]
    elixir: bool,
    /// Read packets, each behind its length in four bytes, as they go over a port
    #[arg(long)]
    packets: bool,
    /// Print long binaries, strings and integers in full
    #[arg(long)]
    full: bool,
}

/// Runs the command; returns the exit status.
///
/// # Errors
/// Standard output or standard error cannot be written. It is not an error if nobody reads any more.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    let mut input = match open(&args.file) {
        Ok(input) => BufReader::new(input),
        Err(error) => return Ok(unreadable(&args.file, &error)),
    };
    let shown = if args.packets { packets(args, &mut input) } else { term(args, &mut input) };
    match shown {
        Ok(status) => Ok(status),
        Err(Stop::Input(error)) => Ok(unreadable(&args.file, &error)),
        Err(Stop::Unread) => Ok(OK),
        Err(Stop::Output(error)) => Err(error),
    }
}

/// Why nothing more is printed.
enum Stop {
    Input(io::Error),
    Output(anyhow::Error),
    /// Nobody reads stdout any more.
    Unread,
}

fn open(file: &Path) -> io::Result<Box<dyn Read>> {
    if file.as_os_str() == "-" { Ok(Box::new(io::stdin())) } else { Ok(Box::new(File::open(file)?)) }
}

fn unreadable(file: &Path, error: &io::Error) -> u8 {
    complain(USAGE, &format!("{} cannot be read: {error}", file.display()))
}

impl Args {
    fn style(&self) -> Style {
        Style { syntax: if self.elixir { Syntax::Elixir } else { Syntax::Erlang }, full: self.full }
    }
}

/// Prints the single term of the input.
fn term(args: &Args, input: &mut impl Read) -> Result<u8, Stop> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(Stop::Input)?;
    match show(&bytes, args.style(), LARGEST) {
        Ok(text) => write(&text).map(|()| OK),
        Err(defect) => Ok(refuse(&format!("not a term {defect}"))),
    }
}

/// Prints packets one by one. An invalid one does not hide those after it.
fn packets(args: &Args, input: &mut impl Read) -> Result<u8, Stop> {
    let comment = if args.elixir { "#" } else { "%%" };
    let (mut status, mut at) = (OK, 0);
    for number in 1_u64.. {
        let length = match head(input)? {
            Head::End => break,
            Head::Cut(bytes) => return Ok(refuse(&cut(number, at, bytes, 4))),
            Head::Length(length) => length,
        };
        let mut packet = Vec::new();
        input.take(length).read_to_end(&mut packet).map_err(Stop::Input)?;
        if (packet.len() as u64) < length {
            return Ok(refuse(&cut(number, at, packet.len(), length)));
        }
        match show(&packet, args.style(), LARGEST) {
            Ok(text) => write(&format!("{comment} packet {number} at byte {at}: {length} bytes\n{text}"))?,
            Err(defect) => {
                status = refuse(&format!("packet {number} at byte {at}: {length} bytes, not a term {defect}"));
            }
        }
        at += 4 + length;
    }
    Ok(status)
}

/// The length in front of a packet.
enum Head {
    Length(u64),
    End,
    /// Only this many bytes of the length are there.
    Cut(usize),
}

fn head(input: &mut impl Read) -> Result<Head, Stop> {
    let mut bytes = Vec::with_capacity(4);
    input.take(4).read_to_end(&mut bytes).map_err(Stop::Input)?;
    Ok(match (bytes.first_chunk(), bytes.len()) {
        (Some(length), _) => Head::Length(u64::from(u32::from_be_bytes(*length))),
        (None, 0) => Head::End,
        (None, some) => Head::Cut(some),
    })
}

fn cut(number: u64, at: u64, have: usize, want: u64) -> String {
    format!("packet {number} at byte {at}: the input ends after {have} of {want} bytes")
}

fn write(text: &str) -> Result<(), Stop> {
    match print_line(text) {
        Ok(ControlFlow::Continue(())) => Ok(()),
        Ok(ControlFlow::Break(())) => Err(Stop::Unread),
        Err(error) => Err(Stop::Output(error)),
    }
}

fn refuse(text: &str) -> u8 {
    say(text);
    NO_TERM
}
