//! The allow-list machine: runs the opcodes of one pickle and builds a [`Document`]. It never calls anything.
//!
//! It knows what CPython's C pickler writes for plain values at protocol 5, and the names of our own package
//! (docs/worker_protocol.md 4.6). It needs less than 100 bytes of memory per byte of the pickle: an empty list is one
//! byte there and 24 here, plus a growing stack and vector.

use super::callee;
use super::document::Document;
use super::document::arena::{Arena, At, Kind, LARGEST_PICKLE, Node, Value};
use super::document::scalar::{self, Scalar, Size};
use super::error::{CodecError, Fault, What};
use super::floats;
use super::global::Global;
use super::opcode;
use super::options::Options;
use super::reader::Reader;

/// Reads one pickle, to be written with the default options.
///
/// # Errors
/// `Malformed` if the bytes are not a pickle as our workers write it; `TooLarge` from 2 GiB on.
pub fn read(pickle: &[u8]) -> Result<Document<'_>, CodecError> {
    read_with(pickle, Options::default())
}

/// Reads one pickle, to be written with these options, which the sizes of values depend on.
///
/// # Errors
/// Those of [`read`].
pub fn read_with(pickle: &[u8], options: Options) -> Result<Document<'_>, CodecError> {
    if pickle.len() > LARGEST_PICKLE {
        return Err(CodecError::too_large(pickle.len() as u64, LARGEST_PICKLE));
    }
    let (stack, memo) = (Vec::with_capacity(16), Vec::with_capacity(16));
    let arena = Arena::new(pickle.len(), options.none);
    let mut machine = Machine { pickle, stack, marks: Vec::new(), memo, arena };
    let root = machine.run().map_err(Fault::at_byte)?;
    Ok(Document::new(pickle, machine.arena, root))
}

