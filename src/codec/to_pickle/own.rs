//! Writes structs that have a type of their own in Python: docs/types.md 1.5, 1.7 and 1.8.

use super::Encoder;
use crate::codec::calendar::{Clock, Day, Moment, Zone};
use crate::codec::global::Global;
use crate::codec::opcode;
use crate::codec::structs::Own;
use crate::codec::tensor::Tensor;

impl<'t> Encoder<'t, '_> {
    /// Writes such a struct.
    pub(super) fn own(&mut self, own: Own<'t>) {
        match own {
            Own::Bytes(bytes) => self.bytes(bytes),
            Own::Moment(moment) => self.moment(moment),
            Own::Tensor(tensor) => self.tensor(&tensor),
        }
    }

    /// Writes the call of a class in `portpool/_dates.py`: the arguments of the base class, then the precision.
    fn moment(&mut self, moment: Moment<'_>) {
        self.out.global(moment.global());
        self.out.tuple_start();
        if let Some(Day { year, month, day }) = moment.day {
            [year, month, day].into_iter().for_each(|number| self.out.int(number));
        }
        if let Some(Clock { hour, minute, second, microsecond, precision }) = moment.clock {
            [hour, minute, second, microsecond].into_iter().for_each(|number| self.out.int(number));
            self.zone(moment.zone);
            self.out.int(precision);
        }
        self.out.tuple_end();
        self.out.op(opcode::REDUCE);
    }

    /// Writes the call of `portpool._tensor`. Large data goes next to the pickle, like all large `bytes`.
    fn tensor(&mut self, tensor: &Tensor<'t>) {
        self.out.global(Global::Tensor);
        self.out.tuple_start();
        self.out.str(tensor.kind);
        self.out.int(tensor.bits);
        self.out.tuple_start();
        tensor.shape.iter().for_each(|size| self.out.int(*size));
        self.out.tuple_end();
        self.bytes(tensor.data);
        self.out.tuple_end();
        self.out.op(opcode::REDUCE);
    }

    fn zone(&mut self, zone: Option<Zone<'_>>) {
        let Some(zone) = zone else { return self.out.none() };
        self.out.tuple_start();
        self.out.str(zone.time_zone);
        self.out.str(zone.zone_abbr);
        self.out.int(zone.utc_offset);
        self.out.int(zone.std_offset);
        self.out.tuple_end();
    }
}