struct Machine<'a> {
    pickle: &'a [u8],
    stack: Vec<Value>,
    /// The height of the stack at each mark.
    marks: Vec<u32>,
    memo: Vec<Value>,
    arena: Arena,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Node, Fault> {
        let mut reader = Reader::new(self.pickle);
        loop {
            let at = reader.at();
            let opcode = reader.u8()?;
            if opcode == opcode::STOP {
                reader.end()?;
                return self.result().map_err(|what| Fault::new(at, what));
            }
            self.instruction(opcode, at, &mut reader).map_err(|what| Fault::new(at, what))?;
        }
    }

    #[inline(always)]
    fn instruction(&mut self, opcode: u8, at: usize, reader: &mut Reader<'a>) -> Result<(), What> {
        match opcode {
            opcode::MEMOIZE => self.memo.push(self.top()?),
            opcode::BINGET => {
                let [index] = operand(reader)?;
                self.get(usize::from(index))?;
            }
            opcode::LONG_BINGET => self.get(u32::from_le_bytes(operand(reader)?) as usize)?,
            opcode::MARK => self.marks.push(self.stack.len() as u32),
            opcode::POP => self.pop_or_unmark()?,
            opcode::POP_MARK => {
                let from = self.unmark()?;
                self.stack.truncate(from);
            }
            opcode::EMPTY_LIST => self.push_new(Kind::List),
            opcode::EMPTY_DICT => self.push_new(Kind::Dict),
            opcode::EMPTY_SET => self.push_new(Kind::Set),
            opcode::EMPTY_TUPLE => self.push_new(Kind::Tuple),
            opcode::APPEND => self.extend(Kind::List, self.below(1)?)?,
            opcode::APPENDS => self.extend_from_mark(Kind::List)?,
            opcode::ADDITEMS => self.extend_from_mark(Kind::Set)?,
            opcode::SETITEM => self.extend(Kind::Dict, self.below(2)?)?,
            opcode::SETITEMS => self.extend_from_mark(Kind::Dict)?,
            opcode::TUPLE1 => self.collect(Kind::Tuple, self.below(1)?),
            opcode::TUPLE2 => self.collect(Kind::Tuple, self.below(2)?),
            opcode::TUPLE3 => self.collect(Kind::Tuple, self.below(3)?),
            opcode::TUPLE => self.collect_from_mark(Kind::Tuple)?,
            opcode::FROZENSET => self.collect_from_mark(Kind::Set)?,
            opcode::EXT4 => self.extension(u32::from_le_bytes(operand(reader)?))?,
            opcode::STACK_GLOBAL => self.stack_global()?,
            opcode::REDUCE => self.reduce()?,
            // Opcodes that only matter in files.
            opcode::PROTO => drop(operand::<1>(reader)?),
            opcode::FRAME => drop(operand::<8>(reader)?),
            _ => self.push_scalar(opcode, at, reader)?,
        }
        Ok(())
    }

    /// The one value left at the end.
    fn result(&mut self) -> Result<Node, What> {
        match (self.stack.as_slice(), self.marks.as_slice()) {
            ([root], []) => Ok(root.node()),
            _ => Err(What::Stack),
        }
    }

    /// The part of the stack below the last mark, which is out of reach.
    fn floor(&self) -> usize {
        self.marks.last().map_or(0, |mark| *mark as usize)
    }

    fn top(&self) -> Result<Value, What> {
        self.below(1).and_then(|at| self.stack.get(at).copied().ok_or(What::Stack))
    }

    /// The position of the last `count` values.
    fn below(&self, count: usize) -> Result<usize, What> {
        self.stack.len().checked_sub(count).filter(|from| *from >= self.floor()).ok_or(What::Stack)
    }

    fn pop(&mut self) -> Result<Value, What> {
        let from = self.below(1)?;
        let value = self.stack.get(from).copied().ok_or(What::Stack)?;
        self.stack.truncate(from);
        Ok(value)
    }

    /// The two values from `from` on, if there are exactly two.
    fn two_from(&self, from: usize) -> Result<[Node; 2], What> {
        match self.stack.get(from..) {
            Some([one, other]) => Ok([one.node(), other.node()]),
            _ => Err(What::Stack),
        }
    }

    /// Removes the last mark and returns its position.
    fn unmark(&mut self) -> Result<usize, What> {
        self.marks.pop().map(|mark| mark as usize).ok_or(What::Stack)
    }

    fn pop_or_unmark(&mut self) -> Result<(), What> {
        if self.marks.last().is_some_and(|mark| *mark as usize == self.stack.len()) {
            self.unmark().map(drop)
        } else {
            self.pop().map(drop)
        }
    }

    fn get(&mut self, index: usize) -> Result<(), What> {
        self.stack.push(self.memo.get(index).copied().ok_or(What::Memo)?);
        Ok(())
    }

    /// Pushes the value that the opcode at `at` makes; for floats, all adjacent ones.
    #[inline(always)]
    fn push_scalar(&mut self, opcode: u8, at: usize, reader: &mut Reader<'a>) -> Result<(), What> {
        if opcode == opcode::BINFLOAT && self.pickle.get(at + floats::SIZE) == Some(&opcode) {
            let run = floats::count(self.pickle.get(at..).unwrap_or_default(), opcode, usize::MAX);
            if run > 0 {
                let end = at + run * floats::SIZE;
                let places = (at..end).step_by(floats::SIZE);
                self.stack.extend(places.map(|place| Value::scalar(place, floats::SIZE as u64)));
                reader.go_to(end);
                return Ok(());
            }
        }
        match scalar::after_opcode(reader, opcode, Size(self.arena.none)).map_err(|fault| fault.what)? {
            Some(size) => self.stack.push(Value::scalar(at, size)),
            None => return Err(What::Opcode(opcode)),
        }
        Ok(())
    }

    fn push_new(&mut self, kind: Kind) {
        let node = self.arena.add(kind, &[]);
        self.stack.push(Value::of(node));
    }

    /// Replaces the values from `from` on with a container of them.
    fn collect(&mut self, kind: Kind, from: usize) {
        let node = self.arena.add(kind, self.stack.get(from..).unwrap_or_default());
        self.stack.truncate(from);
        self.stack.push(Value::of(node));
    }

    fn collect_from_mark(&mut self, kind: Kind) -> Result<(), What> {
        let from = self.unmark()?;
        self.collect(kind, from);
        Ok(())
    }

    /// Moves the values from `from` on into the container below them.
    fn extend(&mut self, kind: Kind, from: usize) -> Result<(), What> {
        let owner = from.checked_sub(1).filter(|at| *at >= self.floor()).and_then(|at| self.stack.get(at));
        let owner = owner.ok_or(What::Stack)?.node();
        let values = self.stack.get(from..).unwrap_or_default();
        let fits = self.arena.container(owner).is_some_and(|container| container.kind == kind);
        if !fits || (kind == Kind::Dict && values.len() % 2 == 1) {
            return Err(What::Stack);
        }
        self.arena.extend(owner, values);
        self.stack.truncate(from);
        Ok(())
    }

    fn extend_from_mark(&mut self, kind: Kind) -> Result<(), What> {
        let from = self.unmark()?;
        self.extend(kind, from)
    }

    fn extension(&mut self, code: u32) -> Result<(), What> {
        self.stack.push(Global::by_code(code).map(Node::global).map(Value::of).ok_or(What::Callable)?);
        Ok(())
    }

    /// Pushes a class or function. One that is not ours is kept by name, so that the refusal can name it.
    fn stack_global(&mut self) -> Result<(), What> {
        let from = self.below(2)?;
        let [module, name] = self.two_from(from)?;
        let (Some(Scalar::Text(module)), Some(Scalar::Text(name))) = (self.scalar(module), self.scalar(name)) else {
            return Err(What::Stack);
        };
        match Global::by_name(module, name) {
            Some(global) => {
                self.stack.truncate(from);
                self.stack.push(Value::of(Node::global(global)));
            }
            None => self.collect(Kind::Foreign, from),
        }
        Ok(())
    }

    /// Applies a call of one of our globals. The result of any other call is kept by name.
    fn reduce(&mut self) -> Result<(), What> {
        let from = self.below(2)?;
        let [callable, arguments] = self.two_from(from)?;
        let arguments = self.arena.container(arguments).filter(|arguments| arguments.kind == Kind::Tuple).copied();
        let is_foreign = self.arena.container(callable).is_some_and(|container| container.kind == Kind::Foreign);
        let value = match (callable.at(), arguments) {
            (At::Global(global), Some(arguments)) => {
                callee::call(&mut self.arena, self.pickle, global, &arguments).ok_or(What::Callable)?
            }
            (At::Container(_), Some(_)) if is_foreign => callable,
            _ => return Err(What::Callable),
        };
        self.stack.truncate(from);
        self.stack.push(self.arena.value(self.pickle, value));
        Ok(())
    }

    fn scalar(&self, node: Node) -> Option<Scalar<'a>> {
        node.scalar_in(self.pickle)
    }
}

fn operand<const N: usize>(reader: &mut Reader<'_>) -> Result<[u8; N], What> {
    reader.array().map_err(|fault| fault.what)
}
